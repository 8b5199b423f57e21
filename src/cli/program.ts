import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { DeployError, type ExitCode, error, exitCode, formatDiagnostic } from '../core/model/diagnostic.ts';
import { VariableError } from '../core/site/variable-error.ts';
import { condense } from '../report/diagnostics.ts';
import { type CommandEntry, commands } from './commands/registry.ts';
import { unknownCommand, usageError } from './usage-errors.ts';

const exitCodes = `
Exit codes:
  0 done, or nothing to do    1 the run failed            2 'plan' found something to do
  3 bad input                 4 a node is not usable      5 locked by another run
  6 reverted                  7 could not be reverted     130, 143 interrupted`;

function commaList(value: string, previous: readonly string[]): string[] {
  return [...previous, ...value.split(',').filter((part) => part !== '')];
}

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

function positiveInteger(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('a whole number from 1 on');
  return number;
}

const optionSets: Readonly<Record<CommandEntry['takes'][number], () => Option[]>> = {
  site: () => [
    new Option('--configdir <dir>', 'directory of globals.yml, passwords.yml and config/')
      .env('KOLLA_CONFIG_PATH')
      .default('/etc/kolla'),
    new Option('-i, --inventory <path>', 'inventory file, repeatable')
      .env('DEPLOY_INVENTORY')
      .argParser(collect)
      .default([]),
    new Option('-e, --extra-vars <vars>', 'key=value, JSON or @file, repeatable; wins over everything')
      .argParser(collect)
      .default([]),
    new Option('--known-hosts <file>', 'known_hosts file, repeatable')
      .env('DEPLOY_KNOWN_HOSTS')
      .argParser(collect)
      .default([]),
    new Option('--forks <n>', 'steps carried out at once').argParser(positiveInteger).default(12),
    new Option('--json', 'machine-readable output').default(false),
  ],
  selection: () => [
    new Option('-t, --tags <tags>', 'only services or containers with these tags (comma list)')
      .argParser(commaList)
      .default([]),
    new Option('--skip-tags <tags>', 'not those with these tags (comma list)').argParser(commaList).default([]),
    new Option('-l, --limit <pattern>', 'only these hosts or groups'),
  ],
  yes: () => [
    new Option('-y, --yes', 'carry the plan out without asking').default(false),
    new Option('--yes-i-really-really-mean-it', 'the same, as Kolla-Ansible spells it').default(false).hideHelp(),
  ],
  build: () => [
    new Option('--push', 'push to the registry').default(false),
    new Option('--force', 'build even what is there already').default(false),
    new Option('--nocache', 'build without the layer cache').default(false),
    new Option('--list', 'show what would be built, and stop').default(false),
  ],
  destroy: () => [new Option('--keep-volumes', 'leave volumes (the data) where they are').default(false)],
};

function addCommand(program: Command, entry: CommandEntry, finish: (code: ExitCode) => void): void {
  const command = program.command(entry.name).summary(entry.summary).description(entry.summary);
  if (entry.usage === 'VERB')
    command.argument('<verb>', 'pull, deploy, reconfigure, upgrade, rollback, stop or destroy');
  if (entry.usage?.startsWith('[PATTERN'))
    command.argument('[patterns...]', 'services, images, globs or /regular expressions/');
  for (const set of entry.takes) for (const option of optionSets[set]()) command.addOption(option);
  command.addHelpText('after', `\nExamples:\n${entry.examples.map((e) => `  ${e}`).join('\n')}\n${exitCodes}`);
  command.action(async () => {
    const { run } = await entry.load();
    finish(await run({ name: entry.name, args: command.args, options: command.opts() }));
  });
}

function buildProgram(finish: (code: ExitCode) => void): Command {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const version =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '';
  const program = new Command('deploy')
    .description(
      'Deploys and upgrades OpenStack services on plain Docker nodes over SSH: plans first, then changes only what differs.',
    )
    .version(version)
    .showSuggestionAfterError(true)
    .exitOverride()
    // What commander says of an error is told in our own form by `report`.
    .configureOutput({ writeErr: (text) => process.stderr.write(text), outputError: () => undefined });
  for (const entry of commands) addCommand(program, entry, finish);
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
export async function main(argv: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = exitCode.ok;
  const program = buildProgram((result) => {
    code = result;
  });
  try {
    const [verb, about] = argv;
    if (verb === 'help' && about !== undefined && !names.includes(about)) throw unknownCommand(about, names);
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (cause) {
    return report(cause, argv);
  }
}

const names = commands.map(({ name }) => name);

function report(cause: unknown, argv: readonly string[]): ExitCode {
  if (cause instanceof CommanderError) {
    if (cause.exitCode === 0) return exitCode.ok;
    // Without any command the help has been shown, which says all there is to say.
    return cause.code === 'commander.help' ? exitCode.badInput : report(usageError(cause, argv, names), argv);
  }
  if (cause instanceof VariableError) return report(new DeployError([cause.diagnostic], exitCode.badInput), argv);
  if (cause instanceof DeployError) {
    process.stderr.write(`${condense(cause.diagnostics).map(formatDiagnostic).join('\n')}\n`);
    return cause.exit;
  }
  const text = cause instanceof Error ? cause.message : String(cause);
  const bug = error('internal', text, { hint: 'this is a bug in deploy; DEPLOY_DEBUG=1 shows where' });
  process.stderr.write(`${formatDiagnostic(bug)}\n`);
  if (process.env.DEPLOY_DEBUG && cause instanceof Error) process.stderr.write(`${cause.stack}\n`);
  return exitCode.failed;
}
