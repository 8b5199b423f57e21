import { Command, CommanderError } from 'commander';
import { DeployError, type ExitCode, error, exitCode } from '../core/model/diagnostic.ts';
import { VariableError } from '../core/site/variable-error.ts';
import { allCommands as commands } from './commands/all.ts';
import type { CommandEntry } from './commands/registry.ts';
import { optionSets } from './option-sets.ts';
import { createOutput, type Output } from './output.ts';
import { unknownCommand, usageError } from './usage-errors.ts';
import { toolVersion } from './version.ts';

const exitCodes = `
Exit codes:
  0 done, or nothing to do    1 the run failed            2 'plan' found something to do
  3 bad input                 4 a node is not usable      5 locked by another run
  6 reverted                  7 could not be reverted     129, 130, 143 interrupted`;

const hooksHelp = `
Hooks, run on this host: executables in <configdir>/hooks/ named pre-run, post-run, pre-service, post-service, on-failure,
or in directories <name>.d/. In their environment: DEPLOY_HOOK, DEPLOY_RUN, DEPLOY_VERB, DEPLOY_SITE, DEPLOY_CONFIGDIR,
DEPLOY_TAGS, DEPLOY_HOSTS (comma lists); of a service's hooks DEPLOY_SERVICE; of post-run and on-failure DEPLOY_OUTCOME
(ok, failed, reverted, interrupted), DEPLOY_EXIT, DEPLOY_FAILED_STEPS.
`;

function addCommand(program: Command, entry: CommandEntry, call: Call): void {
  const { output, argv, finish } = call;
  const again = (other: readonly string[]) => main(other, output);
  const command = program.command(entry.name).summary(entry.summary).description(entry.summary);
  for (const [name, about] of entry.arguments ?? []) command.argument(name, about);
  for (const set of entry.takes) for (const option of optionSets[set]()) command.addOption(option);
  const hooks = entry.takes.includes('yes') ? hooksHelp : '';
  command.addHelpText('after', `\nExamples:\n${entry.examples.map((e) => `  ${e}`).join('\n')}\n${hooks}${exitCodes}`);
  command.action(async () => {
    const { run } = await entry.load();
    finish(await run({ name: entry.name, args: command.args, options: command.opts(), output, argv, again }));
  });
}

/** One command line: what was typed, where it writes, what becomes of its exit code. */
interface Call {
  readonly argv: readonly string[];
  readonly output: Output;
  finish(code: ExitCode): void;
}

function buildProgram(call: Call): Command {
  const program = new Command('deploy')
    .description(
      'Deploys and upgrades OpenStack services on plain Docker nodes over SSH: plans first, then changes only what differs.',
    )
    .version(toolVersion())
    .showSuggestionAfterError(true)
    .exitOverride()
    // What commander says of an error is told in our own form by `report`.
    .configureOutput({ writeErr: (text) => process.stderr.write(text), outputError: () => undefined });
  for (const entry of commands) addCommand(program, entry, call);
  for (const command of program.commands) command.exitOverride().showSuggestionAfterError(true);
  program.addHelpText(
    'after',
    `
Examples:
  deploy plan upgrade --tags magnum      what would change
  deploy upgrade --tags magnum           change it
  deploy reconfigure                     after an edit of globals.yml
${exitCodes}`,
  );
  return program;
}

/** Runs one command line and returns how to exit; prints every problem, never a stack trace of bad input. */
export async function main(argv: readonly string[], output: Output = outputFor(argv)): Promise<ExitCode> {
  let code: ExitCode = exitCode.ok;
  const finish = (result: ExitCode) => {
    code = result;
  };
  const program = buildProgram({ argv, output, finish });
  try {
    const [verb, about] = argv;
    if (verb === 'help' && about !== undefined && !names.includes(about)) throw unknownCommand(about, names);
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (cause) {
    return report(cause, argv, output);
  }
}

/** Known before the command line is understood: what is wrong with it is told in the form it asks for. */
export function outputFor(argv: readonly string[]): Output {
  return createOutput(argv.includes('--json'));
}

const names = commands.map(({ name }) => name);

/** Tells what ended a command, in the operator's words when it is the operator's, and how to exit. */
export function report(cause: unknown, argv: readonly string[], output: Output): ExitCode {
  if (cause instanceof CommanderError) {
    if (cause.exitCode === 0) return exitCode.ok;
    // Without any command the help has been shown, which says all there is to say.
    return cause.code === 'commander.help' ? exitCode.badInput : report(usageError(cause, argv, names), argv, output);
  }
  if (cause instanceof VariableError) {
    return report(new DeployError([cause.diagnostic], exitCode.badInput), argv, output);
  }
  if (cause instanceof DeployError) {
    output.failure(cause.diagnostics, cause.exit);
    return cause.exit;
  }
  const text = cause instanceof Error ? cause.message : String(cause);
  const hint = 'this is a bug in deploy; DEPLOY_DEBUG=1 shows where';
  output.failure([error('internal', text, { hint })], exitCode.failed);
  if (process.env.DEPLOY_DEBUG && cause instanceof Error) output.note(String(cause.stack));
  return exitCode.failed;
}
