import type { Diagnostic } from '../core/model/diagnostic.ts';
import { failedHost } from '../core/plan/max-fail.ts';
import type { Plan, Step, WayBack } from '../core/plan/steps.ts';
import { foldHosts } from './hosts.ts';
import { stepText } from './step-text.ts';

/** One step that failed, and what was not begun because of it. */
export interface FailedStep {
  readonly id: string;
  readonly host: string;
  readonly service: string;
  /** What it was to do, in words. */
  readonly text: string;
  readonly problems: readonly Pick<Diagnostic, 'message' | 'hint'>[];
  readonly notStarted: number;
}

/** `notStarted` counts steps by the id of the one that failed. */
export function failedSteps(
  failed: readonly { readonly step: Step; readonly diagnostics: readonly Diagnostic[] }[],
  notStarted: ReadonlyMap<string, number>,
): FailedStep[] {
  return failed.map((failure) => ({
    id: failure.step.id,
    host: failedHost(failure),
    service: failure.step.service,
    text: stepText(failure.step),
    problems: failure.diagnostics,
    notStarted: notStarted.get(failure.step.id) ?? 0,
  }));
}

/** Everything that failed, once more and together: by host, and hosts where the same failed as one. */
export function failuresText(failures: readonly FailedStep[]): string[] {
  const byHost = new Map<string, FailedStep[]>();
  for (const one of failures) byHost.set(one.host, [...(byHost.get(one.host) ?? []), one]);
  const alike = new Map<string, string[]>();
  for (const [host, of] of byHost) {
    const key = JSON.stringify(of.map((one) => [one.service, one.text, one.problems.map((p) => [p.message, p.hint])]));
    alike.set(key, [...(alike.get(key) ?? []), host]);
  }
  const steps = failures.length === 1 ? '1 step' : `${failures.length} steps`;
  const lines = [`${steps} failed on ${foldHosts([...byHost.keys()])}:`];
  for (const hosts of alike.values()) {
    lines.push(`  ${foldHosts(hosts)}`);
    const [first = ''] = hosts;
    for (const [i, one] of (byHost.get(first) ?? []).entries()) {
      const notStarted = hosts.reduce((sum, host) => sum + (byHost.get(host)?.[i]?.notStarted ?? 0), 0);
      lines.push(...failureLines({ ...one, notStarted }));
    }
  }
  return lines;
}

/** What a container logged is told where the step failed, and by `deploy show`; here it would bury the others. */
function failureLines({ service, text, problems, notStarted }: FailedStep): string[] {
  const said = problems.flatMap(({ message, hint }) => [firstLine(message), ...(hint === undefined ? [] : [hint])]);
  const rest =
    notStarted === 0 ? [] : [`${notStarted} ${notStarted === 1 ? 'step' : 'steps'} not started because of it`];
  return [`    ${service}: ${text}`, ...[...new Set(said), ...rest].map((line) => `      ${line}`)];
}

/** Without what a container logged last, which follows on further lines. */
export function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/; it logged last:$/, '');
}

export function failureJson({ problems, ...rest }: FailedStep): Readonly<Record<string, unknown>> {
  return { ...rest, problems: problems.map(({ message, hint }) => ({ message, hint })) };
}

interface Stopped {
  readonly left: readonly Step[];
  readonly failed: readonly { readonly step: Step }[];
  readonly reverted: readonly { readonly way: WayBack }[];
  readonly notReverted: readonly { readonly way: WayBack }[];
  readonly tooManyFailed?: readonly string[] | undefined;
}

/** Why a run that had to stop did, and what it leaves away; nothing for one that did not. */
export function stoppedText(plan: Plan, result: Stopped, option: string): string[] {
  const { tooManyFailed: hosts, left } = result;
  if (hosts === undefined || left.length === 0) return [];
  const many = hosts.length === 1 ? '1 host' : `${hosts.length} hosts`;
  const away = midway(plan, result);
  return [
    `stopped: ${many} failed (${foldHosts(hosts)}), which is more than ${option} allows; ${left.length} steps were not started`,
    ...(away.length > 0 ? [`  away until the next run, because their turn was cut short: ${away.join(', ')}`] : []),
  ];
}

/** Containers that were stopped for a successor which was not started any more. */
function midway(plan: Plan, { left, failed, reverted, notReverted }: Stopped): string[] {
  const undone = new Set([...left, ...failed.map(({ step }) => step)].map((step) => step.id));
  const back = new Set([...reverted, ...notReverted].flatMap(({ way }) => way.triggers));
  const isLeft = new Set(left.filter((step) => !back.has(step.id)).map((step) => `${step.kind} ${place(step)}`));
  return plan.steps
    .filter((step) => step.kind === 'stop' && step.aside !== undefined && !undone.has(step.id))
    .filter((step) => isLeft.has(`start ${place(step)}`))
    .map((step) => ('container' in step ? `${step.container} on ${step.host}` : step.host));
}

function place(step: Step): string {
  return `${'container' in step ? step.container : ''} ${step.host}`;
}
