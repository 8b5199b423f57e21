import type { HostName } from '../model/node.ts';
import type { Position } from './evidence.ts';

/** What the operator allows beyond what the evidence allows by itself. */
export interface DecideOptions {
  /**
   * `--from HOST --accept-loss`: this member's data is taken though others may have more. Lifts missing votes, several
   * histories and members ahead of it; never a living Primary component, two clusters, or an unreachable member that
   * is not named by `without`: it might serve clients at this moment.
   */
  readonly force?: { readonly from: HostName } | undefined;
  /**
   * `--without HOST --accept-loss`: members that count as gone if they cannot be reached, have no data or no vote. What
   * was seen of them is never passed over: one that has a vote keeps it.
   */
  readonly without?: readonly HostName[] | undefined;
  /** `--accept-loss` by itself: members whose data may hold commits of its own may join a living cluster and lose it. */
  readonly acceptLoss?: boolean | undefined;
  /** `--again`: a second recovery within the hour. */
  readonly again?: boolean | undefined;
  /** Since a recovery last formed a Primary component here; absent when it never did. */
  readonly secondsSinceLastRecovery?: number | undefined;
  /** Decision `wait` was carried out in this very recovery, and no Primary component came of it. */
  readonly waited?: boolean | undefined;
}

/** What a state transfer would replace on a member that joins. */
export type OwnData =
  /** There is none. */
  | 'nothing'
  /** Galera itself notes there that it is no copy of any history, or a state transfer into it was cut off. */
  | 'no-history'
  /** The same history, and not ahead of what it joins. */
  | 'older'
  /**
   * The same history by grastate.dat; how far it goes cannot be found out. Where recovering it failed the server does not
   * start on it either: its data directory has to be set aside.
   */
  | 'unreadable'
  /** The same history, with commits that what it joins does not have. */
  | 'ahead'
  | 'foreign'
  /** Not even the history is known. */
  | 'unknown';

/** A member that is to join, and what that costs. */
export interface Joiner {
  readonly host: HostName;
  /** `restart`: it runs, and has left the group for good. */
  readonly how: 'start' | 'restart';
  readonly own: OwnData;
  /** True when its data may hold commits that nobody else has. */
  readonly loss: boolean;
  readonly position?: Position | undefined;
  /** No server starts on its data, so that a state transfer never begins while it lies there. */
  readonly startsNot?: boolean | undefined;
}

export type Rule =
  | 'primary-lives'
  | 'all-synced'
  | 'state-transfer'
  | 'starting'
  | 'cut-off-from-primary'
  | 'stranger'
  | 'left-out'
  | 'no-data-anywhere'
  | 'common-view'
  | 'not-answering'
  | 'left-the-group'
  | 'position-unknown'
  | 'one-view'
  | 'no-pc-bootstrap'
  | 'not-where-it-stands'
  | 'safe-flag'
  | 'most-advanced'
  | 'tie'
  | 'only-member'
  | 'forced';

/** One step of the way to a decision: which rule, because of whom. */
export interface Reason {
  readonly rule: Rule;
  readonly members: readonly HostName[];
}

export type RefusalCode =
  /** Two living Primary components of different histories. No option lifts it. */
  | 'two-clusters'
  /** Members of one history say they are Primary and do not agree on the view: a split brain, or a view that changes. */
  | 'two-components'
  /** `--from` although a Primary component lives. */
  | 'primary-lives'
  | 'missing-evidence'
  | 'histories-differ'
  | 'split'
  | 'nobody-votes'
  | 'from-unusable'
  | 'would-lose'
  | 'too-soon'
  | 'no-members';

export interface Refusal {
  readonly kind: 'refuse';
  readonly code: RefusalCode;
  readonly who: readonly HostName[];
  readonly message: string;
  /** What to do, or to type. */
  readonly hint: string;
  /** Options that lift it, as data; absent when none does. */
  readonly lift?:
    | {
        /** Members that could be named by `--from`, the most advanced first. */
        readonly from?: readonly HostName[] | undefined;
        readonly without?: readonly HostName[] | undefined;
        readonly acceptLoss?: true | undefined;
        readonly again?: true | undefined;
      }
    | undefined;
}

/** Forms a Primary component out of one member's data. `order` then joins it one by one. */
interface Forming {
  readonly host: HostName;
  /** Absent only when forced. */
  readonly position?: Position | undefined;
  /** The only one that has the data when the first of `order` joins. */
  readonly donor: HostName;
  readonly order: readonly Joiner[];
}

/** What one has to do about a cluster, and nothing else; `needs-positions`, `stop` and `wait` end in another look. */
export type Decision = { readonly reasons: readonly Reason[] } & (
  | { readonly kind: 'healthy' }
  | {
      readonly kind: 'rejoin';
      /** First wait until these are Synced: they join, donate, start or are cut off by the network. None is touched. */
      readonly waitFor: readonly HostName[];
      /** Then one by one, the most advanced first. */
      readonly order: readonly Joiner[];
      /** Synced members, the one that clients most likely write to last. */
      readonly donors: readonly HostName[];
      /** Not started: their data may hold commits that nobody else has. `--accept-loss` moves them to `order`. */
      readonly held: readonly Joiner[];
    }
  /** Galera forms the Primary component by itself once all of its last view are back: start these, together, as usual. */
  | { readonly kind: 'wait'; readonly start: readonly HostName[]; readonly view: string }
  /** Sets pc.bootstrap at run time; `view` are the members that become Primary with it. Only before MariaDB 11.2. */
  | ({ readonly kind: 'pc-bootstrap'; readonly view: readonly HostName[] } & Forming)
  /** Nobody runs. */
  | ({ readonly kind: 'bootstrap' } & Forming)
  /**
   * End these cleanly (a kill costs commits that were not yet written), then look again: what runs outside of a Primary
   * component and cannot become one where it stands leaves its position in grastate.dat that way.
   */
  | { readonly kind: 'stop'; readonly hosts: readonly HostName[] }
  | { readonly kind: 'needs-positions'; readonly hosts: readonly HostName[] }
  /** Every member was seen and none has data: there is nothing to recover, a deploy forms the first cluster. */
  | { readonly kind: 'new-cluster' }
  | Refusal
);

/** Members whose own data a state transfer may replace, also without any loss. */
export function overwritten(order: readonly Joiner[]): Joiner[] {
  return order.filter((joiner) => joiner.own !== 'nothing');
}

/** Where commits are lost if the decision is carried out: only ever after the operator said so. */
export function lossesOf(decision: Decision): Joiner[] {
  return 'order' in decision ? decision.order.filter((joiner) => joiner.loss) : [];
}
