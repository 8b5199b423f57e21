import { sha256 } from '../core/hash.ts';
import { controlHost } from '../core/model/hook.ts';
import type { DiffMode } from '../core/plan/file-diff.ts';
import type { Plan, Step } from '../core/plan/steps.ts';
import { blocksOf } from './blocks.ts';
import { causesText } from './causes-text.ts';
import { diffLines } from './diff-text.ts';
import { driftLines } from './drift-text.ts';
import { stepText } from './step-text.ts';

/**
 * The plan for people: notices, what happens to each service (changes that are alike on several hosts folded into one),
 * and at last the files. Always the same bytes.
 */
export function planText(plan: Plan, mode: DiffMode = 'changed'): string {
  const lines: string[] = [];
  for (const notice of plan.notices) lines.push(`note: ${notice}`);
  if (plan.drift.length > 0) lines.push('changed behind our back:', ...driftLines(plan.drift));
  if (plan.causes.length > 0) lines.push('because of:', ...causesText(plan.causes).map((line) => `  ${line}`));
  if (plan.steps.length === 0) return [...lines, `deploy ${plan.verb}: nothing to do`].join('\n');
  const hosts = new Set(plan.steps.map((step) => step.host).filter((host) => host !== controlHost));
  lines.push(`deploy ${plan.verb}: ${count(plan.steps.length, 'step')} on ${count(hosts.size, 'host')}`);
  const blocks = blocksOf(plan.steps);
  for (const service of new Set(blocks.map((block) => block.service))) {
    lines.push('', service);
    for (const { title, steps } of blocks.filter((block) => block.service === service)) {
      lines.push(`  ${title}`, ...steps.map((step) => `    ${step}`));
    }
  }
  const files = diffLines(plan.diffs, mode !== 'none');
  if (files.length > 0) lines.push('', 'files:', ...files);
  return lines.join('\n');
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
  if (step.kind === 'task') return { ...step, files: step.files.map(({ name }) => name) };
  if (step.kind !== 'write') return step;
  return { ...step, files: step.files.map(({ path, mode, content }) => ({ path, mode, sha256: sha256(content) })) };
}
