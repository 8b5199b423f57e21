import type { Diagnostic } from '../model/diagnostic.ts';
import { controlHost } from '../model/hook.ts';
import type { HostName } from '../model/node.ts';
import type { Step } from './steps.ts';

/** How many hosts may fail before a run starts nothing more: a number of them, or a share of the plan's in percent. */
export interface MaxFail {
  readonly amount: number;
  readonly percent: boolean;
}

/** `2`, `10%` or `0`, which stops at the first; undefined for anything else. */
export function parseMaxFail(text: string): MaxFail | undefined {
  const parts = /^(0|[1-9]\d{0,5})(%?)$/.exec(text.trim());
  if (!parts) return undefined;
  const amount = Number(parts[1]);
  const percent = parts[2] === '%';
  return percent && amount > 100 ? undefined : { amount, percent };
}

/** As it is written on a command line. */
export function maxFailText({ amount, percent }: MaxFail): string {
  return `--max-fail ${amount}${percent ? '%' : ''}`;
}

/** Hosts that may fail without an end to the run; the control host, where hooks run, counts as none of them. */
export function hostsThatMayFail({ amount, percent }: MaxFail, steps: readonly Step[]): number {
  if (!percent) return amount;
  const hosts = new Set(steps.map((step) => step.host).filter((host) => host !== controlHost));
  return Math.floor((hosts.size * amount) / 100);
}

interface Failure {
  readonly step: Pick<Step, 'host'>;
  readonly diagnostics: readonly Diagnostic[];
}

/** The host a failure is about: a step of one host can fail because of another, a load balancer's for example. */
export function failedHost({ step, diagnostics: [first] }: Failure): HostName {
  return first?.host ?? step.host;
}

/** Hosts that have failed, in the order in which they did. */
export function failedHosts(failures: readonly Failure[]): HostName[] {
  return [...new Set(failures.map(failedHost))].filter((host) => host !== controlHost);
}
