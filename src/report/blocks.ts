import type { Away, Step, StepKind } from '../core/plan/steps.ts';
import { foldHosts } from './hosts.ts';
import { stepText } from './step-text.ts';

/** One paragraph of a plan: what happens and why, on whatever hosts, and the steps that make it up. */
export interface Block {
  readonly service: string;
  readonly title: string;
  readonly steps: readonly string[];
}

/** The steps of one container's change on one host, in order. */
interface Segment {
  readonly at: number;
  readonly steps: Step[];
  reason: string | undefined;
  served: boolean;
}

/** What is shown together, with the place of its first step. */
interface Folded {
  readonly at: number;
  readonly service: string;
  readonly what: string;
  readonly reason: string;
  readonly segments: (readonly Step[])[];
}

/** Steps that carry the reason of their container's change; others explain themselves. */
const giveReason: readonly StepKind[] = ['write', 'create', 'start', 'reload'];
/** Steps that begin a change anew once the container serves. */
const begin: readonly StepKind[] = ['write', 'create', 'drain', 'stop', 'start', 'reload', 'galera-check', 'keys'];

/** Steps as paragraphs: changes of a container that are alike on several hosts are one, in the order they happen. */
export function blocksOf(steps: readonly Step[]): Block[] {
  const folded = new Map<string, Folded>();
  const add = (at: number, what: string, reason: string, segment: readonly Step[], alone: boolean) => {
    const [first] = segment;
    if (first === undefined) return;
    const key = JSON.stringify([first.service, what, reason, alone ? first.impact : '']);
    const known = folded.get(key);
    if (known) known.segments.push(segment);
    else folded.set(key, { at, service: first.service, what, reason, segments: [segment] });
  };
  for (const { at, steps: part, reason } of segmentsOf(steps)) {
    const what = whatOf(part);
    if (what !== undefined) add(at, what, reason ?? '', part, false);
    else for (const step of part) add(at, stepText(step), step.reason, [step], true);
  }
  return [...folded.values()].sort((a, b) => a.at - b.at).map(blockOf);
}

function segmentsOf(steps: readonly Step[]): Segment[] {
  const segments: Segment[] = [];
  const open = new Map<string, Segment>();
  for (const [at, step] of steps.entries()) {
    const key = step.rollout === undefined ? step.id : `${step.rollout} ${step.host}`;
    const gives = giveReason.includes(step.kind);
    let segment = open.get(key);
    const other = gives && segment?.reason !== undefined && segment.reason !== step.reason;
    if (segment === undefined || other || (segment.served && begin.includes(step.kind))) {
      segment = { at, steps: [], reason: undefined, served: false };
      segments.push(segment);
      open.set(key, segment);
    }
    if (gives) segment.reason = step.reason;
    if (step.kind === 'healthy' || step.kind === 'reload') segment.served = true;
    segment.steps.push(step);
  }
  return segments;
}

/** The change as a phrase, for steps that make one up; others are shown one by one. */
function whatOf(steps: readonly Step[]): string | undefined {
  const has = (kind: StepKind) => steps.some((step) => step.kind === kind);
  const container = steps.find((step) => step.rollout !== undefined)?.rollout?.split('/')[1];
  if (container === undefined || steps.length === 1) return undefined;
  if (has('create')) return `${has('stop') ? 'replace' : 'create'} ${container}`;
  if (has('start')) return `start ${container}`;
  return has('reload') ? `reload ${container}` : undefined;
}

function blockOf({ service, what, reason, segments }: Folded): Block {
  const steps = segments.flat();
  const hosts = [...new Set(steps.map((step) => step.host))];
  const whole = segments.some((segment) => segment.length > 1);
  const where = `${what} on ${foldHosts(hosts)}${whole && hosts.length > 1 ? `, ${paceOf(steps)}` : ''}`;
  const parts = [`${where}: ${reason}`, ...(costOf(steps) ?? [])];
  return { service, title: parts.join('; '), steps: whole ? stepLines(segments, hosts) : [] };
}

/** Whether one host waits for another one to serve. */
function paceOf(steps: readonly Step[]): string {
  const away = steps.find((step) => step.away !== undefined);
  const hosts = new Set(steps.map((step) => step.host)).size;
  if (away?.impact === 'service') return 'all at once';
  if (away?.away !== undefined && away.away.count < hosts) return inBatchesOf(away.away.count);
  const serving = new Map(
    steps
      .filter(({ kind }) => kind === 'healthy' || kind === 'undrain' || kind === 'rabbitmq-check')
      .map((step) => [step.id, step.host]),
  );
  // What is cleared away or noted afterwards may wait for all of them.
  const waits = steps.some(
    (step) =>
      step.kind !== 'remove' &&
      step.kind !== 'record' &&
      step.needs.some((id) => (serving.get(id) ?? step.host) !== step.host),
  );
  return waits ? inBatchesOf(1) : 'all at once';
}

function inBatchesOf(count: number): string {
  return count === 1 ? 'one after another' : `${count} at a time`;
}

function costOf(steps: readonly Step[]): string[] | undefined {
  const step = steps.find(({ impact }) => impact !== 'none');
  if (step === undefined) return undefined;
  if (step.away === undefined) return [step.impact === 'replica' ? 'one replica away' : 'service away'];
  return [step.impact === 'service' ? awayTogether(step.away) : awayInTurn(step.away)];
}

function awayTogether({ count, of }: Away): string {
  const who = of === 1 ? 'the only one' : count === of ? `all ${of}` : `${count} of ${of}`;
  return `${who} away for seconds; calls wait`;
}

function awayInTurn({ count, of, beside }: Away): string {
  const some = count >= of ? `all ${of} replicas away` : `${count} of ${of} replicas away, none below ${of - count}`;
  const text = of === 1 ? 'the only replica away for seconds' : some;
  return beside ? `${text}; begins with ${beside}, new ones take requests once none of its old ones runs` : text;
}

/** Every step once, in order, with its hosts where it does not concern all of the block's. */
function stepLines(segments: readonly (readonly Step[])[], all: readonly string[]): string[] {
  const lines: { text: string; hosts: string[] }[] = [];
  for (const segment of segments) {
    let at = -1;
    for (const step of segment) {
      const text = stepText(step);
      const known = lines.findIndex((line, index) => index > at && line.text === text);
      if (known < 0) lines.splice(at + 1, 0, { text, hosts: [] });
      at = known < 0 ? at + 1 : known;
      lines[at]?.hosts.push(step.host);
    }
  }
  return lines.map(({ text, hosts }) => (hosts.length < all.length ? `${text} (${foldHosts(hosts)})` : text));
}
