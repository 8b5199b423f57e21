import type { EvaluatedGate } from '../core/desired/gate.ts';
import type { StepOf } from '../core/plan/steps.ts';
import type { GateAnswer, NodePort } from './ports.ts';
import { failed, type RunPorts, type StepContext } from './step-context.ts';

const pauseMs = 1000;

/** Asks until the gate has passed as often in a row as it must, or its time is over; the last answer says why not. */
export async function waitForGate(
  gate: EvaluatedGate,
  node: NodePort,
  { clients, clock }: Pick<RunPorts, 'clients' | 'clock'>,
  progress: (line: string) => void = () => undefined,
): Promise<GateAnswer> {
  const end = clock.now() + gate.within * 1000;
  let passes = 0;
  for (;;) {
    const answer = await clients.checkGate(node, gate);
    passes = answer.ok ? passes + 1 : 0;
    if (passes >= gate.passes) return answer;
    if (!answer.ok) progress(answer.said);
    if (clock.now() + pauseMs > end) {
      return answer.ok ? { ok: false, said: `it passed only ${passes} of ${gate.passes} times in a row` } : answer;
    }
    await clock.sleep(pauseMs);
  }
}

/** A gate that does not pass ends the rollout there: what is done stays, the rest is not touched. */
export async function passGate(step: StepOf<'gate'>, context: StepContext): Promise<undefined> {
  const { gate, service } = step;
  const answer = await waitForGate(gate, context.node, context, (line) => context.progress(line));
  if (answer.ok) return undefined;
  throw failed(
    step,
    `the rollout of ${service} stops here: gate '${gate.name}' did not pass within ${gate.within} s: ${answer.said}`,
    `what is done stays, the rest of ${service} and what needs it were not touched: look why, then run the same command again`,
  );
}
