import type { Desired, DesiredContainer } from '../desired/model.ts';
import { type HostName, imageName, label, type ObservedNode, type PinnedImage } from '../model/node.ts';
import { compareFiles } from '../plan/compare.ts';
import { type Balancers, undrainLeft } from '../plan/drain.ts';
import { type Change, prepare, removeOld, startNew, writeFiles } from '../plan/replace.ts';
import { galeraLasting, lastingForm } from '../plan/rollout.ts';
import { type Impact, type Plan, PlanBuilder, type StepAction, type StepId } from '../plan/steps.ts';
import { type Decision, type Joiner, lossesOf } from './decision.ts';
import { keepDirectory, keptNotice } from './kept-data.ts';
import type { GaleraMember } from './member.ts';
import { isTemporary, runs } from './seen.ts';
import { clearAction, copyAction, positionAction } from './short-lived.ts';

/** A member as its node has it, and as it should be. */
export interface RecoveryMember {
  readonly place: GaleraMember;
  readonly container: DesiredContainer;
  /** What it ran with, or its siblings did. */
  readonly image: PinnedImage;
  readonly node: ObservedNode;
  /** Its server does. */
  readonly answers: boolean;
}

export interface RecoveryInput {
  readonly desired: Desired;
  /** Those that can be reached, in the inventory's order. */
  readonly members: readonly RecoveryMember[];
  /** Hosts of the whole group. */
  readonly groupHosts: readonly HostName[];
  readonly balancers: Balancers;
  readonly notices?: readonly string[] | undefined;
  /** Members whose data is copied before a state transfer may replace it. */
  readonly copies?: readonly HostName[] | undefined;
}

/** Left on every member when a recovery has formed a Primary component; the node's own clock says when. */
export const recoveredMarker = { key: 'galera.recovered', value: 'yes' } as const;

/** Galera re-forms the component within seconds once all are there; each server itself gives up after half a minute. */
const reformSeconds = 90;
/** As long as data arrives a state transfer may take. */
const transferSeconds = 24 * 3600;

/** Steps that carry a decision out; none for one that says what the operator has to do. Pure. */
export function planRecovery(decision: Decision, input: RecoveryInput): Plan {
  const recovery = new Recovery(input);
  recovery.carryOut(decision);
  const { steps, notices, waysBack } = recovery.plan;
  const told = [...(input.notices ?? []), ...notices];
  const { site } = input.desired;
  return { verb: 'mariadb recover', site, steps, notices: told, causes: [], drift: [], diffs: [], waysBack };
}

class Recovery {
  readonly plan = new PlanBuilder();
  readonly #input: RecoveryInput;

  constructor(input: RecoveryInput) {
    this.#input = input;
  }

  carryOut(decision: Decision): void {
    for (const { host } of lossesOf(decision))
      this.plan.notices.push(`commits that only ${host} has are lost: its data is replaced`);
    switch (decision.kind) {
      case 'stop':
        for (const host of decision.hosts) this.#stop(host, [], 'a clean end leaves its position in its files');
        return;
      case 'needs-positions':
        for (const host of decision.hosts) this.#position(host);
        return;
      case 'wait':
        this.#startTogether(decision.start);
        return;
      case 'rejoin':
        this.#rejoin(decision);
        return;
      case 'pc-bootstrap':
        this.#formWhereItRuns(decision);
        return;
      case 'bootstrap':
        this.#bootstrap(decision);
        return;
      case 'healthy':
        this.#lasting([], this.#running());
        return;
      default:
    }
  }

  #member(host: HostName): RecoveryMember {
    const member = this.#input.members.find(({ place }) => place.host === host);
    if (member === undefined) throw new Error(`${host} was decided about but not looked at`);
    return member;
  }

  #add(host: HostName, needs: readonly StepId[], reason: string, action: StepAction, impact: Impact = 'none'): StepId {
    const { container } = this.#member(host);
    return this.plan.add({ service: container.service, host, needs, reason, impact }, action, container.name);
  }

  #stop(host: HostName, needs: readonly StepId[], reason: string): StepId {
    const { name, rollout } = this.#member(host).container;
    const action = { kind: 'stop', container: name, graceSeconds: rollout.stop_grace } as const;
    return this.#add(host, needs, reason, action, 'replica');
  }

  #keep(host: HostName, needs: readonly StepId[], reason: string, bootstrap?: { uuid?: string | undefined }): StepId {
    const { container, place } = this.#member(host);
    const keep = keepDirectory(container.directory);
    const action = { kind: 'galera-state', container: container.name, volume: place.volume, keep, bootstrap } as const;
    return this.#add(host, needs, reason, action);
  }

  #synced(host: HostName, needs: readonly StepId[], members: number, formed = false, seconds?: number): StepId {
    const { name, rollout } = this.#member(host).container;
    return this.#add(host, needs, 'must be Synced before anything that follows', {
      kind: 'galera-synced',
      container: name,
      members,
      patienceSeconds: seconds ?? rollout.health_patience,
      deadlineSeconds: seconds ?? transferSeconds,
      marker: formed ? recoveredMarker : undefined,
    });
  }

  /** InnoDB repairs what the crash left, so copies are made first. */
  #position(host: HostName): void {
    const { container, node } = this.#member(host);
    const change = this.#change(host, '');
    const kept = this.#keep(host, [], 'finding the position repairs the data first');
    const gone = !node.containers.some(({ name }) => name === container.name);
    const written = gone ? writeFiles(this.plan, change, [], 'its server reads them') : [];
    const action = positionAction(change, this.#input.desired.site);
    this.#add(host, [kept, ...written, ...this.#pull(host)], 'its files do not say how far its data goes', action);
  }

  #startTogether(hosts: readonly HostName[]): void {
    const started = hosts.map((host) => {
      const kept = this.#keep(host, [], 'it is about to be started');
      return this.#start(host, [kept], 'the last view re-forms once all of it are there');
    });
    const waiting = this.#input.members.filter(
      ({ node, container }) => hosts.includes(container.host) || runs(node, container),
    );
    for (const { place } of waiting) this.#synced(place.host, started.flat(), waiting.length, false, reformSeconds);
  }

  #rejoin({ waitFor, order, donors, held }: Extract<Decision, { kind: 'rejoin' }>): void {
    for (const { host } of held)
      this.plan.notices.push(
        `${host} is left as it is: its data may hold commits that nobody else has (--accept-loss lets it join and lose them)`,
      );
    // Its predecessor's order to form a cluster keeps it from joining one.
    const stuck = waitFor.filter((host) => !this.#member(host).answers && this.#formsCluster(host));
    const awaited = waitFor.filter((host) => !stuck.includes(host));
    const synced = awaited.map((host) => this.#synced(host, [], donors.length));
    const joining = [...stuck.map((host) => ({ host, how: 'restart' as const })), ...order];
    const before = this.#join(joining, synced, donors.length + awaited.length, false);
    this.#lasting(before, [...donors, ...awaited, ...joining.map(({ host }) => host)]);
  }

  #formWhereItRuns({ host, view, order }: Extract<Decision, { kind: 'pc-bootstrap' }>): void {
    const { container, place } = this.#member(host);
    const why = 'no Primary component lives, and no other member can hold a later commit';
    const { server } = place;
    const action = { kind: 'galera-primary', container: container.name, server, members: view.length } as const;
    const formed = this.#add(host, [], why, action, 'service');
    const synced = view.map((one) => this.#synced(one, [formed], view.length, true));
    const before = this.#join(order, synced, view.length, true);
    this.#lasting(before, [...view, ...order.map((joiner) => joiner.host)]);
  }

  #bootstrap({ host, position, order }: Extract<Decision, { kind: 'bootstrap' }>): void {
    const allowed = this.#keep(host, [], 'forms the Primary component', { uuid: position?.uuid });
    const change = this.#change(host, 'forms the Primary component');
    const forming = prepare(this.plan, this.#input.desired.site, change, [allowed], {
      environment: { BOOTSTRAP_ARGS: '--wsrep-new-cluster' },
    });
    const started = startNew(this.plan, change, [allowed, ...forming.ids]);
    const formed = this.#synced(host, started, 1, true);
    const before = this.#join(order, [formed], 1, true);
    const joined = [host, ...order.map((joiner) => joiner.host)];
    this.#lasting(before, joined, change);
  }

  /** One at a time: the first one takes its data from a single donor, and nobody else may want it meanwhile. */
  #join(
    order: readonly (Pick<Joiner, 'host' | 'how'> & Partial<Joiner>)[],
    needs: readonly StepId[],
    members: number,
    formed: boolean,
  ): readonly StepId[] {
    let before = needs;
    let size = members;
    for (const { host, how, own, startsNot } of order) {
      const stopped = how === 'restart' ? [this.#stop(host, before, 'has left the group for good')] : [];
      const kept = this.#keep(host, [...before, ...stopped], 'a state transfer may replace its data');
      size += 1;
      const copied = this.#copy(host, [kept], own);
      const ready = startsNot ? this.#clear(host, copied) : copied;
      const started = this.#start(host, ready, `joins as the Primary component’s member ${size}`);
      before = [this.#synced(host, started, size, formed)];
    }
    return before;
  }

  /** Returns what its start waits for. */
  #copy(host: HostName, needs: readonly StepId[], own: Joiner['own'] = 'unknown'): readonly StepId[] {
    const { place, node } = this.#member(host);
    this.plan.notices.push(...keptNotice(host, place.volume, node));
    if (this.#input.copies?.includes(host) !== true) return needs;
    const action = copyAction(this.#change(host, ''), this.#input.desired.site, place.volume, own);
    return [this.#add(host, [...needs, ...this.#pull(host)], 'a state transfer may replace it', action)];
  }

  #clear(host: HostName, needs: readonly StepId[]): readonly StepId[] {
    const action = clearAction(this.#change(host, ''), this.#input.desired.site, this.#member(host).place.volume);
    return [this.#add(host, [...needs, ...this.#pull(host)], 'it gets all of it from the others', action)];
  }

  /** The same container where it is the lasting one; one that would form a cluster of its own is made anew. */
  #start(host: HostName, needs: readonly StepId[], reason: string): StepId[] {
    const { container, node } = this.#member(host);
    const seen = node.containers.find(({ name }) => name === container.name);
    const lasting = seen !== undefined && !isTemporary(seen) && seen.state !== 'created' && seen.state !== 'dead';
    const change = { ...this.#change(host, reason), pull: lasting ? undefined : this.#pull(host)[0] };
    const made = lasting ? [] : prepare(this.plan, this.#input.desired.site, change, needs).ids;
    return [this.#add(host, [...needs, ...made], reason, { kind: 'start', container: container.name })];
  }

  /** Only where no container shows that the image is there, and that its name points to it still. */
  #pull(host: HostName): StepId[] {
    const { image, node } = this.#member(host);
    const name = imageName(image);
    if (node.containers.some((c) => c.labels[label.imageDigest] === image.digest && c.image === name)) return [];
    const reason = 'perhaps not on this node any more, or not under its name';
    return this.plan.once(`${host} pull`, () => this.#add(host, [], reason, { kind: 'pull', image }));
  }

  /** A container as if there were none of its name: what stopped there makes room for it. */
  #change(host: HostName, reason: string): Change {
    const { container, image, node } = this.#member(host);
    const kept = this.#input.desired.fragmentPaths.get(host) ?? new Set<string>();
    const containers = node.containers.filter(({ name }) => name !== container.name);
    const files = compareFiles(container.directory, container.files, node.files, kept);
    return { container, image, node: { ...node, containers }, files, verdict: { kind: 'missing', reason } };
  }

  /**
   * Whoever formed a cluster, in this recovery or in one that was interrupted, gets its lasting form last, when all are
   * Synced. Alone it stays as it is: restarted, it would wait for the others.
   */
  #lasting(needs: readonly StepId[], joined: readonly HostName[], formed?: Change): void {
    const left = this.#input.members.filter(({ place, answers }) => answers && this.#formsCluster(place.host));
    const others = left.filter(({ place }) => place.host !== formed?.container.host);
    const changes = [...(formed ? [formed] : []), ...others.map(({ place }) => this.#change(place.host, ''))];
    const asTheyAre = joined.filter((host) => !changes.some(({ container }) => container.host === host));
    const whole = [...needs, ...asTheyAre.flatMap((host) => this.#tidied(host, needs))];
    const { desired, balancers, groupHosts, members } = this.#input;
    for (const change of changes) {
      const { host, name } = change.container;
      if (joined.length < 2 && groupHosts.length > 1) {
        this.plan.notices.push(
          `${name} on ${host} keeps the form in which it formed the cluster until another member has joined`,
        );
        continue;
      }
      const input = { site: desired.site, balancers, whole: true, groupHosts: joined };
      const servers = members.flatMap(({ place }) => (joined.includes(place.host) ? [place] : []));
      // Its image is the one that had the data before.
      const cluster = { site: desired.site, balancers, groupHosts, servers, upgrades: new Map() };
      const ends = galeraLasting(this.plan, input, cluster, lastingForm(change), whole);
      this.#synced(host, ends, joined.length);
    }
  }

  /** Whatever a change, or a recovery, that was interrupted has left of a member that serves again. */
  #tidied(host: HostName, needs: readonly StepId[]): StepId[] {
    removeOld(this.plan, this.#change(host, ''), needs);
    return undrainLeft(this.plan, this.#change(host, ''), this.#input.balancers, needs);
  }

  #formsCluster(host: HostName): boolean {
    const { node, container } = this.#member(host);
    return node.containers.some((seen) => seen.name === container.name && isTemporary(seen));
  }

  #running(): HostName[] {
    return this.#input.members.filter(({ node, container }) => runs(node, container)).map(({ place }) => place.host);
  }
}
