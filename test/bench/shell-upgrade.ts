import { NODES } from '../lab/settings.ts';
import { onNode } from './bench-lab.ts';

/** The members of `docker inspect` that a container is run again from. */
interface Inspected {
  readonly Config: {
    readonly Image: string;
    readonly Env: readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
    readonly Healthcheck?: {
      readonly Test: readonly string[];
      /** Nanoseconds. */
      readonly Interval: number;
      readonly Timeout: number;
      readonly StartPeriod?: number;
      readonly Retries: number;
    };
  };
  readonly HostConfig: {
    readonly Binds: readonly string[];
    readonly NetworkMode: string;
    readonly IpcMode: string;
    readonly Privileged: boolean;
    readonly RestartPolicy: { readonly Name: string };
  };
}

function word(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function options(seen: Inspected): string[] {
  const { Config, HostConfig } = seen;
  return [
    `--network=${HostConfig.NetworkMode}`,
    `--ipc=${HostConfig.IpcMode}`,
    ...(HostConfig.Privileged ? ['--privileged'] : []),
    ...HostConfig.Binds.map((bind) => `--volume=${word(bind)}`),
    ...Config.Env.map((one) => `--env=${word(one)}`),
  ];
}

function health({ Config: { Healthcheck: check } }: Inspected): string[] {
  if (check === undefined) return [];
  return [
    `--health-cmd=${word(check.Test[1] ?? '')}`,
    `--health-interval=${check.Interval}ns`,
    `--health-timeout=${check.Timeout}ns`,
    `--health-start-period=${check.StartPeriod ?? 0}ns`,
    `--health-retries=${check.Retries}`,
  ];
}

/** With its labels, so that the tool takes the new container for its own afterwards. */
function runAgain(name: string, seen: Inspected, image: string): string {
  const labels = Object.entries(seen.Config.Labels).map(([key, value]) => `--label=${word(`${key}=${value}`)}`);
  const restart = `--restart=${seen.HostConfig.RestartPolicy.Name}`;
  const all = ['docker run --detach', `--name=${name}`, restart, ...options(seen), ...health(seen), ...labels, image];
  return `docker stop ${name} && docker rm ${name} && ${all.join(' ')}`;
}

export const magnumContainers = ['magnum_conductor', 'magnum_api'] as const;

export async function inspect(node: (typeof NODES)[number]['name'], container: string): Promise<Inspected> {
  const [seen] = JSON.parse(await onNode(node, `docker inspect ${container}`)) as Inspected[];
  if (seen === undefined) throw new Error(`${node} has no ${container}`);
  return seen;
}

function retagged(image: string, tag: string): string {
  return image.replace(/:[^:/]*$/, `:${tag}`);
}

/** What the script waits for on each node before it goes on to the next. */
export type Wait = 'answers' | 'haproxy';

const port = 9511;

/** On the node itself: its API answers. */
function untilAnswers(address: string): string {
  return `until curl -sf -o /dev/null http://${address}:${port}/healthcheck; do sleep 0.2; done`;
}

/**
 * On a node with a load balancer: its own checks see that server up again, with nothing left of the failed ones.
 * Columns of `show servers state`: 4 name, 6 running (2), 12 last check passed (3), 13 health (rise 2 + fall 5 - 1).
 */
function untilSeenUp(server: string): string {
  const ask =
    'echo "show servers state magnum_api_back" | socat stdio unix-connect:/var/lib/kolla/haproxy/haproxy.sock';
  const up = `$4 == "${server}" && $6 == 2 && $12 == 3 && $13 == 6 { found = 1 } END { exit !found }`;
  return `until docker exec haproxy sh -c ${word(ask)} | awk ${word(up)}; do sleep 0.2; done`;
}

/**
 * An upgrade of Magnum as a shell script over ssh that does the essential docker commands only: pull on each node,
 * migrate once, then stop, remove and run both containers node by node, waiting for each node's API to answer, or
 * also until every load balancer's own checks see it up. One connection for each of these; the containers have the
 * options they have now.
 */
export async function shellUpgrade(tag: string, ssh: string, wait: Wait): Promise<string> {
  const lines = ['set -eu', `remote() { ${ssh} "root@$1" "$2"; }`];
  const remote = (address: string, command: string, end = '') =>
    lines.push(`remote ${address} ${word(command)} >/dev/null${end}`);
  const seen = await Promise.all(
    NODES.map(async ({ name, address }) => ({
      name,
      address,
      containers: await Promise.all(
        magnumContainers.map(async (container) => ({ container, now: await inspect(name, container) })),
      ),
    })),
  );
  for (const { address, containers } of seen) {
    remote(address, containers.map(({ now }) => `docker pull -q ${retagged(now.Config.Image, tag)}`).join(' && '));
  }
  const [first] = seen;
  const api = first?.containers.find(({ container }) => container === 'magnum_api');
  if (first && api) {
    const migrate = ['docker run --rm --name=bootstrap_magnum', ...options(api.now), '--env=KOLLA_BOOTSTRAP='];
    remote(first.address, [...migrate, retagged(api.now.Config.Image, tag)].join(' '));
  }
  for (const { name, address, containers } of seen) {
    const each = containers.map(({ container, now }) => runAgain(container, now, retagged(now.Config.Image, tag)));
    remote(address, [...each, untilAnswers(address)].join(' && '));
    if (wait === 'answers') continue;
    for (const balancer of seen) remote(balancer.address, untilSeenUp(name), ' &');
    lines.push('wait');
  }
  return `${lines.join('\n')}\n`;
}
