import { setTimeout as sleep } from 'node:timers/promises';
import { DeployError, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import type { RunbookProgress } from '../../core/runbook/progress.ts';
import type { Stage, StageCommand, StageGate } from '../../core/runbook/stage.ts';
import type { ProgressStore } from '../../edge/store/runbook-progress.ts';
import { runbookEventJson, runbookEventText } from '../../report/runbook-text.ts';
import { waitForGate } from '../../run/gate.ts';
import type { RunbookPorts } from '../../run/runbook.ts';
import { confirmed } from '../carry-out.ts';
import { createClients } from '../clients.ts';
import { commands } from '../commands/registry.ts';
import type { Invocation } from '../invocation.ts';
import { closeAll, openNodes } from '../nodes.ts';
import type { Output } from '../output.ts';
import type { LoadedRunbook } from './load.ts';
import { commandLine, type RunOptions } from './options.ts';

export interface RunbookRun {
  readonly invocation: Invocation;
  readonly options: RunOptions;
  readonly output: Output;
  readonly runbook: LoadedRunbook;
  readonly store: ProgressStore;
  readonly progress: RunbookProgress;
  readonly terminal: boolean;
  /** Aborted by the operator's signal; its reason is the exit code. */
  readonly stop: AbortSignal;
}

/** The stages' commands are those of the command line, called in this process with the runbook's own options. */
export function runbookPorts(run: RunbookRun): RunbookPorts {
  const { output, runbook, store, progress, stop } = run;
  const count = runbook.stages.length;
  return {
    command: (command, confirm) => runCommand(run, command, confirm),
    confirm: (stage) => ask(run, stage, `Carry out stage ${stage.name}?`),
    approve: (stage) => approve(run, stage),
    gate: (_, gate) => checkGate(run, gate),
    remember: (finished) => store.write({ ...progress, finished }),
    interrupted: () => (stop.aborted ? (stop.reason as ExitCode) : undefined),
    now: () => performance.now(),
    onEvent: (event) => {
      if (event.event === 'stage-failed') output.diagnostics(event.diagnostics);
      if (output.json) output.data(runbookEventJson(event, count));
      else output.line(runbookEventText(event, count));
    },
  };
}

async function runCommand(
  { invocation, options, stop }: RunbookRun,
  { name, args, options: own }: StageCommand,
  confirm: () => Promise<void>,
): Promise<ExitCode> {
  const entry = commands.find((command) => command.name === name);
  if (entry === undefined) throw new Error(`there is no command ${name}`);
  const { configdir, inventory, extraVars, forks, json, knownHosts } = options;
  const { run } = await entry.load();
  const asked = async () => {
    if (stop.aborted) throw new DeployError([error('interrupted', 'interrupted before it began')], stop.reason);
    await confirm();
    return true;
  };
  const { lockWait, maxFail, skipUnreachable } = invocation.options;
  const site = { configdir, inventory, extraVars, forks, json, knownHosts, lockWait, maxFail, skipUnreachable };
  return run({ ...invocation, name, args, options: { ...site, ...own, confirm: asked } });
}

async function ask({ options }: RunbookRun, stage: Stage, question: string): Promise<void> {
  if (await confirmed(options, question)) return;
  throw new DeployError([error('declined', `stage ${stage.name} was not approved`)], exitCode.failed);
}

async function approve(run: RunbookRun, stage: Stage): Promise<'asked' | 'given'> {
  const { options, output, terminal } = run;
  const pause = stage.pause ?? '';
  if (options.approveAll || options.approve.includes(stage.name)) {
    output.note(`pause of stage ${stage.name}, approved on the command line: ${pause}`);
    return 'given';
  }
  if (!terminal) {
    const message = `stage ${stage.name} waits for approval: ${pause}`;
    const hint = `to approve: ${commandLine(options, ['--approve', stage.name])}`;
    throw new DeployError([error('needs-approval', message, { at: stage.at, hint })], exitCode.badInput);
  }
  output.note(pause);
  await ask({ ...run, options: { ...options, yes: false } }, stage, `Go on with stage ${stage.name}?`);
  return 'asked';
}

/** Asked from one node, over a connection of its own: a stage may have replaced what an earlier one led through. */
async function checkGate(run: RunbookRun, gate: StageGate): ReturnType<RunbookPorts['gate']> {
  const { runbook, options, output, stop } = run;
  output.note(`waiting for gate '${gate.name}' for at most ${gate.within} s`);
  const nodes = await openNodes(runbook.loaded, [gate.host], options);
  try {
    const node = nodes.get(gate.host);
    if (node === undefined) throw new Error(`${gate.host} was not opened`);
    const clock = { now: () => performance.now(), sleep: (ms: number) => sleep(ms) };
    const stopped = new Promise<{ ok: false; said: string }>((resolve) => {
      const end = () => resolve({ ok: false, said: 'interrupted' });
      if (stop.aborted) end();
      else stop.addEventListener('abort', end, { once: true });
    });
    return await Promise.race([waitForGate(gate, node, { clients: createClients(), clock }), stopped]);
  } finally {
    await closeAll(nodes);
  }
}
