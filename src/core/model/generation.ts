import type { ContainerName, ContainerSpec, PinnedImage } from './node.ts';

/** What a container that serves was made of, as its node keeps it. */
export interface Generation {
  readonly format: 1;
  readonly container: ContainerName;
  readonly service: string;
  readonly image: PinnedImage;
  readonly specHash: string;
  readonly configHash: string;
  /** Secrets of its environment as plain text: the file is for root alone, and so is this value. */
  readonly spec: Omit<ContainerSpec, 'image'>;
  /** What it was made from: name → hash. */
  readonly sources: Readonly<Record<string, string>>;
  /** Id of the run that made it. */
  readonly run: string;
  /** Id of the generation before it. */
  readonly previous: string | null;
}
