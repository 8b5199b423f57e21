import type { Secret } from './secret.ts';

export type HostName = string;
export type ContainerName = string;

/** An image reference resolved to a digest: every node gets the same bytes whatever the tag does meanwhile. */
export interface PinnedImage {
  /** `registry:5000/namespace/magnum-api` */
  readonly repository: string;
  readonly tag: string;
  /** `sha256:…` of the manifest */
  readonly digest: string;
}

export function imageName(image: { readonly repository: string; readonly tag: string }): string {
  return `${image.repository}:${image.tag}`;
}

export interface Healthcheck {
  /** Shell command run inside the container; exit 0 is healthy. */
  readonly test: string;
  /** All in seconds. */
  readonly interval: number;
  readonly timeout: number;
  readonly retries: number;
  readonly startPeriod: number;
}

/** Everything that makes a container what it is. Its canonical JSON is hashed into the label `deploy.spec-hash`. */
export interface ContainerSpec {
  readonly name: ContainerName;
  readonly image: PinnedImage;
  readonly environment: Readonly<Record<string, string | Secret>>;
  /** Docker bind strings, named volumes included. */
  readonly volumes: readonly string[];
  readonly privileged: boolean;
  readonly capAdd: readonly string[];
  readonly pidMode?: string | undefined;
  readonly ipcMode?: string | undefined;
  readonly healthcheck?: Healthcheck | undefined;
  /** Kolla's `dimensions`, handed on to the engine's HostConfig. */
  readonly dimensions: Readonly<Record<string, unknown>>;
  /** Overrides the image's CMD. */
  readonly command?: readonly string[] | undefined;
  /** Engine restart policy; `no` for one-shots. */
  readonly restart: 'unless-stopped' | 'no';
}

/** Labels on every container of ours. */
export const label = {
  service: 'deploy.service',
  container: 'deploy.container',
  site: 'deploy.site',
  specHash: 'deploy.spec-hash',
  configHash: 'deploy.config-hash',
  imageDigest: 'deploy.image-digest',
  /** `repository:tag` it was made from: the engine tells only an id once the tag points elsewhere. */
  image: 'deploy.image',
  run: 'deploy.run',
} as const;

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
export type ContainerHealth = 'none' | 'starting' | 'healthy' | 'unhealthy';

export interface ObservedContainer {
  readonly name: ContainerName;
  readonly id: string;
  /** Name the container was created from (`registry:5000/ns/magnum-api:2025.1`), or the image's id once that name is another image's. */
  readonly image: string;
  readonly state: ContainerState;
  readonly health: ContainerHealth;
  readonly labels: Readonly<Record<string, string>>;
  /** Seconds since the epoch on the node's own clock; shown, never compared with another host's. */
  readonly created: number;
  /** The engine's own words, `Up 3 minutes (healthy)`. */
  readonly status: string;
  /** Named volumes it has mounted. */
  readonly volumes?: readonly string[] | undefined;
}

/** The name a container was created from, also when that name now is another image's (as far as its labels tell). */
export function createdFrom(container: ObservedContainer): string {
  return nameless(container) ? (container.labels[label.image] ?? container.image) : container.image;
}

/** The engine tells an id in the place of a name that now points to another image, or to none. */
export function nameless(container: ObservedContainer): boolean {
  return /^(?:sha256:)?[0-9a-f]{12,64}$/.test(container.image);
}

export interface ObservedFile {
  readonly path: string;
  readonly sha256: string;
  /** Octal, `0660`. */
  readonly mode: string;
}

/** What one look at a node found. Looking changes nothing there. */
export interface ObservedNode {
  readonly host: HostName;
  readonly hostname: string;
  readonly engineVersion: string;
  readonly containers: readonly ObservedContainer[];
  /** Every regular file under the config root (`/etc/kolla`), except markers and staging. */
  readonly files: readonly ObservedFile[];
  /** Small facts left by finished steps that cannot be seen otherwise (`run.bootstrap_magnum` → hash). */
  readonly markers: Readonly<Record<string, string>>;
  /** Names of the engine's volumes. */
  readonly volumes: readonly string[];
  /** IPv4 and IPv6 addresses of all interfaces, without prefix length. */
  readonly addresses: readonly string[];
  readonly processors: number;
  readonly memoryMb: number;
  /** KiB that are free where the configuration is kept; undefined where that cannot be said. */
  readonly room?: { readonly folder: string; readonly kib: number } | undefined;
  /** Only when asked for. */
  readonly images?: readonly ObservedImage[] | undefined;
  /** Only when asked for: listening TCP sockets. */
  readonly listening?: readonly ListeningSocket[] | undefined;
}

export interface ListeningSocket {
  readonly address: string;
  readonly port: number;
  /** Id of the container whose process listens, another text for a process of the node; undefined when not known. */
  readonly owner?: string | undefined;
}

export interface ObservedImage {
  readonly id: string;
  readonly tags: readonly string[];
  /** `repository@sha256:…` */
  readonly digests: readonly string[];
}

/** A file to be put on a node. */
export interface FileContent {
  /** Absolute path on the node. */
  readonly path: string;
  readonly content: string;
  /** Octal, `0660`. */
  readonly mode: string;
}
