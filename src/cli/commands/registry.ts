import type { ExitCode } from '../../core/model/diagnostic.ts';
import type { Invocation } from '../invocation.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly usage?: string;
  /** Changes nodes: asks before it does, and takes what all such commands take. */
  readonly mutating: boolean;
  readonly takes: readonly ('site' | 'selection' | 'yes' | 'build' | 'destroy')[];
  readonly examples: readonly string[];
  /** Loaded only when the command is run: start-up time is part of every command. */
  readonly load: () => Promise<{ readonly run: (invocation: Invocation) => Promise<ExitCode> }>;
}

const change = () => import('./change.ts');

/** Every command of the tool; tests walk this table. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'build',
    summary: 'Build images on the build host, parents first, and push them to the registry',
    usage: '[PATTERN...]',
    mutating: false,
    takes: ['site', 'build'],
    examples: ['deploy build --push', "deploy build magnum 'heat-*' --push"],
    load: () => import('./build.ts'),
  },
  {
    name: 'pull',
    summary: 'Fetch the wanted images to the nodes; no container is touched',
    mutating: true,
    takes: ['site', 'selection', 'yes'],
    examples: ['deploy pull --tags magnum --skip-tags common'],
    load: change,
  },
  {
    name: 'deploy',
    summary: 'Bring services up, or to the wanted state: images, files, containers, migrations, registration',
    mutating: true,
    takes: ['site', 'selection', 'yes'],
    examples: ['deploy deploy', 'deploy deploy --tags heat --yes'],
    load: change,
  },
  {
    name: 'reconfigure',
    summary: 'Bring files, containers and registration to the wanted state; images stay',
    mutating: true,
    takes: ['site', 'selection', 'yes'],
    examples: ['deploy reconfigure', 'deploy reconfigure --tags heat --skip-tags common'],
    load: change,
  },
  {
    name: 'upgrade',
    summary: 'Bring deployed services to the wanted image tag: migrate, then replace in the service’s order',
    mutating: true,
    takes: ['site', 'selection', 'yes'],
    examples: ['deploy upgrade --tags magnum --skip-tags common'],
    load: change,
  },
  {
    name: 'rollback',
    summary: 'Bring containers back to image, settings and files of before, as their nodes have recorded them',
    mutating: true,
    takes: ['site', 'selection', 'yes'],
    examples: ['deploy rollback --tags magnum', 'deploy rollback --tags heat_api --yes'],
    load: () => import('./rollback.ts'),
  },
  {
    name: 'plan',
    summary:
      'Show what a verb (pull, deploy, reconfigure, upgrade, rollback, stop, destroy) would do; exit 2 when it would do something',
    usage: 'VERB',
    mutating: false,
    takes: ['site', 'selection', 'destroy'],
    examples: ['deploy plan upgrade --tags magnum', 'deploy plan reconfigure --json'],
    load: () => import('./plan.ts'),
  },
  {
    name: 'status',
    summary: 'Show every container that should be there, its image and its health',
    mutating: false,
    takes: ['site', 'selection'],
    examples: ['deploy status', 'deploy status --tags magnum --json'],
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
    takes: ['site', 'selection', 'yes'],
    examples: ['deploy stop --tags magnum'],
    load: () => import('./teardown.ts'),
  },
  {
    name: 'destroy',
    summary: 'Remove containers, their configuration and their volumes (all data!)',
    mutating: true,
    takes: ['site', 'selection', 'yes', 'destroy'],
    examples: ['deploy destroy --tags magnum', 'deploy destroy --keep-volumes --yes-i-really-really-mean-it'],
    load: () => import('./teardown.ts'),
  },
  {
    name: 'genpwd',
    summary: 'Fill the empty entries of passwords.yml with random values; nothing is overwritten',
    mutating: false,
    takes: ['site'],
    examples: ['deploy genpwd --configdir /etc/kolla'],
    load: () => import('./genpwd.ts'),
  },
];
