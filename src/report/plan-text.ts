import { sha256 } from '../core/hash.ts';
import type { Plan, Step } from '../core/plan/steps.ts';
import { stepText } from './step-text.ts';

/** The plan for people: grouped by service, the same step on several hosts folded into one line. Always the same bytes. */
export function planText(plan: Plan): string {
  const lines: string[] = [];
  for (const notice of plan.notices) lines.push(`note: ${notice}`);
  if (plan.steps.length === 0) return [...lines, `deploy ${plan.verb}: nothing to do`].join('\n');
  const hosts = new Set(plan.steps.map((step) => step.host));
  lines.push(`deploy ${plan.verb}: ${count(plan.steps.length, 'step')} on ${count(hosts.size, 'host')}`);
  for (const service of new Set(plan.steps.map((step) => step.service))) {
    lines.push('', service);
    for (const row of fold(plan.steps.filter((step) => step.service === service))) {
      const impact =
        row.step.impact === 'none' ? '' : ` [${row.step.impact === 'replica' ? 'one replica away' : 'service away'}]`;
      lines.push(`  ${row.hosts.join(', ')}: ${stepText(row.step)} (${row.step.reason})${impact}`);
    }
  }
  return lines.join('\n');
}

function fold(steps: readonly Step[]): { step: Step; hosts: string[] }[] {
  const rows = new Map<string, { step: Step; hosts: string[] }>();
  for (const step of steps) {
    const key = `${stepText(step)}\n${step.reason}`;
    const row = rows.get(key);
    if (row) row.hosts.push(step.host);
    else rows.set(key, { step, hosts: [step.host] });
  }
  return [...rows.values()];
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** The plan for programs. File contents are given by their digest: they hold secrets. */
export function planJson(plan: Plan): unknown {
  const shown = (step: Step) => ({ ...withoutContents(step), text: stepText(step) });
  const waysBack = plan.waysBack.map((way) => ({ ...way, steps: way.steps.map(shown) }));
  return { ...plan, steps: plan.steps.map(shown), waysBack };
}

function withoutContents(step: Step): object {
  if (step.kind !== 'write') return step;
  return { ...step, files: step.files.map(({ path, mode, content }) => ({ path, mode, sha256: sha256(content) })) };
}
