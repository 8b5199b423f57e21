import { DeployError, type Diagnostic, type ExitCode, error, exitCode } from '../core/model/diagnostic.ts';
import { type Stage, type StageCommand, type StageGate, stageCommands } from '../core/runbook/stage.ts';
import { VariableError } from '../core/site/variable-error.ts';

export type RunbookEvent =
  | { readonly event: 'stage-started'; readonly stage: Stage }
  | { readonly event: 'stage-skipped'; readonly stage: Stage }
  | { readonly event: 'command'; readonly stage: Stage; readonly command: StageCommand }
  | { readonly event: 'gate-passed'; readonly stage: Stage; readonly gate: StageGate; readonly ms: number }
  | { readonly event: 'stage-finished'; readonly stage: Stage; readonly ms: number }
  | { readonly event: 'stage-failed'; readonly stage: Stage; readonly diagnostics: readonly Diagnostic[] };

export interface RunbookPorts {
  /**
   * Carries out a command as the command line would. `confirm` is asked after its plan was shown and before anything
   * is changed; it does not return when the answer is no.
   */
  command(command: StageCommand, confirm: () => Promise<void>): Promise<ExitCode>;
  /** Approval of a command's plan; throws DeployError when it is refused. */
  confirm(stage: Stage): Promise<void>;
  /**
   * Approval of a stage with a pause: just asked for, or given beforehand without its plan having been seen. Throws
   * DeployError when it is refused or nobody can be asked.
   */
  approve(stage: Stage): Promise<'asked' | 'given'>;
  /** Tries until the gate passes or its time is over. */
  gate(stage: Stage, gate: StageGate): Promise<{ readonly ok: true } | { readonly ok: false; readonly said: string }>;
  /** Remembers finished stages, by name, for a later run. */
  remember(finished: readonly string[]): Promise<void>;
  /** Set once the operator wants to stop. */
  interrupted(): ExitCode | undefined;
  now(): number;
  onEvent(event: RunbookEvent): void;
}

export interface RunbookResult {
  readonly code: ExitCode;
  /** Where the next run begins; undefined when all is finished. */
  readonly stoppedAt?: Stage | undefined;
}

/** Carries out the stages from `index` on, one after another; the first that fails ends the run. */
export async function runStages(
  stages: readonly Stage[],
  index: number,
  already: readonly string[],
  ports: RunbookPorts,
): Promise<RunbookResult> {
  const finished = [...already];
  for (const stage of stages.slice(index)) {
    const interrupted = ports.interrupted();
    if (interrupted !== undefined) return { code: interrupted, stoppedAt: stage };
    const code = await runStage(stage, ports);
    if (code !== exitCode.ok) return { code: ports.interrupted() ?? code, stoppedAt: stage };
    finished.push(stage.name);
    if (finished.length < stages.length) await ports.remember(finished);
  }
  return { code: exitCode.ok };
}

async function runStage(stage: Stage, ports: RunbookPorts): Promise<ExitCode> {
  if (stage.skipped) {
    ports.onEvent({ event: 'stage-skipped', stage });
    return exitCode.ok;
  }
  const started = ports.now();
  ports.onEvent({ event: 'stage-started', stage });
  try {
    const code = (await carryOut(stage, ports)) ?? (await gates(stage, ports)) ?? exitCode.ok;
    if (code === exitCode.ok) ports.onEvent({ event: 'stage-finished', stage, ms: ports.now() - started });
    else if (ports.interrupted() === undefined) ports.onEvent({ event: 'stage-failed', stage, diagnostics: [] });
    return code;
  } catch (cause) {
    const failure = cause instanceof VariableError ? new DeployError([cause.diagnostic], exitCode.badInput) : cause;
    if (!(failure instanceof DeployError)) throw cause;
    ports.onEvent({ event: 'stage-failed', stage, diagnostics: failure.diagnostics });
    return failure.exit;
  }
}

/** The commands of a stage; the code of the first that does not end well. A pause is asked for exactly once. */
async function carryOut(stage: Stage, ports: RunbookPorts): Promise<ExitCode | undefined> {
  const { build, pull, verb } = stageCommands(stage);
  for (const command of [build, pull]) {
    if (command === undefined) continue;
    const code = await runCommand(stage, command, ports, () => ports.confirm(stage));
    if (code !== exitCode.ok) return code;
  }
  let approved = stage.pause === undefined;
  if (verb !== undefined) {
    const confirm = async () => {
      const asked = !approved && (await ports.approve(stage)) === 'asked';
      approved = true;
      if (!asked) await ports.confirm(stage);
    };
    const code = await runCommand(stage, verb, ports, confirm);
    const bad = verb.name === 'plan' ? planned(stage, code) : code;
    if (bad !== exitCode.ok) return bad;
  }
  if (!approved) await ports.approve(stage);
  return undefined;
}

async function runCommand(
  stage: Stage,
  command: StageCommand,
  ports: RunbookPorts,
  confirm: () => Promise<void>,
): Promise<ExitCode> {
  ports.onEvent({ event: 'command', stage, command });
  const code = await ports.command(command, confirm);
  // A command that was told to stop may still have ended well.
  return ports.interrupted() ?? code;
}

/** A plan that finds something is no failure of a stage, unless the stage says it must not. */
function planned(stage: Stage, code: ExitCode): ExitCode {
  if (code !== exitCode.changesPending) return code;
  if (!stage.mustBeEmpty) return exitCode.ok;
  const message = `stage ${stage.name}: the plan must be empty, and something is left to do`;
  throw new DeployError([error('plan-not-empty', message, { at: stage.at })], exitCode.failed);
}

async function gates(stage: Stage, ports: RunbookPorts): Promise<ExitCode | undefined> {
  for (const gate of stage.gates) {
    const started = ports.now();
    const result = await ports.gate(stage, gate);
    const interrupted = ports.interrupted();
    if (interrupted !== undefined) return interrupted;
    if (!result.ok) {
      const message = `gate '${gate.name}' of stage ${stage.name} did not pass within ${gate.within} s: ${result.said}`;
      throw new DeployError([error('gate', message, { at: gate.at })], exitCode.failed);
    }
    ports.onEvent({ event: 'gate-passed', stage, gate, ms: ports.now() - started });
  }
  return undefined;
}
