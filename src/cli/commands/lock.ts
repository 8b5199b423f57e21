import { DeployError, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import { describeHolder } from '../../core/model/lock.ts';
import { didYouMean } from '../../core/model/suggest.ts';
import type { OpenNode } from '../../edge/node/node.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { closeAll, openNodes } from '../nodes.ts';
import type { Output } from '../output.ts';
import { loadSite, selectTarget } from '../site.ts';

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
      : await breakLocks([...nodes.values()], broken, output);
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

async function breakLocks(nodes: readonly OpenNode[], run: string, output: Output): Promise<ExitCode> {
  const broken = await Promise.all(nodes.map(async (node) => ((await node.breakLock(run)) ? [node.host] : [])));
  const hosts = broken.flat();
  if (hosts.length > 0) {
    output.line(`the lock of run ${run} was broken on ${hosts.join(', ')}`);
    return exitCode.ok;
  }
  const hint = 'deploy lock status shows which run holds which lock';
  throw new DeployError([error('not-locked', `run ${run} holds no lock on these nodes`, { hint })], exitCode.badInput);
}
