import { DeployError, type Diagnostic, exitCode, warning } from '../core/model/diagnostic.ts';
import type { HostName } from '../core/model/node.ts';
import type { Step, StepId, WayBack } from '../core/plan/steps.ts';

export interface Failure {
  readonly step: Step;
  readonly diagnostics: readonly Diagnostic[];
}

/** What became of a new form that did not serve. */
export interface Outcome {
  readonly way: WayBack;
  /** The step that led there. */
  readonly because: Failure;
  /** Steps of the way back that failed; none when there was no way. */
  readonly failed: readonly Failure[];
}

/** A fault of a node or a registry says nothing about the new version. */
export function isNodeFault(cause: unknown): boolean {
  return cause instanceof DeployError && cause.exit === exitCode.nodeNotUsable;
}

const lostCodes: readonly string[] = ['connection-lost', 'no-engine', 'lock-lost'];

/** Hosts of which nobody knows any more what runs there. */
export function lostHosts(diagnostics: readonly Diagnostic[], asked: HostName): readonly HostName[] {
  return diagnostics.flatMap(({ code, host }) => (lostCodes.includes(code) ? [host ?? asked] : []));
}

/** Replicas fail for want of another host's too: of a broker, of a database, of the one that had the virtual address. */
export function notBlamed(step: Step, lost: readonly HostName[]): Diagnostic {
  return warning(
    'not-blamed',
    `${lost.join(', ')} was lost before: the new version is not blamed, nothing is put back`,
    {
      host: step.host,
      hint: `bring ${lost.join(', ')} back, then run the same command again; it goes on from here`,
    },
  );
}

/** One rollout while it is carried out: which of its steps are under way, and what made it go back. */
export class Rollout {
  readonly way: WayBack;
  /** Where its replicas are. */
  readonly hosts: ReadonlySet<HostName>;
  readonly givenUp = new AbortController();
  readonly #running = new Set<StepId>();
  #begun = false;
  #because: Failure | undefined;
  #back: Promise<void> | undefined;

  constructor(way: WayBack, hosts: ReadonlySet<HostName>) {
    this.way = way;
    this.hosts = hosts;
  }

  get because(): Failure | undefined {
    return this.#because;
  }

  /** There is something to take back. */
  get begun(): boolean {
    return this.#begun || this.way.begunBefore === true;
  }

  get running(): boolean {
    return this.#running.size > 0;
  }

  /** Carries the way back out, once, however often it is asked for. */
  back(carryOut: () => Promise<void>): Promise<void> {
    this.#back ??= carryOut();
    return this.#back;
  }

  begin(step: Step): void {
    this.#begun = true;
    this.#running.add(step.id);
  }

  end(step: Step): void {
    this.#running.delete(step.id);
  }

  /** Its other steps are not worth waiting for. */
  giveUp(because: Failure): void {
    this.#because = because;
    this.givenUp.abort();
  }
}

/** Carries out the steps of a way back as their needs allow; one that fails stops only what needs it. */
export async function goBack(
  way: WayBack,
  carryOut: (step: Step) => Promise<Failure | undefined>,
): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  const done = new Set<StepId>();
  let waiting = way.steps;
  for (;;) {
    const ready = waiting.filter((step) => step.needs.every((id) => done.has(id)));
    if (ready.length === 0) return failures;
    waiting = waiting.filter((step) => !ready.includes(step));
    const results = await Promise.all(ready.map(async (step) => ({ step, failure: await carryOut(step) })));
    for (const { step, failure } of results) {
      if (failure === undefined) done.add(step.id);
      else failures.push(failure);
    }
  }
}
