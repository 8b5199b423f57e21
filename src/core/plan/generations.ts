import type { DesiredContainer } from '../desired/model.ts';
import { formOf, generationMarkerKey } from '../model/generation.ts';
import { label, type ObservedContainer, type ObservedNode, type PinnedImage } from '../model/node.ts';
import { recordOf } from './causes.ts';
import { type ContainerVerdict, type FileChange, loadedConfigHash, previousSuffix } from './compare.ts';
import type { PlanBuilder, StepId } from './steps.ts';

/** What these questions need of a change. */
interface Subject {
  readonly container: DesiredContainer;
  readonly image: PinnedImage;
  readonly files: FileChange;
  readonly verdict: ContainerVerdict;
  readonly node: ObservedNode;
}

function formWanted({ container, files, image }: Subject): string {
  return formOf({ specHash: container.specHash, configHash: files.configHash, image });
}

/** The form of a container of ours as it runs. */
export function formOfSeen(node: ObservedNode, seen: ObservedContainer): string {
  const { [label.specHash]: specHash = '', [label.imageDigest]: digest = '' } = seen.labels;
  return formOf({ specHash, configHash: loadedConfigHash(seen, node) ?? '', image: { digest } });
}

/** Its node has the files and settings that this container runs, or ran, with. */
export function formRecorded(node: ObservedNode, seen: ObservedContainer): boolean {
  return node.markers[generationMarkerKey(seen.name)] === formOfSeen(node, seen);
}

/** Hash of the files that a container, which may have been set aside, has loaded. */
export function configSeen({ container, node }: Subject, seen: ObservedContainer): string | undefined {
  return loadedConfigHash({ ...seen, name: container.name }, node);
}

/** The wanted form has served, and its node knows what it is made of. */
export function isRecorded(subject: Subject): boolean {
  return subject.node.markers[generationMarkerKey(subject.container.name)] === formWanted(subject);
}

/** Its node has the files that this container was started with. */
export function filesRecorded(subject: Subject, seen: ObservedContainer): boolean {
  return formRecorded(subject.node, { ...seen, name: subject.container.name });
}

/** As `record`, for a container of which only the files are known: the rest of what is recorded must still hold. */
export function recordFiles(
  plan: PlanBuilder,
  base: Omit<Parameters<PlanBuilder['add']>[0], 'reason' | 'impact'>,
  receiver: { readonly seen: ObservedContainer; readonly node: ObservedNode; readonly directory: string },
  configHash: string,
): void {
  const { seen, node, directory } = receiver;
  const { [label.specHash]: specHash = '', [label.imageDigest]: digest = '' } = seen.labels;
  const value = formOf({ specHash, configHash, image: { digest } });
  const [spec, hash, image] = (node.markers[generationMarkerKey(seen.name)] ?? '').split(' ');
  if (spec !== specHash || image !== digest || hash === configHash) return;
  plan.add(
    { ...base, reason: 'it serves', impact: 'none' },
    {
      kind: 'record',
      container: seen.name,
      directory,
      generation: { configHash },
      marker: { key: generationMarkerKey(seen.name), value },
    },
    seen.name,
  );
}

export function setAside({ container, node }: Subject): ObservedContainer | undefined {
  return node.containers.find((c) => c.name === `${container.name}${previousSuffix}`);
}

/** What stands under the name was never known to serve, unlike what an interrupted run has set aside. */
export function asideIsBetter(subject: Subject): boolean {
  const aside = setAside(subject);
  const seen = subject.node.containers.find((c) => c.name === subject.container.name);
  if (aside === undefined || seen === undefined || filesRecorded(subject, seen)) return false;
  return filesRecorded(subject, aside) || seen.state !== 'running';
}

/** The container that serves again when the new one does not; none when nothing served before. */
export function oldOf(subject: Subject): ObservedContainer | undefined {
  const { container, verdict, node } = subject;
  if (verdict.kind !== 'replace') return isRecorded(subject) ? undefined : setAside(subject);
  if (asideIsBetter(subject)) return setAside(subject);
  // One that has served and stands still was stopped by a run that was interrupted then.
  return node.containers.find((c) => c.name === container.name && (c.state === 'running' || filesRecorded(subject, c)));
}

/** A replacement was interrupted before its new container was known to serve. */
export function isUnconfirmed(subject: Subject): boolean {
  return subject.verdict.kind === 'same' && oldOf(subject) !== undefined;
}

/** Notes what a container is made of once it serves, unless that is noted already. */
export function record(plan: PlanBuilder, subject: Subject, needs: readonly StepId[], reason: string): StepId[] {
  if (isRecorded(subject)) return [];
  const { container, image, files } = subject;
  const { service, host, name, directory, spec, specHash } = container;
  const generation = {
    format: 1,
    container: name,
    service,
    image,
    specHash,
    configHash: files.configHash,
    spec,
    sources: recordOf(container.sources()),
  } as const;
  const marker = { key: generationMarkerKey(name), value: formWanted(subject) };
  return [
    plan.add(
      { service, host, rollout: `${service}/${name}`, needs, reason, impact: 'none' },
      { kind: 'record', container: name, directory, generation, marker },
      name,
    ),
  ];
}
