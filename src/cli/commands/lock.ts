import { DeployError, type ExitCode, error, exitCode, warning } from '../../core/model/diagnostic.ts';
import { describeHolder, type LockHolder } from '../../core/model/lock.ts';
import { didYouMean } from '../../core/model/suggest.ts';
import type { OpenNode } from '../../edge/node/node.ts';
import { openJournal, stateDirectory } from '../../edge/store/journal.ts';
import { makeRedactor } from '../../report/redact.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { holderOf, newRunId } from '../lock.ts';
import { closeAll, openNodes } from '../nodes.ts';
import type { Output } from '../output.ts';
import { type LoadedSite, loadSite, selectTarget } from '../site.ts';
import { toolVersion } from '../version.ts';

/** `status` shows who holds the locks of the selected nodes; `break --run RUN` ends the session that holds them. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const action = knownAction(invocation.args[0] ?? '');
  const options = changeOptions(invocation.options);
  const { output } = invocation;
  const broken = typeof invocation.options.run === 'string' ? invocation.options.run : undefined;
  if (action === 'break' && broken === undefined) {
    const hint = 'deploy lock status names the run';
    throw new DeployError([error('no-run', 'lock break: --run is missing', { hint })], exitCode.badInput);
  }
  const loaded = await loadSite(options, output);
  const nodes = await openNodes(loaded, selectTarget(loaded, options, output).hosts, options);
  try {
    return broken === undefined || action === 'status'
      ? await showLocks([...nodes.values()], output)
      : await breakLocks([...nodes.values()], broken, loaded, invocation);
  } finally {
    await closeAll(nodes);
  }
}

const actions = ['status', 'break'] as const;

function knownAction(name: string): (typeof actions)[number] {
  const action = actions.find((candidate) => candidate === name);
  if (action !== undefined) return action;
  const hint = didYouMean(name, actions) ?? 'deploy lock status, or deploy lock break --run RUN';
  throw new DeployError(
    [error('unknown-action', `lock: there is no ${name || 'action'}`, { hint })],
    exitCode.badInput,
  );
}

async function showLocks(nodes: readonly OpenNode[], output: Output): Promise<ExitCode> {
  const states = await Promise.all(nodes.map(async (node) => ({ host: node.host, lock: await node.lockState() })));
  if (output.json) for (const state of states) output.data(state);
  else
    for (const { host, lock } of states) output.line(`${host}: ${lock ? `held by ${describeHolder(lock)}` : 'free'}`);
  return exitCode.ok;
}

/** Journaled like a run, here and on each node: who broke whose lock where. */
async function breakLocks(
  nodes: readonly OpenNode[],
  run: string,
  { site }: LoadedSite,
  { output, argv }: Invocation,
): Promise<ExitCode> {
  const states = await Promise.all(nodes.map(async (node) => ({ node, lock: await node.lockState() })));
  const held = states.flatMap(({ node, lock }) => (lock?.holder?.run === run ? [{ node, lock }] : []));
  const [first] = held;
  if (first === undefined) {
    const hint = 'deploy lock status shows which run holds which lock';
    throw new DeployError(
      [error('not-locked', `run ${run} holds no lock on these nodes`, { hint })],
      exitCode.badInput,
    );
  }
  const me = holderOf(newRunId(), 'lock break', argv);
  const journal = journalBreak(
    me,
    run,
    site,
    held.map(({ node }) => node.host),
  );
  try {
    const entry = { event: 'lock-broken', run, user: me.user, from: me.from, version: toolVersion() } as const;
    const results = await Promise.all(
      held.map(async ({ node }) => ({ host: node.host, broken: await node.breakLock(run, entry) })),
    );
    const hosts = results.flatMap(({ host, broken }) => (broken === 'not held' ? [] : [host]));
    const unlogged = results.filter(({ broken }) => broken === 'unlogged');
    output.diagnostics(unlogged.map(({ host }) => warning('run-log', 'its log of runs does not say so', { host })));
    const said = `the lock of run ${run} was broken on ${hosts.join(', ')}`;
    journal.end(`${said}; it was held by ${describeHolder(first.lock)}`, exitCode.ok);
    output.line(said);
    return exitCode.ok;
  } catch (cause) {
    journal.end(cause instanceof Error ? cause.message : String(cause), exitCode.failed);
    throw cause;
  }
}

/** Begins an entry of its own among the journals of runs; nothing is broken that could not be noted. */
function journalBreak(me: LockHolder, broke: string, site: LoadedSite['site'], hosts: string[]) {
  const writer = openJournal(stateDirectory(), me.run, makeRedactor(site.secretValues()));
  const started = performance.now();
  const { run, verb, user, from, pid } = me;
  const repeatable = false;
  const startedAt = new Date().toISOString();
  const command = { argv: me.command.split(' ').slice(1), repeatable };
  writer.write({
    event: 'run',
    format: 1,
    run,
    verb,
    ...command,
    user,
    from,
    pid,
    site: '',
    startedAt,
    hosts,
    steps: 0,
    broke,
  });
  return {
    end(text: string, exit: ExitCode): void {
      const at = Math.round(performance.now() - started);
      writer.write({ event: 'note', at, text });
      writer.write({ event: 'end', at, exit, done: 0, failed: 0, left: 0 });
      writer.close();
    },
  };
}
