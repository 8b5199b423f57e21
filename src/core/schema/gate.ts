import * as z from 'zod';

/**
 * A gate: one check that must pass before a rollout or a runbook goes on. Exactly one of `http`, `tcp`, `sql` and
 * `command`; every value may be a Jinja2 expression, so numbers may be given as text.
 */

const text = z.string().min(1);
const whole = z.union([z.number().int().nonnegative(), text]);
const seconds = z.union([z.number().positive(), text]);

const http = z.strictObject({
  url: text,
  method: text.default('GET'),
  /** Status of the answer: one, or a list of those that are right. */
  status: z.union([whole, z.array(whole).min(1)]).default(200),
  /** Text that must be in the answer's body. */
  contains: z.union([text, z.number()]).optional(),
  headers: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  /** `keystone`: the request carries a token of the site's administrator. */
  auth: z.literal('keystone').optional(),
  /** Seconds one request may take. */
  timeout: seconds.default(10),
});

const tcp = z.strictObject({ address: text, port: whole });

const sql = z.strictObject({
  query: text,
  /** First column of the first row, as text. Without it any answer will do. */
  expect: z.union([z.string(), z.number()]).optional(),
  /** Default: the service's first database, asked as that database's own user; else none, as the administrator. */
  database: text.optional(),
});

const command = z.strictObject({
  container: text,
  argv: z.array(z.union([text, z.number()])).min(1),
  /** Exit code that means the gate passes. */
  exit: whole.default(0),
});

export const gateKinds = ['http', 'tcp', 'sql', 'command'] as const;

const kindList = gateKinds.join(', ').replace(/, ([^,]*)$/, ' or $1');

export const gateSchema = z
  .strictObject({
    name: text.optional(),
    http: http.optional(),
    tcp: tcp.optional(),
    sql: sql.optional(),
    command: command.optional(),
    /** Seconds until which it is tried again. */
    within: seconds.default(30),
    /** Times in a row it must pass. */
    passes: whole.default(1),
  })
  .superRefine((gate, context) => {
    const given = gateKinds.filter((kind) => gate[kind] !== undefined);
    if (given.length === 1) return;
    const message =
      given.length === 0
        ? `says nothing to check: give one of ${kindList}`
        : `has ${given.join(' and ')} at once: a gate is one check, make it ${given.length} gates`;
    context.addIssue({ code: 'custom', message });
  });

export const gatesSchema = z.array(gateSchema);

export type GateDefinition = z.infer<typeof gateSchema>;
export type GateKind = (typeof gateKinds)[number];

/** `magnum` → `magnum_gates`, the operator's own gates of that service. */
export function gatesVariable(service: string): string {
  return `${service.replaceAll('-', '_')}_gates`;
}
