import { DeployError, type Diagnostic, error, exitCode, warning } from '../core/model/diagnostic.ts';
import { type HostName, label } from '../core/model/node.ts';
import { isSecret } from '../core/model/secret.ts';
import type { StepOf } from '../core/plan/steps.ts';
import { failed, indent, type StepContext } from './step-context.ts';

const lookEveryMs = 1_000;
const lastWords = 20;
/** What it works on stays good, whenever it is killed. */
const graceSeconds = 10;

/**
 * Runs a container to its end and tells the last line of its output; the lines before are its progress. Whatever ends
 * it, it is removed with its files, as one of them may hold a password. One that an interrupted run left behind is let
 * finish first: it may hold what this one needs.
 */
export async function runTask(step: StepOf<'task'>, context: StepContext): Promise<string | undefined> {
  const { node, progress } = context;
  const { name } = step;
  try {
    if ((await node.inspect(name))?.running === true) {
      progress(`waiting for the ${name} of an earlier run`);
      await ended(step, context);
    }
    await node.remove(name);
    await begin(step, context);
    const code = await ended(step, context);
    if (code === undefined) throw failed(step, `${name} has gone`, 'run the same command again');
    const words = (await node.logs(name, lastWords)).trimEnd();
    if (code !== 0) throw failed(step, `${name} ended with ${code}; it said last:\n${indent(words)}`);
    await node.remove(name);
    return words.split('\n').at(-1);
  } catch (cause) {
    throw await cleared(step, context, cause);
  }
}

async function begin(step: StepOf<'task'>, { node, runId }: StepContext): Promise<void> {
  const { name } = step;
  await node.create(name, step.spec, { ...step.labels, [label.run]: runId });
  const files = step.files.map((file) => ({
    name: file.name,
    content: Buffer.from(isSecret(file.content) ? file.content.reveal() : file.content),
    mode: 0o600,
    uid: 0,
    gid: 0,
  }));
  await node.putFiles(name, step.directory, files);
  await node.start(name);
}

/** Its exit code, once it has ended; undefined when it has gone. */
async function ended(step: StepOf<'task'>, context: StepContext): Promise<number | undefined> {
  const { node, clock, progress, interrupted } = context;
  const started = clock.now();
  let told = '';
  for (;;) {
    const state = await node.inspect(step.name);
    if (!state?.running) return state?.exitCode;
    if (interrupted?.aborted) {
      throw failed(step, `${step.name} was ended: the run was told to stop`, 'the same command begins anew');
    }
    const said = (await node.logs(step.name, 1)).trim();
    if (said !== told && said !== '') progress(said);
    told = said;
    if (clock.now() - started > step.timeoutSeconds * 1000) {
      throw failed(step, `${step.name} did not end within ${step.timeoutSeconds} s: ${told}`);
    }
    await clock.sleep(lookEveryMs);
  }
}

/** What ended it, and that it could not be removed where that is so. */
async function cleared({ host, name }: StepOf<'task'>, { node }: StepContext, cause: unknown): Promise<unknown> {
  try {
    await node.stop(name, graceSeconds);
    await node.remove(name);
    return cause;
  } catch (problem) {
    const message = `${name} could not be removed, and may run on: ${problemsOf(problem, host)[0]?.message}`;
    const hint = `the next run waits for its end and removes it; at once: docker rm --force ${name}, as it holds a password`;
    const left = warning('task-left', message, { host, hint });
    const exit = cause instanceof DeployError ? cause.exit : exitCode.failed;
    return new DeployError([...problemsOf(cause, host), left], exit);
  }
}

function problemsOf(cause: unknown, host: HostName): readonly Diagnostic[] {
  if (cause instanceof DeployError) return cause.diagnostics;
  return [error('step-failed', cause instanceof Error ? cause.message : String(cause), { host })];
}

/** The data of a member leaves its volume, and a marker says so: what lies there afterwards is not that data. */
export async function setAside(step: StepOf<'set-aside'>, context: StepContext): Promise<string> {
  const { node } = context;
  await mustNotRun(step, context);
  const became = await node.emptyVolume(step.volume, step.keep);
  await node.writeMarker(step.marker.key, step.marker.value);
  return became === 'given up' && step.keep ? 'given up: there is no room for both' : became;
}

/** A volume gets the data of a backup; the marker says that all of it is there. */
export async function putData(step: StepOf<'put-data'>, context: StepContext): Promise<undefined> {
  const { node } = context;
  await mustNotRun(step, context);
  await node.fillVolume(step.volume, step.from);
  await node.writeMarker(step.marker.key, step.marker.value);
}

async function mustNotRun(step: StepOf<'set-aside' | 'put-data'>, { node }: StepContext): Promise<void> {
  if ((await node.inspect(step.container))?.running !== true) return;
  throw failed(step, `${step.container} runs: its data is not touched`, 'run the same command again');
}
