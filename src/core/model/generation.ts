import * as z from 'zod';
import type { ContainerName, ContainerSpec, FileContent, PinnedImage } from './node.ts';
import { isSecret, Secret } from './secret.ts';

/**
 * What a container that serves was made of. Its node keeps the newest two of each container, with a copy of the
 * container's config directory, so that it can go back without asking anybody.
 */
export interface Generation {
  readonly format: 1;
  readonly container: ContainerName;
  readonly service: string;
  readonly image: PinnedImage;
  readonly specHash: string;
  readonly configHash: string;
  /** Secrets stay wrapped here; only the file on the node holds them in clear, for root alone. */
  readonly spec: Omit<ContainerSpec, 'image'>;
  /** What its files and settings were made from: name → hash. */
  readonly sources: Readonly<Record<string, string>>;
  /** Run that recorded it. */
  readonly run: string;
  /** Id of the one before; the node fills it in when it stores this one. */
  readonly previous: string | null;
}

/** A generation with the files its container's config directory held. */
export interface StoredGeneration {
  readonly generation: Generation;
  readonly files: readonly FileContent[];
}

/** A generation as a plan knows it: the run adds who recorded it, the node what was before. */
export type GenerationForm = Omit<Generation, 'run' | 'previous'>;

/** The three values that tell one form of a container from another. */
export function formOf(form: Pick<Generation, 'specHash' | 'configHash'> & { readonly image: { digest: string } }) {
  return `${form.specHash} ${form.configHash} ${form.image.digest}`;
}

/** Marker that says which form is recorded as the current one; its value is that of `formOf`. */
export function generationMarkerKey(container: ContainerName): string {
  return `generation.${container}`;
}

/** The image that a container had which is recorded, also where it is gone. */
export function recordedDigest(
  markers: Readonly<Record<string, string>>,
  container: ContainerName,
): string | undefined {
  return markers[generationMarkerKey(container)]?.split(' ')[2];
}

/** `container.json` of a generation, secrets in clear and named, so that reading it back wraps them again. */
export function encodeGeneration(generation: Generation): string {
  const environment = Object.entries(generation.spec.environment);
  const secrets = environment.flatMap(([name, value]) => (isSecret(value) ? [name] : []));
  const revealed = environment.map(([name, value]) => [name, isSecret(value) ? value.reveal() : value] as const);
  const { previous, ...rest } = generation;
  const spec = { ...generation.spec, environment: Object.fromEntries(revealed) };
  // `previous` stands last: the node that stores it writes this part itself.
  return JSON.stringify({ ...rest, spec, secrets, previous });
}

const text = z.string();
const stored = z.object({
  format: z.literal(1),
  container: text,
  service: text,
  image: z.object({ repository: text, tag: text, digest: text }),
  specHash: text,
  configHash: text,
  spec: z.object({
    name: text,
    environment: z.record(text, text),
    volumes: z.array(text),
    privileged: z.boolean(),
    capAdd: z.array(text),
    pidMode: text.optional(),
    ipcMode: text.optional(),
    healthcheck: z
      .object({ test: text, interval: z.number(), timeout: z.number(), retries: z.number(), startPeriod: z.number() })
      .optional(),
    dimensions: z.record(text, z.unknown()),
    command: z.array(text).optional(),
    restart: z.enum(['unless-stopped', 'no']),
  }),
  sources: z.record(text, text).default({}),
  secrets: z.array(text).default([]),
  run: text,
  previous: text.nullable(),
});

/** Reads what `encodeGeneration` wrote; undefined when it is something else or was cut short. */
export function decodeGeneration(json: string): Generation | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  const parsed = stored.safeParse(value);
  if (!parsed.success) return undefined;
  const { secrets, ...rest } = parsed.data;
  const environment = Object.entries(rest.spec.environment).map(
    ([name, word]) => [name, secrets.includes(name) ? new Secret(word) : word] as const,
  );
  return { ...rest, spec: { ...rest.spec, environment: Object.fromEntries(environment) } };
}
