import * as z from 'zod';
import { gateSchema } from '../schema/gate.ts';

/**
 * The shape of `playbooks/<name>.yml`: stages carried out one after another. Unknown keys are errors. Texts may hold
 * Jinja2 expressions, evaluated with the site's variables and those of the runbook before the first stage starts;
 * names of stages, `verb` and `push` may not.
 */

const text = z.string().min(1);
const expression = z.union([z.string(), z.number(), z.boolean()]);
/** A list, or one text of names separated by commas, which may come from a variable. */
const names = z.union([z.array(text), z.string()]).default([]);

const variable = z.strictObject({
  summary: text,
  /** Used when neither `-e` nor the site sets the variable; without it the variable has to be given. */
  default: expression.optional(),
});

const stage = z.strictObject({
  stage: z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'letters, digits, _, . and -'),
  /** Shown before the stage. */
  note: text.optional(),
  /** The stage is skipped when this is false. */
  when: expression.default(true),
  /** Images of these services or of these names (as for `deploy build`), built before anything else of the stage. */
  build: z.strictObject({ images: names, push: z.boolean().default(false) }).optional(),
  /** Fetches the wanted images of what the stage selects to its nodes. */
  pull: z.boolean().default(false),
  /** A command, `plan VERB` among them; without one the stage is only its other parts. */
  verb: text.optional(),
  tags: names,
  skip_tags: names,
  limit: text.optional(),
  /** Only with `plan VERB`: `empty` makes a plan with anything in it a failure. */
  expect: z.literal('empty').optional(),
  /** Asks for approval once the plan of the verb was shown, before it is carried out. */
  pause: text.optional(),
  /** Checks that must pass after the verb, one after another. */
  gate: z.array(gateSchema).default([]),
});

export const runbookSchema = z.strictObject({
  runbook: z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'letters, digits, _, . and -'),
  summary: text,
  variables: z.record(z.string().regex(/^[A-Za-z_]\w*$/, 'a name of letters, digits and _'), variable).default({}),
  stages: z.array(stage).min(1),
});

export type RunbookDefinition = z.infer<typeof runbookSchema>;
export type StageDefinition = z.infer<typeof stage>;
