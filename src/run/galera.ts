import { grastateToBootstrap, parseGrastate, parseRecovered } from '../core/galera/state-files.ts';
import { transferOf, transferWords } from '../core/galera/transfer.ts';
import { isZero } from '../core/galera/votes.ts';
import { label } from '../core/model/node.ts';
import type { StepOf } from '../core/plan/steps.ts';
import { aboutContainer } from './health.ts';
import { Patience } from './patience.ts';
import type { NodePort } from './ports.ts';
import { failed, indent, type StepContext } from './step-context.ts';

const stateFiles = ['grastate.dat', 'gvwstate.dat'] as const;
/** A server that only finds its position says some fifty lines. */
const wholeOutput = 5_000;
const lastWords = 30;
const lookEveryMs = 1_000;
/** One that the engine has started so often does not stay up. */
const restartsTolerated = 5;

/** What a state transfer or an edit would overwrite is copied to the node's own directory first. */
export async function keepState(step: StepOf<'galera-state'>, context: StepContext): Promise<string | undefined> {
  const { node, runId } = context;
  const seen = await node.readVolume(step.volume, stateFiles);
  if (step.joins) await sameHistory(step, seen?.texts.get('grastate.dat'), context);
  const kept = [...(seen?.texts ?? [])].map(([file, content]) => ({
    path: `${step.keep}/${runId}/${file}`,
    content,
    mode: '0600',
  }));
  await node.writeFiles(kept, []);
  const note = kept.length === 0 ? 'there was none' : `in ${step.keep}/${runId}`;
  if (step.bootstrap === undefined) return note;
  if (seen === undefined)
    throw failed(step, `there is no volume ${step.volume}`, 'no member can be started without its data');
  const content = grastateToBootstrap(seen.texts.get('grastate.dat'), step.bootstrap.uuid);
  await node.writeFiles([{ path: `${seen.mountpoint}/grastate.dat`, content, mode: '0660' }], []);
  return note;
}

/** A member without a history of its own gets all it has from the others. */
async function sameHistory(
  step: StepOf<'galera-state'>,
  grastate: string | undefined,
  { nodes }: StepContext,
): Promise<void> {
  const own = grastate === undefined ? 'corrupt' : parseGrastate(grastate);
  if (own === 'corrupt' || isZero(own.uuid) || step.joins === undefined) return;
  const { host, container } = step.joins;
  const argv = ['mariadb', '--protocol=socket', '-N', '-B', '-e', "SHOW GLOBAL STATUS LIKE 'wsrep_cluster_state_uuid'"];
  const answer = await nodes.get(host)?.exec(container, argv, { timeoutMs: 20_000 });
  const [, uuid = ''] = answer?.stdout.trim().split('\t') ?? [];
  if (uuid === '') throw failed(step, `${container} on ${host} does not say which history its cluster has`);
  if (uuid.toLowerCase() === own.uuid) return;
  throw failed(
    step,
    `the volume ${step.volume} has data of another history (${own.uuid}) than the cluster it would join (${uuid})`,
    'nothing of it is replaced unasked: deploy mariadb recover --accept-loss --keep-data joins it and keeps a copy',
  );
}

/**
 * Its own container, output and exit code: the log that all starts share may end with the words of another one. Whatever
 * it says is an answer; only what kept it from being asked is a failure.
 */
export async function findPosition(step: StepOf<'galera-position'>, context: StepContext): Promise<string> {
  const { node, runId, progress } = context;
  const { name, timeoutSeconds } = step;
  if ((await node.inspect(name))?.running === true) {
    progress(`waiting for the ${name} of an earlier run`);
    await node.wait(name, timeoutSeconds * 1000);
  }
  await node.remove(name);
  await node.create(name, step.spec, { ...step.labels, [label.run]: runId });
  await node.start(name);
  const code = await node.wait(name, timeoutSeconds * 1000);
  const recovered = parseRecovered(await node.logs(name, wholeOutput), code);
  await node.remove(name);
  context.onPosition?.(step.host, recovered);
  if (recovered.kind === 'failed') return `no position: ${recovered.why} (exit ${recovered.exitCode})`;
  return `${recovered.position.uuid}:${recovered.position.seqno}`;
}

/** Returns once the member is Synced in a Primary component of that many; tells what it does meanwhile. */
export async function waitUntilSynced(
  step: StepOf<'galera-synced'>,
  context: StepContext,
): Promise<string | undefined> {
  const { node, clock, progress } = context;
  const patience = new Patience(step, clock.now());
  for (;;) {
    const state = await node.inspect(step.container);
    if (state === undefined) throw failed(step, `${step.container} has gone`);
    if (state.restartCount >= restartsTolerated) throw await gaveUp(step, node, 'does not stay up');
    const said = state.running ? await ask(step.container, node) : { words: `ended with ${state.exitCode}` };
    const status = 'status' in said ? said.status : undefined;
    if (status && isJoined(status, step.members)) {
      if (step.marker) await node.writeMarker(step.marker.key, step.marker.value);
      return wordsOf(status);
    }
    const words = 'words' in said ? said.words : wordsOf(said.status);
    const synced = status !== undefined && isJoined(status, 1);
    const { tell, giveUp } = patience.look({ ...state, words, synced }, clock.now());
    if (tell) progress(tell);
    if (giveUp) throw await gaveUp(step, node, giveUp);
    await clock.sleep(lookEveryMs);
  }
}

type Status = ReadonlyMap<string, string>;

function isJoined(status: Status, members: number): boolean {
  const is = (name: string, value: string) => status.get(name) === value;
  const whole = Number(status.get('wsrep_cluster_size')) >= members;
  return (
    whole &&
    is('wsrep_cluster_status', 'Primary') &&
    is('wsrep_local_state_comment', 'Synced') &&
    is('wsrep_ready', 'ON')
  );
}

function wordsOf(status: Status): string {
  const get = (name: string) => status.get(name) ?? '';
  const size = Number(get('wsrep_cluster_size'));
  const seqno = get('wsrep_last_committed');
  const component = get('wsrep_cluster_status') === 'Primary' ? '' : `${get('wsrep_cluster_status')}, `;
  const arrived = get('wsrep_ist_receive_status');
  const ist = arrived === '' ? '' : `, IST ${arrived}`;
  return `${component}${get('wsrep_local_state_comment')}, ${size} member${size === 1 ? '' : 's'}, seqno ${seqno}${ist}`;
}

/**
 * For a shell in the container, `$1` the query: the server's answer, or where there is none what it logged last of a
 * state transfer and of its start, and how much data there is by now.
 */
const askScript = `
if mariadb --protocol=socket --connect-timeout=5 -N -B -e "$1" 2>/dev/null; then exit 0; fi
tail -n 200 /var/log/kolla/mariadb/mariadb.log 2>/dev/null |
  grep -E 'IST|SST|wsrep_sst|transfer|Selected|Shifting|starting as|Recovered position|crash recovery|no nodes coming|failed to reach primary'
du -sm /var/lib/mysql 2>/dev/null | cut -f 1
exit 1`;

const query =
  "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status','wsrep_local_state_comment','wsrep_cluster_size','wsrep_ready','wsrep_last_committed','wsrep_ist_receive_status')";

async function ask(container: string, node: NodePort): Promise<{ status: Status } | { words: string }> {
  const result = await node
    .exec(container, ['/bin/sh', '-c', askScript, 'sh', query], { timeoutMs: 30_000 })
    .catch((cause: unknown) => {
      if (aboutContainer(cause)) return undefined;
      throw cause;
    });
  if (result === undefined) return { words: 'ended, or hung, while it was asked' };
  const lines = result.stdout.trim().split('\n');
  if (result.code === 0)
    return { status: new Map(lines.map((line) => [line.split('\t')[0] ?? '', line.split('\t')[1] ?? ''])) };
  const megabytes = lines.pop() ?? '';
  const transfer = transferOf(lines);
  if (transfer) return { words: transferWords(transfer, megabytes) };
  const logged = lines
    .at(-1)
    ?.replace(/^.*?WSREP: /, '')
    .trim()
    .slice(0, 120);
  return { words: `no answer yet, ${megabytes} MB of data${logged ? `; it logged: ${logged}` : ''}` };
}

async function gaveUp(step: StepOf<'galera-synced'>, node: NodePort, message: string) {
  const log = await node
    .exec(step.container, ['tail', '-n', String(lastWords), '/var/log/kolla/mariadb/mariadb.log'])
    .catch(() => undefined);
  const words = log?.code === 0 && log.stdout !== '' ? log.stdout : await node.logs(step.container, lastWords);
  return failed(step, `${step.container} ${message}; it logged last:\n${indent(words)}`);
}
