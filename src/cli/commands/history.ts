import { DeployError, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import { runsOf } from '../../core/model/run-log.ts';
import { didYouMean } from '../../core/model/suggest.ts';
import { listRuns, readRun, stateDirectory } from '../../edge/store/journal.ts';
import { historyText, outcomeOf } from '../../report/history-text.ts';
import { nodeHistoryText, nodeOutcome } from '../../report/node-history-text.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { closeAll, openNodes } from '../nodes.ts';
import { loadSite } from '../site.ts';

/** Runs shown unless told otherwise. */
const shown = 20;

/** The runs this user made from this machine, or with `--node` those a node remembers; the latest first. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const { options, output } = invocation;
  const last = Number(options.last ?? shown);
  if (typeof options.node === 'string') return ofNode(options.node, last, invocation);
  const directory = stateDirectory();
  const names = (await listRuns(directory)).slice(0, last);
  const journals = (await Promise.all(names.map((name) => readRun(directory, name)))).flatMap((one) => one ?? []);
  if (output.json) {
    for (const journal of journals) output.data({ ...journal.head, outcome: outcomeOf(journal), end: journal.end });
  } else output.line(historyText(journals));
  return exitCode.ok;
}

/** What the node has written itself, whoever ran it and from wherever. */
async function ofNode(host: string, last: number, { options: raw, output }: Invocation): Promise<ExitCode> {
  const options = changeOptions(raw);
  const loaded = await loadSite(options, output);
  const hosts = [...loaded.site.inventory.hosts.keys()];
  if (!hosts.includes(host)) {
    const hint = didYouMean(host, hosts) ?? 'it must be a host of the inventory';
    throw new DeployError([error('unknown-host', `history: there is no host ${host}`, { hint })], exitCode.badInput);
  }
  const nodes = await openNodes(loaded, [host], options);
  try {
    const [node] = nodes.values();
    if (node === undefined) throw new Error(`${host} was not opened`);
    const [lines, lock] = await Promise.all([node.readRunLog(), node.lockState()]);
    const runs = runsOf(lines).slice(0, last);
    const goesOn = lock?.holder?.run;
    if (output.json) for (const one of runs) output.data({ host, ...one, outcome: nodeOutcome(one, goesOn) });
    else output.line(nodeHistoryText(host, runs, goesOn));
    return exitCode.ok;
  } finally {
    await closeAll(nodes);
  }
}
