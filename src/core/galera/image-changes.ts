import type { Desired, DesiredContainer } from '../desired/model.ts';
import { recordedDigest } from '../model/generation.ts';
import { type ContainerName, type HostName, label, type PinnedImage } from '../model/node.ts';
import { pendingMarker } from '../plan/galera-members.ts';
import type { Observed } from '../plan/policy.ts';
import type { Plan } from '../plan/steps.ts';
import { dataVolume } from './member.ts';

/** A member with data that gets an image other than the one it had. */
export interface ImageChange {
  readonly host: HostName;
  readonly container: ContainerName;
  readonly volume: string;
  /** The one it gets. */
  readonly image: PinnedImage;
  readonly runs: boolean;
}

/** What is known of a site when a plan of it is looked at. */
export interface MembersSeen {
  readonly desired: Desired;
  readonly observed: Observed;
}

/** Members of a Galera cluster that are wanted on the hosts of this survey. */
export function wantedMembers({ services }: Desired): readonly DesiredContainer[] {
  return services.flatMap(({ containers }) => containers.filter(({ rollout }) => rollout.strategy === 'galera'));
}

/** Members that get an image other than the one they have; one without data is not among them. */
export function imageChanges({ steps }: Plan, { desired, observed }: MembersSeen): readonly ImageChange[] {
  return wantedMembers(desired).flatMap(({ host, name, spec }) => {
    const create = steps.find((step) => step.kind === 'create' && step.container === name && step.host === host);
    const volume = dataVolume(spec);
    const node = observed.get(host);
    if (create?.kind !== 'create' || !node?.volumes.includes(volume)) return [];
    const { image } = create.spec;
    const seen = node.containers.find((container) => container.name === name);
    // Of a container that is gone the node knows the image; not whether the data went on to another one meanwhile.
    const recorded = node.markers[pendingMarker.key] === undefined ? recordedDigest(node.markers, name) : undefined;
    if ((seen ? seen.labels[label.imageDigest] : recorded) === image.digest) return [];
    return [{ host, container: name, volume, image, runs: seen?.state === 'running' }];
  });
}

/**
 * A member runs this image already. Then what has left the cluster before is not newer, whatever it says of itself; data
 * of another cluster is refused as it joins.
 */
export function isInUse({ digest }: PinnedImage, { desired, observed }: MembersSeen): boolean {
  return wantedMembers(desired).some(({ host, name }) =>
    observed
      .get(host)
      ?.containers.some((c) => c.name === name && c.state === 'running' && c.labels[label.imageDigest] === digest),
  );
}
