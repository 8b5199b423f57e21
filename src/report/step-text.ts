import { imageName } from '../core/model/node.ts';
import type { RabbitmqOrder } from '../core/plan/cluster-steps.ts';
import type { Step, StepKind, StepOf } from '../core/plan/steps.ts';

function shortImage(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

function fileNames(paths: readonly string[]): string {
  const names = paths.map((path) => path.split('/').slice(3).join('/'));
  return names.length > 4 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
}

const rabbitmqOrder: Readonly<Record<RabbitmqOrder, (container: string, member: string) => string>> = {
  'enable-flags': () => "enable RabbitMQ's feature flags",
  forget: (_, member) => `forget the member ${member}, if it is one and does not run`,
  grow: (container) => `put replicas of quorum queues on ${container}`,
  join: (container, member) => `join ${container} to the cluster of ${member}`,
  revive: (container) => `take ${container} out of maintenance`,
  stop: (container) => `stop the broker in ${container}`,
  reset: (container) => `reset ${container}: ALL MESSAGES, QUEUES AND USERS in it are removed`,
  start: (container) => `start the broker in ${container}`,
};

/** One phrase for each kind of step, the same in the plan and while it is carried out. */
const phrases: { readonly [K in StepKind]: (step: StepOf<K>) => string } = {
  pull: (step) => `pull ${shortImage(imageName(step.image))}`,
  write: (step) =>
    [
      step.files.length > 0 ? `write ${fileNames(step.files.map((f) => f.path))}` : '',
      step.remove.length > 0 ? `remove ${fileNames(step.remove)}` : '',
    ]
      .filter((part) => part !== '')
      .join(', '),
  create: (step) => `create ${step.as} from ${shortImage(imageName(step.spec.image))}`,
  stop: (step) =>
    `${step.maintenance ? `hand over and stop ${step.container}` : `stop ${step.container}`}${step.aside === undefined ? '' : ' and set it aside'}`,
  start: (step) => `start ${step.container}`,
  healthy: (step) => `wait until ${step.container} is healthy`,
  drain: (step) => `drain ${step.container} in ${step.balancers.length} load balancers`,
  undrain: (step) => `put ${step.container} back into ${step.balancers.length} load balancers`,
  remove: (step) => `remove ${step.container}`,
  record: (step) => `note the form of ${step.container}`,
  restore: (step) => `put the files of ${step.container} back`,
  'put-back': (step) => `put the old ${step.container} back`,
  reload: (step) => `reload ${step.container}`,
  'one-shot': (step) => `run ${step.name} from ${shortImage(imageName(step.spec.image))}`,
  databases: (step) => `ensure database ${step.wish.databases.map((d) => d.name).join(', ')}`,
  identity: (step) => `register ${step.service} in Keystone`,
  messaging: (step) => `ensure RabbitMQ users ${step.wish.users.map((u) => u.name).join(', ')}`,
  keys: (step) => `share the ${step.wish.kind} keys of ${step.wish.container}`,
  'galera-check': (step) =>
    step.members === 1
      ? 'check that the Galera cluster runs and nobody else is joining it'
      : `check that ${step.members} Galera members are Synced`,
  'galera-sessions': (step) => `move idle sessions back to ${step.container} on ${step.host}`,
  'galera-upgrade': (step) => `upgrade the data of ${step.container} with ${step.name}`,
  'galera-untouched': (step) => `check that the data of ${step.container} has not been written to since`,
  'rabbitmq-check': (step) =>
    step.leaves
      ? 'wait until the RabbitMQ cluster is whole and can do without this member'
      : `wait until ${step.container} is part of the RabbitMQ cluster`,
  rabbitmq: (step) => rabbitmqOrder[step.order](step.container, step.member ?? ''),
  'galera-state': (step) =>
    step.bootstrap
      ? `let ${step.container} form a new cluster, its grastate.dat kept aside`
      : `keep grastate.dat and gvwstate.dat of ${step.container} aside`,
  'galera-copy': (step) => `copy all data in the volume ${step.volume} into a volume of its own`,
  'galera-clear': (step) => `remove the data in the volume ${step.volume}, on which no server starts`,
  'galera-position': (step) => `find out how far the data goes, with ${step.name}`,
  'galera-primary': (step) => `make the group of ${step.container} the Primary component`,
  'galera-synced': (step) =>
    `wait until ${step.container} is Synced, ${step.members} member${step.members === 1 ? '' : 's'} in all`,
  'database-account': (step) => `ensure the database account ${step.user}`,
  task: (step) => step.what,
  'set-aside': ({ container, volume, keep }) =>
    keep === undefined
      ? `empty the volume ${volume}: half of a restore`
      : `set the data of ${container} aside, to ${keep.directory} in the volume ${keep.volume}`,
  'put-data': ({ container, volume, from }) => `put ${from.directory} into the volume ${volume} of ${container}`,
  gate: (step) => `gate: ${step.gate.name}`,
  hook: (step) => `run hook ${step.name}`,
  wipe: (step) =>
    [
      step.volumes.length > 0 ? `remove volumes ${step.volumes.join(', ')} and ALL DATA in them` : '',
      step.paths.length > 0 ? `remove ${step.paths.length} files` : '',
    ]
      .filter((part) => part !== '')
      .join(', ') || 'forget what was done',
};

export function stepText(step: Step): string {
  const phrase = phrases[step.kind] as (step: Step) => string;
  return phrase(step);
}
