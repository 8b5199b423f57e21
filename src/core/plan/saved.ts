import * as z from 'zod';
import { error, failure, type Result, success } from '../model/diagnostic.ts';

/** Raised when a file of an older program could be misunderstood; additions that older programs may ignore do not. */
const format = 1;
const kind = 'deploy-plan';

const texts = z.record(z.string(), z.string());

/** A step as it is shown, without contents and secrets. Only what every kind of step has is named here. */
const step = z.looseObject({ id: z.string(), host: z.string(), service: z.string(), kind: z.string() });

const option = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]);

/** The command line the plan was made with, as it was understood. Paths are absolute. */
const options = z
  .object({
    configdir: z.string(),
    inventory: z.array(z.string()),
    extraVars: z.array(z.string()),
    tags: z.array(z.string()),
    skipTags: z.array(z.string()),
    limit: z.string().optional(),
  })
  .catchall(option.optional());

/** What the operator's files make of the selected services, as hashes. */
const configuration = z.strictObject({
  site: z.string(),
  hosts: z.record(
    z.string(),
    z.strictObject({
      containers: z.record(
        z.string(),
        z.strictObject({
          /** `repository:tag`; the digest lies in `digests`. */
          image: z.string(),
          spec: z.string(),
          /** Path on the node → `mode digest`. */
          files: texts,
          /** What it was made from (`var:heat_api_workers`, `override:heat.conf`) → hash. */
          sources: texts,
        }),
      ),
      /** Load balancer entries: path on the node → `mode digest`. */
      entries: texts,
    }),
  ),
  /** Service → what it has elsewhere (`databases`, `identity`, `messaging`, `run NAME`) → hash. */
  services: z.record(z.string(), texts),
});

/** What one node held of the selected services and of what they are reached through. */
const node = z.strictObject({
  containers: z.record(
    z.string(),
    z.strictObject({ id: z.string(), image: z.string(), state: z.string(), labels: texts }),
  ),
  /** Path → `mode digest`. */
  files: texts,
  markers: texts,
  volumes: z.array(z.string()),
});

/**
 * A plan in a file, made by `deploy plan VERB --out FILE` for `deploy apply FILE`. It is JSON, holds no secret, and
 * is not what is carried out: the plan is made anew from what it was made from, and must be the same.
 */
export const savedPlanSchema = z.strictObject({
  kind: z.literal(kind),
  format: z.literal(format),
  /** Version of the program that made it. */
  tool: z.string(),
  verb: z.string(),
  site: z.string(),
  options,
  /** `repository:tag` → digest the registry had for it. These are used, whatever the tag stands for meanwhile. */
  digests: texts,
  configuration,
  nodes: z.record(z.string(), node),
  steps: z.array(step),
  notices: z.array(z.string()),
});

export type SavedPlan = z.infer<typeof savedPlanSchema>;
export type SavedStep = z.infer<typeof step>;
export type ConfigurationPrint = z.infer<typeof configuration>;
export type ContainerPrint = ConfigurationPrint['hosts'][string]['containers'][string];
export type NodePrint = z.infer<typeof node>;

export function savedPlan(content: Omit<SavedPlan, 'kind' | 'format'>): SavedPlan {
  return { kind, format, ...content };
}

/** The steps of what `planJson` gives, as they are after they have been written and read. */
export function savedSteps(json: string): SavedStep[] {
  return z.object({ steps: z.array(step) }).parse(JSON.parse(json)).steps;
}

const problemsShown = 5;

/** What a file holds, or why it is not a plan that can be used: damaged, something else, of a newer program. */
export function parseSavedPlan(text: string, file: string): Result<SavedPlan> {
  const at = { file, line: 1, column: 1 };
  const refuse = (message: string, hint = 'deploy plan VERB --out FILE makes one') =>
    failure<SavedPlan>([error('saved-plan', message, { at, hint })]);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text.trimStart().startsWith('{')
      ? refuse('the saved plan is damaged: it is not complete JSON')
      : refuse('not a saved plan: the file is not JSON');
  }
  const head = z.looseObject({ kind: z.literal(kind), format: z.number() }).safeParse(value);
  if (!head.success) return refuse('not a saved plan: the file does not say that it is one');
  if (head.data.format > format) {
    const message = `the saved plan has format ${head.data.format}, this program reads format ${format}`;
    return refuse(message, 'apply it with the version of deploy that made it');
  }
  const parsed = savedPlanSchema.safeParse(value, { jitless: true });
  if (parsed.success) return success(parsed.data);
  const problems = parsed.error.issues.slice(0, problemsShown).map((issue) => {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : [];
    const where = [...issue.path, ...keys].map(String).join('.');
    return error('saved-plan', `the saved plan is damaged: ${where}: ${issue.message}`, { at });
  });
  return failure(problems);
}
