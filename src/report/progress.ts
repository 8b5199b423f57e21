import { type Diagnostic, formatDiagnostic } from '../core/model/diagnostic.ts';
import type { Step, WayBack } from '../core/plan/steps.ts';
import { failedSteps, failureJson, failuresText } from './failure-text.ts';
import { stepText } from './step-text.ts';

interface Sink {
  readonly json: boolean;
  line(text: string): void;
  data(value: unknown): void;
}

type Event =
  | { readonly event: 'started'; readonly step: Step }
  | { readonly event: 'progress'; readonly step: Step; readonly line: string }
  | { readonly event: 'done'; readonly step: Step; readonly note?: string | undefined; readonly ms: number }
  | { readonly event: 'failed'; readonly step: Step; readonly diagnostics: readonly Diagnostic[] }
  | { readonly event: 'skipped'; readonly step: Step; readonly because: string }
  | { readonly event: 'reverting' | 'reverted' | 'revert-failed'; readonly step: Step; readonly way: WayBack };

interface Result {
  readonly done: number;
  readonly failed: readonly { readonly step: Step; readonly diagnostics: readonly Diagnostic[] }[];
  readonly left: readonly Step[];
  readonly reverted?: readonly unknown[];
  readonly notReverted?: readonly unknown[];
  readonly tooManyFailed?: readonly string[] | undefined;
}

/** One line for each finished step, and at the end all failures together; with `json` one object for each event. */
export function createProgress(sink: Sink, now: () => number) {
  const started = now();
  /** Steps that were not begun, by the one that failed. */
  const notStarted = new Map<string, number>();
  const elapsed = () => `${((now() - started) / 1000).toFixed(1).padStart(6)}s`;
  return {
    event(event: Event): void {
      if (event.event === 'skipped') notStarted.set(event.because, (notStarted.get(event.because) ?? 0) + 1);
      if (sink.json) sink.data(eventJson(event));
      else {
        const text = eventText(event);
        if (text !== undefined) sink.line(`${elapsed()}  ${text}`);
      }
    },
    summary(result: Result): void {
      const seconds = Math.round((now() - started) / 100) / 10;
      const failures = failedSteps(result.failed, notStarted);
      if (sink.json) {
        sink.data({
          event: 'summary',
          done: result.done,
          failed: result.failed.length,
          left: result.left.length,
          reverted: result.reverted?.length ?? 0,
          notReverted: result.notReverted?.length ?? 0,
          seconds,
          failures: failures.map(failureJson),
          tooManyFailed: result.tooManyFailed,
        });
        return;
      }
      const { done, failed, left } = result;
      if (failures.length > 0) sink.line(['', ...failuresText(failures), ''].join('\n'));
      sink.line(`${done} steps done, ${failed.length} failed, ${left.length} not started, in ${seconds} s`);
    },
  };
}

function eventText(event: Event): string | undefined {
  const subject = `${event.step.host}  ${stepText(event.step)}`;
  if (event.event === 'done')
    return `${subject}: done${event.note ? ` (${event.note})` : ''} in ${(event.ms / 1000).toFixed(1)} s`;
  if (event.event === 'progress' && event.step.kind === 'hook') return `${event.step.name}: ${event.line}`;
  if (event.event === 'progress' && (event.step.kind === 'galera-synced' || event.step.kind === 'galera-check'))
    return `${event.step.host}  ${event.step.container}: ${event.line}`;
  if (event.event === 'failed') return `${subject}: FAILED\n${event.diagnostics.map(formatDiagnostic).join('\n')}`;
  if (event.event === 'reverting') return `${event.way.container}: going back to what served before`;
  if (event.event === 'reverted') return `${event.way.container}: put back, serves as before`;
  if (event.event === 'revert-failed') return `${event.way.container}: COULD NOT BE PUT BACK`;
  return undefined;
}

function eventJson(event: Event): unknown {
  const { step, ...more } = event;
  const rest = 'way' in more ? { event: more.event, rollout: more.way.rollout } : more;
  return { ...rest, id: step.id, host: step.host, service: step.service, kind: step.kind, text: stepText(step) };
}
