import type { HostName } from '../model/node.ts';
import type { Alarm, FeatureFlag, MemberEvidence, Partition } from './evidence.ts';

/**
 * Prints the answer that `readClusterStatus` reads, after the name of the member that was asked (which its own answer
 * does not tell). Changes nothing, and needs no login.
 */
export const clusterStatusCommand: readonly string[] = [
  '/bin/sh',
  '-c',
  "sed -n 's/^RABBITMQ_NODENAME=//p' /etc/rabbitmq/rabbitmq-env.conf 2>/dev/null; exec rabbitmqctl --quiet cluster_status --formatter json",
];

type Row = Readonly<Record<string, unknown>>;

/** What a member says of the cluster. `said` is the answer of the command, with how it ended. */
export function readClusterStatus(
  host: HostName,
  said: { readonly code: number; readonly stdout: string; readonly stderr: string },
): MemberEvidence {
  if (said.code !== 0) return { kind: 'silent', host, ...whyNot(said) };
  const body = parsed(said.stdout);
  if (body === undefined) return { kind: 'silent', host, why: 'its answer cannot be read' };
  const versions = asRow(body.versions);
  const running = names(body.running_nodes);
  const node = nodeOf(said.stdout, running);
  const own = asRow(versions[node]);
  return {
    kind: 'seen',
    host,
    node,
    version: text(own.rabbitmq_version),
    erlang: text(own.erlang_version),
    known: [...new Set([...names(body.disk_nodes), ...names(body.ram_nodes), ...running])].sort(),
    running,
    partitions: partitionsOf(body.partitions),
    alarms: alarmsOf(body.alarms),
    drained: Object.entries(asRow(body.maintenance_status))
      .flatMap(([name, state]) => (isDrained(state) ? [name] : []))
      .sort(),
    flags: rows(body.feature_flags).flatMap(flagOf),
  };
}

/** The answer as `rabbitmqctl` prints it, which may have warnings before it. */
function parsed(stdout: string): Row | undefined {
  const start = stdout.indexOf('{');
  if (start < 0) return undefined;
  try {
    return asRow(JSON.parse(stdout.slice(start)));
  } catch {
    return undefined;
  }
}

/** The tool says in many lines what it could not do; one says why. */
function whyNot({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) {
  const all = `${stdout}\n${stderr}`;
  if (all.includes("requires the 'rabbit' app to be running")) {
    return { why: 'the broker has stopped in its container, or waits for the other members', stopped: true };
  }
  if (/unable to perform an operation on node|nodedown|unable to connect/i.test(all))
    return { why: 'the broker does not answer' };
  const lines = all
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return { why: `rabbitmqctl ended with ${code}: ${lines.at(-1) ?? 'it said nothing'}` };
}

function nodeOf(stdout: string, running: readonly string[]): string {
  const named = /\S+@[\w.-]+/.exec(stdout.slice(0, stdout.indexOf('{')))?.[0];
  // A member that runs alone needs no name to be told apart.
  return named ?? (running.length === 1 ? (running[0] ?? '') : '');
}

function isDrained(state: unknown): boolean {
  const said = text(state);
  return said !== '' && !said.startsWith('not ') && !['regular', 'unknown'].includes(said);
}

function partitionsOf(value: unknown): Partition[] {
  return Object.entries(asRow(value)).flatMap(([node, lost]) => {
    const list = names(lost);
    return list.length > 0 ? [{ node, lost: list }] : [];
  });
}

/** `["{resource_limit,memory,'rabbit@node1'}"]`, or objects with `node` and `resource`, by version. */
function alarmsOf(value: unknown): Alarm[] {
  const list: readonly unknown[] = Array.isArray(value) ? value.flat() : [];
  return list.map((alarm) => {
    if (typeof alarm === 'object' && alarm !== null) {
      const row = asRow(alarm);
      return { node: text(row.node), resource: text(row.resource) || text(row.type) };
    }
    const words = text(alarm);
    const resource = ['memory', 'disk', 'file_descriptor'].find((one) => words.includes(one)) ?? words;
    return { node: /rabbit@[\w.-]+/.exec(words)?.[0] ?? '', resource };
  });
}

function flagOf(row: Row): FeatureFlag[] {
  const [name, state, stability] = [text(row.name), text(row.state), text(row.stability)];
  if (name === '') return [];
  return [
    {
      name,
      state: state === 'enabled' || state === 'disabled' ? state : 'unavailable',
      stability: stability === 'experimental' || stability === 'required' ? stability : 'stable',
    },
  ];
}

function asRow(value: unknown): Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Row) : {};
}

function rows(value: unknown): Row[] {
  return Array.isArray(value) ? value.map(asRow) : [];
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String).sort() : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
