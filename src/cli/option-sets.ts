import { InvalidArgumentError, Option } from 'commander';
import { parseMaxFail } from '../core/plan/max-fail.ts';
import { parseAmount } from '../core/plan/rollout-limits.ts';
import { parseDuration } from './duration.ts';

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

function amount(value: string): string {
  if (parseAmount(value) === undefined) throw new InvalidArgumentError('a whole number from 1 on, or a share: 25%');
  return value;
}

function maxFail(value: string): string {
  if (parseMaxFail(value) === undefined) throw new InvalidArgumentError('a whole number from 0 on, or a share: 10%');
  return value;
}

function diffMode(value: string): string {
  if (!['none', 'changed', 'all'].includes(value)) throw new InvalidArgumentError('none, changed or all');
  return value;
}

function duration(value: string): string {
  if (parseDuration(value) === undefined) throw new InvalidArgumentError('a time such as 90s, 10m or 2h');
  return value;
}

function runOptions(): Option[] {
  return [
    new Option('--known-hosts <file>', 'known_hosts file, repeatable')
      .env('DEPLOY_KNOWN_HOSTS')
      .argParser(collect)
      .default([]),
    new Option('--forks <n>', 'steps carried out at once').argParser(positiveInteger).default(12),
    new Option('--json', 'machine-readable output').default(false),
  ];
}

/** Options that commands take together; a command names the sets it takes. `run` is the part of `site` that a saved plan leaves open. */
export const optionSets = {
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
    ...runOptions(),
  ],
  run: runOptions,
  selection: () => [
    new Option('-t, --tags <tags>', 'only services or containers with these tags (comma list)')
      .argParser(commaList)
      .default([]),
    new Option('--skip-tags <tags>', 'not those with these tags (comma list)').argParser(commaList).default([]),
    new Option('-l, --limit <pattern>', 'only these hosts or groups'),
  ],
  rollout: () => [
    new Option(
      '--batch <n>',
      'replicas of a container replaced at once, a number or a share of its group (25%)',
    ).argParser(amount),
    new Option(
      '--max-unavailable <n>',
      'replicas of a container that may be away at once, a number or a share',
    ).argParser(amount),
    new Option('--diff <what>', 'what of files to show: none, changed, or all (new ones in full too)')
      .argParser(diffMode)
      .default('changed'),
  ],
  yes: () => [
    new Option('-y, --yes', 'carry the plan out without asking').default(false),
    new Option('--lock-wait <time>', 'wait this long for the lock of another run (90s, 10m)').argParser(duration),
    new Option('--yes-i-really-really-mean-it', 'the same, as Kolla-Ansible spells it').default(false).hideHelp(),
  ],
  failures: () => [
    new Option(
      '--max-fail <n>',
      'start nothing more once more hosts than this have failed, a number or a share of the plan’s hosts (10%); without it only what depends on a failure is not started',
    ).argParser(maxFail),
  ],
  unreachable: () => [
    new Option(
      '--skip-unreachable',
      'go on without hosts that do not answer, where quorum and the replicas that may be away allow it',
    ).default(false),
  ],
  build: () => [
    new Option('--push', 'push to the registry').default(false),
    new Option('--force', 'build even what is there already').default(false),
    new Option('--nocache', 'build without the layer cache').default(false),
    new Option('--list', 'show what would be built, and stop').default(false),
  ],
  out: () => [new Option('--out <file>', 'also save the plan, for deploy apply; 0600, without secrets')],
  config: () => [
    new Option('--host <host>', 'only this host; without it all hosts, equal ones folded'),
    new Option('--explain', 'also every layer that sets it, lowest first').default(false),
  ],
  runbook: () => [
    new Option('--plan', 'show every stage and its plan, and stop; exit 2 when there is something to do').default(
      false,
    ),
    new Option('--from <stage>', 'begin with this stage'),
    new Option('--approve <stage>', 'approve the pause of this stage, repeatable').argParser(commaList).default([]),
    new Option('--approve-all', 'approve every pause').default(false),
  ],
  prune: () => [
    new Option('--prune', 'remove containers and files of ours that nothing wants any more; never volumes').default(
      false,
    ),
  ],
  drift: () => [
    new Option('--drift', 'show what changed on the nodes and not by a run; exit 1 if anything').default(false),
  ],
  lock: () => [new Option('--run <run>', 'break: the run whose lock is broken')],
  history: () => [
    new Option('-n, --last <n>', 'how many runs').argParser(positiveInteger).default(20),
    new Option('--node <host>', 'what this node has noted itself of the runs that changed it, whoever made them'),
  ],
  galera: () => [
    new Option('--from <host>', 'recover: form the cluster from this member’s data although others may have more'),
    new Option(
      '--without <hosts>',
      'recover: do without these members (comma list) if they cannot be reached or have no data',
    )
      .argParser(commaList)
      .default([]),
    new Option(
      '--accept-loss',
      'recover: commits that only other members have may be lost; restore: all after the backup are',
    ).default(false),
    new Option(
      '--keep-data',
      'recover: members whose data a state transfer may replace get a copy of all of it first, where there is room',
    ).default(false),
    new Option('--again', 'recover: form the cluster a second time within an hour').default(false),
  ],
  backup: () => [
    new Option('--full', 'backup: all data, which is the default').default(false),
    new Option('--incremental', 'backup: only what changed since the latest one').default(false),
    new Option('--list', 'backup: show the backups there are, and stop').default(false),
    new Option('--fetch <dir>', 'backup: copy it to this directory here, with what it is based on'),
  ],
  restore: () => [
    new Option('--backup <id>', 'restore: this backup instead of the latest one').default('latest'),
    new Option('--from-dir <dir>', 'restore: from a backup that was fetched to this directory here'),
  ],
  json: () => [new Option('--json', 'machine-readable output').default(false)],
  resume: () => [new Option('-y, --yes', 'carry the plan out without asking').default(false)],
  destroy: () => [new Option('--keep-volumes', 'leave volumes (the data) where they are').default(false)],
} satisfies Readonly<Record<string, () => Option[]>>;

export type OptionSet = keyof typeof optionSets;
