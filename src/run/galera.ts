import { grastateToBootstrap, parseRecovered } from '../core/galera/state-files.ts';
import { transferOf, transferWords } from '../core/galera/transfer.ts';
import { label } from '../core/model/node.ts';
import type { StepOf } from '../core/plan/steps.ts';
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
export async function keepState(
  step: StepOf<'galera-state'>,
  { node, runId }: StepContext,
): Promise<string | undefined> {
  const seen = await node.readVolume(step.volume, stateFiles);
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
  const started = clock.now();
  let latest = started;
  let told = '';
  for (;;) {
    const state = await node.inspect(step.container);
    if (state === undefined) throw failed(step, `${step.container} has gone`);
    if (state.restartCount >= restartsTolerated) throw await gaveUp(step, node, 'does not stay up');
    const said = state.running ? await ask(step.container, node) : { words: `ended with ${state.exitCode}` };
    if ('status' in said && isJoined(said.status, step.members)) {
      if (step.marker) await node.writeMarker(step.marker.key, step.marker.value);
      return wordsOf(said.status);
    }
    const words = 'status' in said ? wordsOf(said.status) : said.words;
    if (words !== told) {
      latest = clock.now();
      told = words;
      progress(`${words}, after ${Math.round((latest - started) / 1000)} s`);
    }
    if (clock.now() - latest > step.patienceSeconds * 1000)
      throw await gaveUp(step, node, `is not Synced and made no progress for ${step.patienceSeconds} s: ${words}`);
    if (clock.now() - started > step.deadlineSeconds * 1000)
      throw await gaveUp(step, node, `is not Synced after ${step.deadlineSeconds} s: ${words}`);
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
  const result = await node.exec(container, ['/bin/sh', '-c', askScript, 'sh', query], { timeoutMs: 30_000 });
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
