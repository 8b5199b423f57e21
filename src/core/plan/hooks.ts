import { closure, type Edges } from '../graph/dag.ts';
import { controlHost, type HookName, type Hooks } from '../model/hook.ts';
import type { Plan, Step, StepId, StepKind, StepOf } from './steps.ts';

type HookStep = StepOf<'hook'>;

/** Kinds that change nothing a service serves with. */
const harmless: ReadonlySet<StepKind> = new Set(['pull', 'gate', 'hook', 'galera-check', 'rabbitmq-check']);

/**
 * The plan with the operator's hooks in it: `pre-service` before everything of a service that changes (images may
 * come earlier), `post-service` after all of it, and a notice of those that surround the run. A service whose
 * `pre-service` fails is not touched, and neither is what requires it; nothing waits for a `post-service`.
 * @param requires services by the names of those that require them
 */
export function withHooks(plan: Plan, hooks: Hooks, requires: Edges): Plan {
  if (plan.steps.length === 0 || hooks.size === 0) return plan;
  const services = [...new Set(plan.steps.filter((step) => !harmless.has(step.kind)).map((step) => step.service))];
  const before = new Map(services.map((service) => [service, chain(hooks, 'pre-service', service)]));
  const after = new Map(services.map((service) => [service, chain(hooks, 'post-service', service)]));
  const steps = plan.steps.map((step) => {
    const gate = step.kind === 'pull' ? undefined : before.get(step.service)?.at(-1)?.id;
    return gate === undefined ? step : { ...step, needs: [...step.needs, gate] };
  });
  for (const service of services) {
    const required = [...closure(requires, [service])].flatMap((name) => before.get(name)?.at(-1)?.id ?? []);
    begin(before, service, [...required, ...pullsOf(steps, service)]);
    begin(after, service, idsOf(steps, service));
  }
  for (const service of services) begin(before, service, awaited(steps, [...before.values()].flat(), service));
  return { ...plan, steps: merge(steps, before, after), notices: [...plan.notices, ...aroundTheRun(hooks)] };
}

/** One after another, in the order they were found. */
function chain(hooks: Hooks, when: HookName, service: string): HookStep[] {
  const found = hooks.get(when) ?? [];
  const idOf = (name: string) => `${service}/${controlHost}/hook/${name}`;
  return found.map(({ name, path }, i) => {
    const previous = found[i - 1];
    return {
      id: idOf(name),
      service,
      host: controlHost,
      needs: previous ? [idOf(previous.name)] : [],
      reason: when === 'pre-service' ? `before ${service} is touched` : `after all of ${service} is done`,
      impact: 'none',
      kind: 'hook',
      hook: when,
      name,
      path,
    };
  });
}

function begin(chains: Map<string, HookStep[]>, service: string, needs: readonly StepId[]): void {
  const [first, ...rest] = chains.get(service) ?? [];
  if (first) chains.set(service, [{ ...first, needs: [...new Set([...first.needs, ...needs])] }, ...rest]);
}

function idsOf(steps: readonly Step[], service: string): StepId[] {
  return steps.filter((step) => step.service === service).map(({ id }) => id);
}

function pullsOf(steps: readonly Step[], service: string): StepId[] {
  return steps.filter((step) => step.service === service && step.kind === 'pull').map(({ id }) => id);
}

/**
 * What the steps of a service wait for outside of it, so that the hook runs when its turn comes and not at the start.
 * Left out is what itself waits for the hook: one service's load balancer entry is written before all services.
 */
function awaited(steps: readonly Step[], hooks: readonly HookStep[], service: string): StepId[] {
  const own = new Set(idsOf(steps, service));
  const first = hooks.find((hook) => hook.service === service);
  if (first === undefined) return [];
  const followers = new Map<StepId, StepId[]>();
  for (const { id, needs } of [...steps, ...hooks]) {
    for (const need of needs) followers.set(need, [...(followers.get(need) ?? []), id]);
  }
  const waiting = closure(followers, [first.id]);
  const hookIds = new Set(hooks.map(({ id }) => id));
  const outside = steps.filter((step) => own.has(step.id) && step.kind !== 'pull').flatMap((step) => step.needs);
  return [...new Set(outside)].filter((id) => !own.has(id) && !hookIds.has(id) && !waiting.has(id));
}

function merge(
  steps: readonly Step[],
  before: ReadonlyMap<string, readonly HookStep[]>,
  after: ReadonlyMap<string, readonly HookStep[]>,
): Step[] {
  const last = new Map(steps.map((step) => [step.service, step.id]));
  const begun = new Set<string>();
  return steps.flatMap((step) => {
    const { service, kind, id } = step;
    const isFirst = kind !== 'pull' && !begun.has(service);
    if (isFirst) begun.add(service);
    const hooksBefore = isFirst ? (before.get(service) ?? []) : [];
    return [...hooksBefore, step, ...(last.get(service) === id ? (after.get(service) ?? []) : [])];
  });
}

function aroundTheRun(hooks: Hooks): string[] {
  const around = { 'pre-run': 'before the first step', 'post-run': 'after the last', 'on-failure': 'if the run fails' };
  return Object.entries(around).flatMap(([name, when]) => {
    const found = hooks.get(name as HookName) ?? [];
    return found.length === 0 ? [] : [`runs ${found.map((hook) => hook.name).join(', ')} ${when}`];
  });
}
