/** A file of an image's build context, sent to the engine as it is. */
export interface ContextFile {
  /** Relative to the image's folder, with `/`. */
  readonly path: string;
  /** Permission bits, for example 0o755. */
  readonly mode: number;
  readonly content: Uint8Array;
  readonly sha256: string;
}

/** One folder `services/<service>/images/<name>/`. */
export interface ImageDefinition {
  readonly service: string;
  readonly name: string;
  /** The template; `file` is its name in diagnostics. */
  readonly dockerfile: { readonly text: string; readonly file: string };
  readonly context: readonly ContextFile[];
}

/** An image that a run may build: a definition together with the tag it is built for. */
export interface PlannedImage {
  /** `magnum-api:zed-debian-bookworm`, unique in a plan. */
  readonly key: string;
  readonly service: string;
  readonly name: string;
  readonly tag: string;
  /** Without tag: `registry:5000/deploy/magnum-api`. */
  readonly repository: string;
  /** Full name with tag, what the engine builds and pushes. */
  readonly reference: string;
  /** Asked for by the operator, not only needed as a parent. */
  readonly selected: boolean;
  /** Rendered, ending with the label that holds the content hash. */
  readonly dockerfile: string;
  /** Of the template, for errors. */
  readonly file: string;
  readonly context: readonly ContextFile[];
  /** Keys of the images named in FROM. */
  readonly parents: readonly string[];
  /** Only of an image that starts from `{{base_image}}`. */
  readonly base?: BaseImage | undefined;
  /** Of the Dockerfile, the context, all parents and the root base image. */
  readonly contentHash: string;
}

export interface BaseImage {
  readonly reference: string;
  /** `sha256:…` of the manifest in its registry, or the id in the engine; in the content hash when known. */
  readonly digest?: string | undefined;
}

export interface BuildPlan {
  /** Parents before children, otherwise by name. */
  readonly images: readonly PlannedImage[];
}

/** Label on every image we build; an image with the wanted value need not be built again. */
export const contentHashLabel = 'deploy.content-hash';
