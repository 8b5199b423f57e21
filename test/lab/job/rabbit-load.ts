import { AmqpLoad, type LoadReport } from '../../amqp/load.ts';
import { LabError, waitFor } from '../command.ts';
import { type Lab, raiseLab } from '../raise.ts';
import type { LabReport } from '../report.ts';
import { NODES, type NodeName } from '../settings.ts';
import { allContainers, deploy, password } from './deploy-command.ts';
import { deployedLab } from './deployed.ts';

/** The lab with RabbitMQ on all nodes; nothing is deployed where it runs already. */
export async function rabbitLab(report: LabReport): Promise<Lab> {
  const lab = await raiseLab({ report });
  const there = await allContainers();
  return NODES.every(({ name }) => there.get(`${name}/rabbitmq`)?.running) ? lab : deployedLab(report);
}

/** A queue of its own for each load: nothing that an earlier one left counts. */
export function loadOn(lab: Lab, type: 'quorum' | 'classic'): AmqpLoad {
  const login = { port: 5672, user: 'openstack', password: password(lab, 'rabbitmq_password') };
  const brokers = NODES.map(({ address }) => ({ address, ...login }));
  return new AmqpLoad(brokers, `load-${type}-${Date.now()}`, { 'x-queue-type': type });
}

export function loadText({
  confirmed,
  lost,
  duplicates,
  repeated,
  refused,
  reconnects,
  longestGapMs,
}: LoadReport): string {
  return (
    `${confirmed} confirmed, ${lost} lost, ${duplicates} delivered twice, ${repeated} sent again, ${refused} refused, ` +
    `${reconnects} reconnects, longest time without a confirmation ${longestGapMs} ms`
  );
}

interface Status {
  readonly members: readonly { readonly host: NodeName; readonly kind: string; readonly running?: readonly string[] }[];
  readonly findings: readonly { readonly kind: string }[];
}

async function status(lab: Lab): Promise<Status> {
  const ran = await deploy(lab, ['rabbitmq', 'status', '--json']);
  const [line = ''] = ran.stdout.split('\n');
  if (line === '') throw new LabError(`status said nothing: ${ran.stderr}`);
  return JSON.parse(line) as Status;
}

/** What `deploy rabbitmq status` finds, as kinds; empty for a whole cluster. */
export async function findings(lab: Lab): Promise<string[]> {
  return (await status(lab)).findings.map(({ kind }) => kind);
}

/**
 * Waits until all members have noticed that one is cut off: it has paused itself, and the others have dropped it. Before
 * that, a network that heals leaves a partition behind.
 */
export async function untilPaused(lab: Lab, node: NodeName, timeoutMs: number): Promise<void> {
  const paused = await waitFor(
    async () =>
      (await status(lab)).members.every(({ host, kind, running = [] }) =>
        host === node ? kind === 'silent' : kind === 'seen' && !running.includes(`rabbit@${node}`),
      ),
    timeoutMs,
    1000,
  );
  if (!paused) throw new LabError(`after ${timeoutMs / 1000} s not all members have noticed that ${node} is cut off`);
}

export async function untilFound(
  lab: Lab,
  wanted: (kinds: readonly string[]) => boolean,
  timeoutMs: number,
): Promise<string[]> {
  let last: string[] = [];
  const look = async (): Promise<boolean> => {
    last = await findings(lab);
    return wanted(last);
  };
  const seen = await waitFor(look, timeoutMs, 3000);
  if (!seen) throw new LabError(`after ${timeoutMs / 1000} s the cluster still shows: ${last.join(', ') || 'nothing'}`);
  return last;
}
