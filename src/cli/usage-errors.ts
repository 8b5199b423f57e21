import type { CommanderError } from 'commander';
import { DeployError, type Diagnostic, error, exitCode } from '../core/model/diagnostic.ts';
import { didYouMean } from '../core/model/suggest.ts';

/** What the parser of the command line objects to, in the form of every other problem. */
export function usageError(cause: CommanderError, argv: readonly string[], commands: readonly string[]): DeployError {
  return new DeployError([diagnose(cause, argv, commands)], exitCode.badInput);
}

export function unknownCommand(name: string, commands: readonly string[]): DeployError {
  const hint = didYouMean(name, commands) ?? `commands: ${commands.join(', ')}`;
  return new DeployError([error('unknown-command', `there is no command ${name}`, { hint })], exitCode.badInput);
}

function diagnose(cause: CommanderError, argv: readonly string[], commands: readonly string[]): Diagnostic {
  const [first = '', ...rest] = cause.message.split('\n');
  const message = first.replace(/^error: /, '');
  const suggestion = /\(Did you mean (?:one of )?(.+?)\?\)/.exec(rest.join(' '))?.[1];
  const command = argv.find((word) => commands.includes(word));
  const help = `deploy ${command === undefined ? '' : `${command} `}--help tells what it takes`;
  const quoted = /'([^']+)'/.exec(message)?.[1] ?? '';
  switch (cause.code) {
    case 'commander.unknownCommand':
      return unknownCommand(quoted, commands).diagnostics[0] ?? error('usage', message);
    case 'commander.unknownOption': {
      const hint = suggestion === undefined ? help : `did you mean ${suggestion}?`;
      return error('unknown-option', `${where(command)}there is no option ${quoted}`, { hint });
    }
    case 'commander.excessArguments':
      return error('usage', `${where(command)}too many arguments`, {
        hint: `services are chosen with --tags; ${help}`,
      });
    case 'commander.missingArgument':
      return error('usage', `${where(command)}the argument ${quoted.toUpperCase()} is missing`, { hint: help });
    case 'commander.optionMissingArgument':
      return error('usage', `${where(command)}the option ${quoted} needs a value`, { hint: help });
    case 'commander.invalidArgument': {
      const [, option = quoted, value = '', wanted = ''] =
        /^option '([^']+)'(?: argument| value) '(.*)'(?: from env '.*')? is invalid\. (.*)$/.exec(message) ?? [];
      return error('usage', `${where(command)}${option}: ${value} is not ${wanted}`, { hint: help });
    }
    default:
      return error('usage', `${where(command)}${message}`, { hint: help });
  }
}

function where(command: string | undefined): string {
  return command === undefined ? '' : `${command}: `;
}
