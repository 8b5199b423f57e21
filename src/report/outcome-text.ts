import type { Diagnostic } from '../core/model/diagnostic.ts';
import { imageName } from '../core/model/node.ts';
import type { Plan, Step, WayBack } from '../core/plan/steps.ts';
import { firstLine } from './failure-text.ts';

interface Failure {
  readonly step: Step;
  readonly diagnostics: readonly Diagnostic[];
}

interface Outcome {
  readonly way: WayBack;
  readonly because: Failure;
  readonly failed: readonly Failure[];
}

interface Result {
  readonly failed: readonly Failure[];
  readonly reverted: readonly Outcome[];
  readonly notReverted: readonly Outcome[];
  readonly left: readonly Step[];
}

/** The last words of a run in which something did not serve: what failed, what serves now, and what to do. */
export function outcomeText(plan: Plan, result: Result): string | undefined {
  const { reverted, notReverted, failed } = result;
  if (reverted.length + notReverted.length === 0) return undefined;
  const lines = [
    ...joined(reverted).flatMap((some) => ['', ...describe(plan, result, some, 'PUT BACK')]),
    ...joined(notReverted).flatMap((some) => ['', ...describe(plan, result, some, 'NOT PUT BACK')]),
    '',
  ];
  const causes = new Set([...reverted, ...notReverted].map(({ because }) => because.step.id));
  const others = failed.length - causes.size;
  if (others > 0) lines.push(`${others} more failed for other reasons, see above.`);
  if (notReverted.length > 0) lines.push('Look at the containers named above first: docker ps and docker logs there.');
  lines.push('Then correct the image or the configuration and run the same command again; it goes on from here.');
  return lines.join('\n');
}

/** Replicas of one container that went back for the same reason. */
type Joined = readonly [Outcome, ...Outcome[]];

function joined(outcomes: readonly Outcome[]): Joined[] {
  const groups = new Map<string, Joined>();
  for (const one of outcomes) {
    const key = `${one.way.container} ${one.because.step.id}`;
    const before = groups.get(key);
    groups.set(key, before ? [...before, one] : [one]);
  }
  return [...groups.values()];
}

function describe(plan: Plan, result: Result, some: Joined, verdict: string): string[] {
  const [{ way, because }] = some;
  const { container } = way;
  const failed = some.flatMap((one) => one.failed);
  const back = [...new Set(some.flatMap((one) => hostsOf(one.way, plan)))];
  const hosts = { back, ...others(plan, result, container, back) };
  const why = firstLine(because.diagnostics[0]?.message ?? '');
  const image = newImage(plan, container);
  const lines = [`${verdict}: ${container} on ${hosts.back.join(', ')}`, `  ${because.step.host}: ${why}`];
  if (!way.triggers.includes(because.step.id) && 'container' in because.step)
    lines.push(`  it was being replaced beside ${because.step.container}`);
  if (verdict === 'PUT BACK') lines.push(`  as before: ${hosts.back.join(', ')}, which serve with what they had`);
  else if (way.impossible !== undefined) lines.push(`  no way back: ${way.impossible}`);
  for (const { step, diagnostics } of failed) {
    lines.push(`  on the way back, ${step.host}: ${diagnostics[0]?.message.split('\n')[0] ?? ''}`);
  }
  if (hosts.untouched.length > 0) lines.push(`  not touched: ${hosts.untouched.join(', ')}`);
  if (hosts.done.length > 0) lines.push(`  new already${image}: ${hosts.done.join(', ')}`);
  return lines;
}

function hostsOf(way: WayBack, plan: Plan): string[] {
  const triggers = plan.steps.filter((step) => way.triggers.includes(step.id));
  return [...new Set(triggers.map((step) => step.host))];
}

/** The other replicas of a container: those whose turn did not come, and those that were done before. */
function others(
  plan: Plan,
  { left, failed }: Result,
  container: string,
  own: readonly string[],
): { untouched: string[]; done: string[] } {
  const steps = plan.steps.filter(
    (step) =>
      (step.kind === 'healthy' || step.kind === 'reload') && step.container === container && !own.includes(step.host),
  );
  const skipped = new Set(left.map((step) => step.id));
  const lost = new Set(failed.map(({ step }) => step.id));
  return {
    untouched: steps.filter((step) => skipped.has(step.id)).map((step) => step.host),
    done: steps.filter((step) => !skipped.has(step.id) && !lost.has(step.id)).map((step) => step.host),
  };
}

function newImage(plan: Plan, container: string): string {
  const create = plan.steps.find((step) => step.kind === 'create' && step.container === container);
  if (create?.kind !== 'create') return '';
  const name = imageName(create.spec.image);
  return ` (${name.slice(name.lastIndexOf('/') + 1)})`;
}
