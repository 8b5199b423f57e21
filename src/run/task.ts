import { label } from '../core/model/node.ts';
import { isSecret } from '../core/model/secret.ts';
import type { StepOf } from '../core/plan/steps.ts';
import { failed, indent, type StepContext } from './step-context.ts';

const lookEveryMs = 1_000;
const lastWords = 20;

/**
 * Runs a container to its end and tells the last line of its output; the lines before are its progress. One that an
 * interrupted run left behind is let finish first: it may hold what this one needs.
 */
export async function runTask(step: StepOf<'task'>, context: StepContext): Promise<string | undefined> {
  const { node, runId, progress } = context;
  const { name } = step;
  if ((await node.inspect(name))?.running === true) {
    progress(`waiting for the ${name} of an earlier run`);
    await node.wait(name, step.timeoutSeconds * 1000);
  }
  await node.remove(name);
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
  const code = await ended(step, context);
  const words = (await node.logs(name, lastWords)).trimEnd();
  // With its files: one of them may hold a password.
  await node.remove(name);
  if (code !== 0) throw failed(step, `${name} ended with ${code}; it said last:\n${indent(words)}`);
  return words.split('\n').at(-1);
}

async function ended(step: StepOf<'task'>, { node, clock, progress }: StepContext): Promise<number> {
  const started = clock.now();
  let told = '';
  for (;;) {
    const state = await node.inspect(step.name);
    if (state === undefined) throw failed(step, `${step.name} has gone`, 'run the same command again');
    if (!state.running) return state.exitCode;
    const said = (await node.logs(step.name, 1)).trim();
    if (said !== told && said !== '') progress(said);
    told = said;
    if (clock.now() - started > step.timeoutSeconds * 1000) {
      await node.stop(step.name, 10);
      throw failed(step, `${step.name} did not end within ${step.timeoutSeconds} s: ${told}`);
    }
    await clock.sleep(lookEveryMs);
  }
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
