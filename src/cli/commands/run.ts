import { resolve } from 'node:path';
import { type ExitCode, exitCode } from '../../core/model/diagnostic.ts';
import { newProgress, type RunbookProgress, type Start, startOf } from '../../core/runbook/progress.ts';
import { stateDirectory } from '../../edge/store/journal.ts';
import { openProgress, type ProgressStore } from '../../edge/store/runbook-progress.ts';
import { runStages } from '../../run/runbook.ts';
import { listenForInterrupts } from '../interrupts.ts';
import type { Invocation } from '../invocation.ts';
import type { Output } from '../output.ts';
import { type LoadedRunbook, loadRunbook } from '../runbook/load.ts';
import { checkApprovals, commandLine, type RunOptions, runOptions } from '../runbook/options.ts';
import { planRunbook } from '../runbook/plan.ts';
import { runbookPorts } from '../runbook/ports.ts';
import { unwrap } from '../site.ts';

/** Carries a runbook out from its first stage, or from where an earlier run of it stopped. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const options = runOptions(invocation);
  const { output } = invocation;
  const runbook = await loadRunbook(options.runbook, options, output);
  const store = openStore(runbook, options);
  const progress = newProgress(runbook.name, runbook.text, [runbook.variables, options.extraVars]);
  const names = runbook.stages.map(({ name }) => name);
  const start = startOf(names, progress, await store.read(), options.from);
  if (options.plan) return planRunbook(runbook, plannedStart(start, options, output), options, output);
  const { index, finished, notice } = unwrap(start, output, exitCode.badInput);
  const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  checkApprovals(runbook.stages.slice(index), options, terminal);
  if (notice !== undefined) output.note(notice);
  return carryOut({ invocation, options, output, runbook, store, progress, terminal }, { index, finished });
}

/** What was finished by one run is finished for another of the same runbook on the same site. */
function openStore(runbook: LoadedRunbook, { configdir, inventory }: RunOptions): ProgressStore {
  const identity = [runbook.file, configdir, ...inventory].map((path) => resolve(path));
  return openProgress(stateDirectory(), runbook.name, identity);
}

/** A plan is shown even when only the operator can say where a run would start: then of everything. */
function plannedStart(start: ReturnType<typeof startOf>, options: RunOptions, output: Output): Start {
  if (start.ok || options.from !== undefined) return unwrap(start, output, exitCode.badInput);
  output.diagnostics(start.diagnostics.map((d) => ({ ...d, severity: 'warning' as const })));
  return { index: 0, finished: [] };
}

type Run = Omit<Parameters<typeof runbookPorts>[0], 'interrupts'>;

async function carryOut(run: Run, { index, finished }: Start): Promise<ExitCode> {
  const { runbook, options, output, store, progress } = run;
  const interrupts = listenForInterrupts(() => output.note('the runbook stops here; once more stops at once'));
  const started = performance.now();
  try {
    // Before the first stage: a directory that cannot be written must not be found out after it.
    await store.write({ ...progress, finished } satisfies RunbookProgress);
    const ports = runbookPorts({ ...run, interrupts });
    const { code, stoppedAt } = await runStages(runbook.stages, index, finished, ports);
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    if (stoppedAt === undefined) await store.clear();
    else if (!output.json) output.note(`stopped at stage ${stoppedAt.name}; to go on: ${commandLine(options)}`);
    if (output.json) {
      output.data({ event: 'runbook', runbook: runbook.name, code, seconds, stoppedAt: stoppedAt?.name ?? null });
    } else if (stoppedAt === undefined) output.line(`\nrunbook ${runbook.name} is finished after ${seconds} s`);
    return code;
  } finally {
    interrupts.end();
  }
}
