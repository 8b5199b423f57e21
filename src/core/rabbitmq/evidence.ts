import type { HostName } from '../model/node.ts';

/**
 * What was found of one member of a RabbitMQ cluster, without changing anything. Source of what a member says of
 * itself and the others: `rabbitmqctl cluster_status`, asked on each member, because members that do not see each other
 * say different things.
 */
export type MemberEvidence =
  | { readonly kind: 'unreachable'; readonly host: HostName; readonly why: string }
  /** Its container does not run. */
  | {
      readonly kind: 'down';
      readonly host: HostName;
      /** `missing`, or the engine's word for its state. */
      readonly container: string;
    }
  /** The container runs; the broker in it does not answer, or says that it has stopped or waits. */
  | {
      readonly kind: 'silent';
      readonly host: HostName;
      readonly why: string;
      /** It said so itself: its broker does not run. */
      readonly stopped?: boolean;
    }
  | SeenMember;

export interface SeenMember {
  readonly kind: 'seen';
  readonly host: HostName;
  /** `rabbit@node1` */
  readonly node: string;
  /** `3.10.8`; empty when the member did not say. */
  readonly version: string;
  readonly erlang: string;
  /** Every member this one knows, running or not, sorted. */
  readonly known: readonly string[];
  /** Those of them that it sees running, sorted. */
  readonly running: readonly string[];
  /** Which member believes to be cut off from which. */
  readonly partitions: readonly Partition[];
  readonly alarms: readonly Alarm[];
  /** Members in maintenance mode. */
  readonly drained: readonly string[];
  readonly flags: readonly FeatureFlag[];
}

export interface Partition {
  readonly node: string;
  readonly lost: readonly string[];
}

export interface Alarm {
  readonly node: string;
  /** `memory`, `disk`, `file_descriptors` */
  readonly resource: string;
}

export interface FeatureFlag {
  readonly name: string;
  readonly state: 'enabled' | 'disabled' | 'unavailable';
  /** `required` ones are part of the version and always on. */
  readonly stability: 'stable' | 'experimental' | 'required';
}

/** One queue or stream, as the management API lists them. */
export interface QueueEvidence {
  readonly vhost: string;
  readonly name: string;
  /** `quorum`, `classic`, `stream` */
  readonly type: string;
  /** Where its leader (or the queue itself) is; empty when it has none. */
  readonly leader: string;
  /** Members that hold a copy of it, the leader included. */
  readonly replicas: readonly string[];
  /** Replicas that run and, of a mirrored queue, are in sync. */
  readonly online: readonly string[];
  /** A classic queue with mirrors, as RabbitMQ had them before 4.0. */
  readonly mirrored: boolean;
  /** Its leader has said how it does. One without a leader says nothing; one that just began has not done so yet. */
  readonly heard: boolean;
  readonly messages: number;
}

export interface ClusterEvidence {
  /** One for each host of the group, in its order. */
  readonly members: readonly MemberEvidence[];
  /** Undefined when nobody could be asked for them. */
  readonly queues?: readonly QueueEvidence[] | undefined;
}
