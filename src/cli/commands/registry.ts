import type { ExitCode } from '../../core/model/diagnostic.ts';
import type { Invocation } from '../invocation.ts';
import type { OptionSet } from '../option-sets.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Name in commander's notation and what it is. */
  readonly arguments?: readonly (readonly [name: string, about: string])[];
  /** Changes nodes: asks before it does, and takes what all such commands take. */
  readonly mutating: boolean;
  readonly takes: readonly OptionSet[];
  readonly examples: readonly string[];
  /** Loaded only when the command is run: start-up time is part of every command. */
  readonly load: () => Promise<{ readonly run: (invocation: Invocation) => Promise<ExitCode> }>;
}

const change = () => import('./change.ts');
const rabbitmq = () => import('./rabbitmq.ts');

/** Every command but `run`, which carries out these: `allCommands` has it as well. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'build',
    summary: 'Build images on the build host, parents first, and push them to the registry',
    arguments: [['[patterns...]', 'services, images, globs or /regular expressions/']],
    mutating: false,
    takes: ['site', 'build'],
    examples: ['deploy build --push', "deploy build magnum 'heat-*' --push"],
    load: () => import('./build.ts'),
  },
  {
    name: 'pull',
    summary: 'Fetch the wanted images to the nodes; no container is touched',
    mutating: true,
    takes: ['site', 'selection', 'unreachable', 'failures', 'yes'],
    examples: ['deploy pull --tags magnum --skip-tags common'],
    load: change,
  },
  {
    name: 'deploy',
    summary: 'Bring services up, or to the wanted state: images, files, containers, migrations, registration',
    mutating: true,
    takes: ['site', 'selection', 'rollout', 'unreachable', 'failures', 'yes', 'prune'],
    examples: ['deploy deploy', 'deploy deploy --tags heat --yes'],
    load: change,
  },
  {
    name: 'reconfigure',
    summary: 'Bring files, containers and registration to the wanted state; images stay',
    mutating: true,
    takes: ['site', 'selection', 'rollout', 'unreachable', 'failures', 'yes', 'prune'],
    examples: [
      'deploy reconfigure',
      'deploy reconfigure --tags heat --skip-tags common',
      'deploy reconfigure --skip-unreachable',
    ],
    load: change,
  },
  {
    name: 'upgrade',
    summary: 'Bring deployed services to the wanted image tag: migrate, then replace in the service’s order',
    mutating: true,
    takes: ['site', 'selection', 'rollout', 'unreachable', 'failures', 'yes'],
    examples: [
      'deploy upgrade --tags magnum --skip-tags common',
      'deploy upgrade --tags nova --max-unavailable 10%',
      'deploy upgrade --tags nova --skip-unreachable --max-fail 5%',
    ],
    load: change,
  },
  {
    name: 'reconcile',
    summary: 'Put right whatever differs from what is wanted, from whatever cause; with --prune also what is left over',
    mutating: true,
    takes: ['site', 'selection', 'rollout', 'unreachable', 'failures', 'yes', 'prune'],
    examples: ['deploy reconcile', 'deploy reconcile --tags heat --yes', 'deploy reconcile --prune'],
    load: change,
  },
  {
    name: 'rollback',
    summary: 'Bring containers back to image, settings and files of before, as their nodes have recorded them',
    mutating: true,
    takes: ['site', 'selection', 'rollout', 'unreachable', 'failures', 'yes'],
    examples: ['deploy rollback --tags magnum', 'deploy rollback --tags heat_api --yes'],
    load: change,
  },
  {
    name: 'plan',
    summary:
      'Show what a verb (pull, deploy, reconfigure, upgrade, reconcile, rollback, stop, destroy) would do; exit 2 when it would do something',
    arguments: [['<verb>', 'pull, deploy, reconfigure, upgrade, reconcile, rollback, stop or destroy']],
    mutating: false,
    takes: ['site', 'selection', 'rollout', 'unreachable', 'destroy', 'prune', 'out'],
    examples: [
      'deploy plan upgrade --tags magnum',
      'deploy plan upgrade --tags magnum --out magnum.plan',
      'deploy plan reconfigure --json',
    ],
    load: () => import('./plan.ts'),
  },
  {
    name: 'apply',
    summary: 'Carry out a plan saved by deploy plan --out; refused when anything it was made from has moved since',
    arguments: [['<file>', 'a plan saved by deploy plan VERB --out FILE']],
    mutating: true,
    takes: ['run', 'failures', 'yes'],
    examples: ['deploy apply magnum.plan', 'deploy apply magnum.plan --yes --max-fail 0'],
    load: () => import('./apply.ts'),
  },
  {
    name: 'status',
    summary: 'Show every container that should be there, its image and its health; or what changed behind our back',
    mutating: false,
    takes: ['site', 'selection', 'drift'],
    examples: ['deploy status', 'deploy status --tags magnum --json', 'deploy status --drift'],
    load: () => import('./status.ts'),
  },
  {
    name: 'prechecks',
    summary: 'Look for everything that would be in the way of a deployment',
    mutating: false,
    takes: ['site', 'selection'],
    examples: ['deploy prechecks'],
    load: () => import('./prechecks.ts'),
  },
  {
    name: 'stop',
    summary: 'Stop containers, what needs others first',
    mutating: true,
    takes: ['site', 'selection', 'unreachable', 'failures', 'yes'],
    examples: ['deploy stop --tags magnum'],
    load: change,
  },
  {
    name: 'destroy',
    summary: 'Remove containers, their configuration and their volumes (all data!)',
    mutating: true,
    takes: ['site', 'selection', 'unreachable', 'failures', 'yes', 'destroy'],
    examples: ['deploy destroy --tags magnum', 'deploy destroy --keep-volumes --yes-i-really-really-mean-it'],
    load: change,
  },
  {
    name: 'lock',
    summary: 'Show who holds the locks of the nodes (status), or end the session that holds them (break)',
    arguments: [['<action>', 'status or break']],
    mutating: false,
    takes: ['site', 'selection', 'lock'],
    examples: ['deploy lock status', 'deploy lock break --run 20260101T120000-a1b2c3'],
    load: () => import('./lock.ts'),
  },
  {
    name: 'rabbitmq',
    summary: 'Look at the RabbitMQ cluster (status), bring it together again (recover), or empty it (reset-state)',
    arguments: [['<action>', 'status, recover or reset-state']],
    mutating: true,
    takes: ['site', 'failures', 'yes'],
    examples: ['deploy rabbitmq status', 'deploy rabbitmq recover', 'deploy rabbitmq reset-state'],
    load: rabbitmq,
  },
  {
    name: 'rabbitmq-reset-state',
    summary: 'The same as rabbitmq reset-state, as Kolla-Ansible spells it',
    mutating: true,
    takes: ['site', 'failures', 'yes'],
    examples: ['deploy rabbitmq-reset-state'],
    load: rabbitmq,
  },
  {
    name: 'history',
    summary: 'List the runs this user made from here, the latest first, or those that a node remembers',
    mutating: false,
    takes: ['site', 'history'],
    examples: ['deploy history', 'deploy history --last 3 --json', 'deploy history --node node1'],
    load: () => import('./history.ts'),
  },
  {
    name: 'show',
    summary: 'Show what a run did: its steps, times, reasons, failures; the last one when none is named',
    arguments: [['[run]', 'its name, from deploy history']],
    mutating: false,
    takes: ['json'],
    examples: ['deploy show', 'deploy show 20260101T120000-a1b2c3'],
    load: () => import('./show.ts'),
  },
  {
    name: 'resume',
    summary: 'Run the command of a run again, the last one when none is named; what is left of it is shown first',
    arguments: [['[run]', 'its name, from deploy history']],
    mutating: false,
    takes: ['json', 'resume'],
    examples: ['deploy resume', 'deploy resume 20260101T120000-a1b2c3 --yes'],
    load: () => import('./resume.ts'),
  },
  {
    name: 'mariadb',
    summary:
      'Show the members of the database’s cluster (status), check that it is whole (check), bring it back (recover), and take and put back its data (backup, restore)',
    arguments: [['<action>', 'status, check, recover, backup or restore']],
    mutating: true,
    takes: ['site', 'galera', 'backup', 'restore', 'failures', 'yes'],
    examples: [
      'deploy mariadb status',
      'deploy mariadb check                 exit 0 when every member is Synced in one Primary component, else 1',
      'deploy mariadb recover',
      'deploy mariadb recover --from node2 --accept-loss',
      'deploy mariadb backup --incremental --yes',
      'deploy mariadb backup --list',
      'deploy mariadb restore --accept-loss                 everything committed after the latest backup is lost',
    ],
    load: () => import('./mariadb.ts'),
  },
  {
    name: 'mariadb-recovery',
    summary: 'The same as mariadb recover, by the name it has in Kolla-Ansible',
    mutating: true,
    takes: ['site', 'galera', 'failures', 'yes'],
    examples: ['deploy mariadb-recovery'],
    load: () => import('./mariadb.ts'),
  },
  {
    name: 'mariadb-backup',
    summary: 'The same as mariadb backup, by the name it has in Kolla-Ansible',
    mutating: true,
    takes: ['site', 'backup', 'failures', 'yes'],
    examples: ['deploy mariadb-backup --incremental'],
    load: () => import('./mariadb.ts'),
  },
  {
    name: 'genpwd',
    summary: 'Fill the empty entries of passwords.yml with random values; nothing is overwritten',
    mutating: false,
    takes: ['site'],
    examples: ['deploy genpwd --configdir /etc/kolla'],
    load: () => import('./genpwd.ts'),
  },
  {
    name: 'config',
    summary: 'Show a variable as the hosts have it, and which files set it (config get VARIABLE)',
    arguments: [
      ['<get>', 'what to do'],
      ['<variable>', 'its name'],
    ],
    mutating: false,
    takes: ['site', 'config'],
    examples: ['deploy config get openstack_tag', 'deploy config get heat_logging_debug --host ctl1 --explain'],
    load: () => import('./config.ts'),
  },
];
