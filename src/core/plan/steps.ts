import type { EvaluatedGate } from '../desired/gate.ts';
import type { BalancedServer, DatabaseWish, IdentityWish, MessagingWish, SharedKeysWish } from '../desired/model.ts';
import type { GaleraServer } from '../galera/member.ts';
import type { GenerationForm } from '../model/generation.ts';
import type { HookName } from '../model/hook.ts';
import type { Marker } from '../model/marker.ts';
import type { ContainerName, ContainerSpec, FileContent, Healthcheck, HostName, PinnedImage } from '../model/node.ts';
import type { PlanCause } from './causes.ts';
import type { ClusterAction } from './cluster-steps.ts';
import type { DriftEntry } from './drift.ts';

export type StepId = string;

/** What carrying a step out means for the users of the cloud. */
export type Impact = 'none' | 'replica' | 'service';

/** How many replicas are away at once, of how many there are. */
export interface Away {
  readonly count: number;
  readonly of: number;
  /** Meanwhile this container is replaced too; a new replica takes requests once none of its old ones runs. */
  readonly beside?: ContainerName | undefined;
}

interface StepBase {
  readonly id: StepId;
  readonly service: string;
  readonly host: HostName;
  /** The change it is a part of, `<service>/<container>`, which may go on on other hosts. */
  readonly rollout?: string | undefined;
  /** Steps that must have succeeded before. */
  readonly needs: readonly StepId[];
  /** Why, in words. */
  readonly reason: string;
  readonly impact: Impact;
  readonly away?: Away | undefined;
}

/** One replica as its load balancers know it. */
interface InBalancers {
  readonly container: ContainerName;
  readonly servers: readonly BalancedServer[];
  readonly balancers: readonly { readonly host: HostName; readonly container: ContainerName }[];
  /** Lies on the host while its servers are drained, so that an interrupted run's successor puts them back. */
  readonly marker: Marker;
}

/** Every effect a run can have. One executor and one way to print it for each kind. */
export type StepAction =
  | { readonly kind: 'pull'; readonly image: PinnedImage }
  | {
      readonly kind: 'write';
      readonly container: ContainerName;
      readonly files: readonly FileContent[];
      readonly remove: readonly string[];
    }
  | {
      readonly kind: 'create';
      readonly container: ContainerName;
      /** Its name until it takes over. */
      readonly as: ContainerName;
      readonly spec: ContainerSpec;
      readonly labels: Readonly<Record<string, string>>;
      /** Id of the container it takes the place of: noted beside its own, as made by a run and not by hand. */
      readonly replaces?: string | undefined;
    }
  | {
      readonly kind: 'stop';
      readonly container: ContainerName;
      readonly graceSeconds: number;
      /** Name it gets once stopped, so that its successor can take its own. */
      readonly aside?: ContainerName | undefined;
      /** A member of a RabbitMQ cluster first hands its leaders and clients over to the others. */
      readonly maintenance?: boolean | undefined;
      /** A database whose data another version is to take over is told to leave nothing undone in its files. */
      readonly cleanly?: GaleraServer['server'] | undefined;
    }
  | { readonly kind: 'start'; readonly container: ContainerName; readonly from?: ContainerName | undefined }
  | {
      readonly kind: 'healthy';
      readonly container: ContainerName;
      readonly healthcheck?: Healthcheck | undefined;
      readonly deadlineSeconds: number;
      /** Without any progress; the deadline holds also with some. */
      readonly patienceSeconds: number;
      /** The check is the one the container was created with: it may be older than the definition. */
      readonly ownCheck?: boolean | undefined;
      readonly marker?: Marker | undefined;
    }
  /** No new sessions, and those there are have ended or had their time. */
  | ({
      readonly kind: 'drain';
      readonly patienceSeconds: number;
      /** Other servers of each backend that must take requests before this one stops to. */
      readonly keep: number;
      /** A database's sessions never end by themselves: they are ended where they are idle, outside of transactions. */
      readonly sessions?: GaleraServer['server'] | undefined;
    } & InBalancers)
  /** Takes requests again. With `untold` the marker stays and says so: some load balancers could not be told. */
  | ({ readonly kind: 'undrain'; readonly untold?: string | undefined } & InBalancers)
  | { readonly kind: 'remove'; readonly container: ContainerName }
  /** Keeps what a container that serves is made of, for a way back; then the marker says so. */
  | {
      readonly kind: 'record';
      readonly container: ContainerName;
      readonly directory: string;
      /** With a config hash alone the rest is as recorded: only files have changed. */
      readonly generation: GenerationForm | { readonly configHash: string };
      readonly marker: Marker;
    }
  /** The config directory gets the files of the generation that is recorded as the current one. */
  | { readonly kind: 'restore'; readonly container: ContainerName; readonly directory: string }
  /** The container set aside takes its name back and runs; one that was not set aside yet just runs again. */
  | {
      readonly kind: 'put-back';
      readonly container: ContainerName;
      readonly previous: ContainerName;
      readonly graceSeconds: number;
    }
  | {
      readonly kind: 'reload';
      readonly container: ContainerName;
      readonly exec: readonly (readonly string[])[];
      readonly signal?: string | undefined;
      /** Config hash that is loaded afterwards. */
      readonly configHash: string;
    }
  | {
      readonly kind: 'one-shot';
      readonly name: ContainerName;
      readonly spec: ContainerSpec;
      readonly labels: Readonly<Record<string, string>>;
      readonly timeoutSeconds: number;
      readonly marker: Marker;
    }
  | { readonly kind: 'databases'; readonly wish: DatabaseWish; readonly marker: Marker }
  | { readonly kind: 'identity'; readonly wish: IdentityWish; readonly marker: Marker }
  | { readonly kind: 'messaging'; readonly wish: MessagingWish; readonly marker: Marker }
  | {
      readonly kind: 'keys';
      readonly wish: SharedKeysWish;
      /** Every host and the container (created or running) through which its volume is reached. */
      readonly holders: readonly { readonly host: HostName; readonly container: ContainerName }[];
      readonly marker: Marker;
    }
  | ClusterAction
  /** Nothing that needs it goes on before it has passed. */
  | { readonly kind: 'gate'; readonly gate: EvaluatedGate }
  /** An operator's executable on the control host; the step's service is the one it is about. */
  | {
      readonly kind: 'hook';
      readonly hook: HookName;
      readonly name: string;
      readonly path: string;
    }
  | {
      /** What `destroy` takes away beyond containers. */
      readonly kind: 'wipe';
      readonly volumes: readonly string[];
      readonly paths: readonly string[];
      readonly markers: readonly string[];
    };

export type StepKind = StepAction['kind'];
export type Step = StepBase & StepAction;
export type StepOf<K extends StepKind> = StepBase & Extract<StepAction, { kind: K }>;

/** What a plan does to one file, on all hosts where it does the same. Never holds a secret. */
export interface FileDiff {
  readonly path: string;
  /** Whose directory the file is in. */
  readonly container: ContainerName;
  readonly service: string;
  readonly hosts: readonly HostName[];
  readonly kind: 'added' | 'changed' | 'removed';
  /** Lines; 0 where the old text is not known. */
  readonly added: number;
  readonly removed: number;
  /** Unified, with masks in the places of secrets; empty for a new file and where `note` says why. */
  readonly text: string;
  readonly note?: string | undefined;
}

/** What is done at once when a new form turns out not to serve. */
export interface WayBack {
  /** Replicas that stand or fall together have one of them. */
  readonly rollout: string;
  readonly service: string;
  readonly container: ContainerName;
  /** Steps of the plan whose failure leads here. */
  readonly triggers: readonly StepId[];
  /** Another rollout that it may have run ahead of: when that one goes back, this one does too. */
  readonly follows?: string | undefined;
  /** An interrupted run has begun it: it goes back with what it follows also when no step of it was begun now. */
  readonly begunBefore?: boolean | undefined;
  readonly steps: readonly Step[];
  /** Why there is none: then there are no steps. */
  readonly impossible?: string | undefined;
}

export interface Plan {
  readonly verb: string;
  readonly site: string;
  readonly steps: readonly Step[];
  /** What the operator should know although nothing is done about it (a pending image change, a host left out). */
  readonly notices: readonly string[];
  /** Edits of the operator that led to changes of containers. */
  readonly causes: readonly PlanCause[];
  /** What changed on the nodes and not by a run. */
  readonly drift: readonly DriftEntry[];
  /** What happens to files. */
  readonly diffs: readonly FileDiff[];
  readonly waysBack: readonly WayBack[];
}

/** A plan under construction: hands out ids that depend on nothing but the input. */
export class PlanBuilder {
  readonly #steps: Step[] = [];
  readonly #ids = new Set<StepId>();
  readonly #subjects = new Map<string, StepId>();
  readonly notices: string[] = [];
  readonly waysBack: WayBack[] = [];
  readonly #prefix: string;

  /** `prefix` keeps the ids of steps apart that belong to one plan and are not built together. */
  constructor(prefix = '') {
    this.#prefix = prefix;
  }

  add(base: Omit<StepBase, 'id'>, action: StepAction, subject: string): StepId {
    const stem = `${this.#prefix}${base.service}/${base.host}/${action.kind}/${subject}`;
    let id = stem;
    for (let n = 2; this.#ids.has(id); n++) id = `${stem}#${n}`;
    this.#ids.add(id);
    this.#steps.push({ ...base, ...action, id });
    return id;
  }

  /** Makes a step wait for more. */
  delay(id: StepId, needs: readonly StepId[]): void {
    const at = this.#steps.findIndex((step) => step.id === id);
    const step = this.#steps[at];
    if (step !== undefined) this.#steps[at] = { ...step, needs: [...new Set([...step.needs, ...needs])] };
  }

  /** The step made for this subject before, or else the one made now: a directory is written once in a plan. */
  once(subject: string, make: () => StepId): StepId[] {
    const id = this.#subjects.get(subject) ?? make();
    this.#subjects.set(subject, id);
    return [id];
  }

  get steps(): readonly Step[] {
    return this.#steps;
  }
}
