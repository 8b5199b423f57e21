import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/model/secret.ts';
import { detailsOf } from '../../src/core/plan/details.ts';
import { fileDiffs, makeComparer } from '../../src/core/plan/file-diff.ts';
import type { ChangeVerb } from '../../src/core/plan/policy.ts';
import { settingChanges } from '../../src/core/plan/settings.ts';
import type { Plan, Step } from '../../src/core/plan/steps.ts';
import { planStop } from '../../src/core/plan/teardown.ts';
import { planJson, planText } from '../../src/report/plan-text.ts';
import { carryOut, change, emptyWorld, observe, planInDetail } from '../sim/scenario.ts';
import { must, SimulatedSite } from '../sim/site.ts';

/** Everything of a plan that anybody may see, before the last line of defence. */
function outputOf(plan: Plan): string {
  return [planText(plan), JSON.stringify(planJson(plan))].join('\n');
}

/** A piece of a secret, long enough to be no accident, that the output shows. */
function leak(output: string, secret: string): string | undefined {
  for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
    for (let at = 0; at + 7 <= form.length; at++) {
      if (output.includes(form.slice(at, at + 7))) return form.slice(at, at + 7);
    }
  }
  return undefined;
}

const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ü'];
const signs = [...'!#$%&()*+,-./:;=?@[]^_{|}~'];
/** Mostly letters, as generated ones are; any sign a password may have, no blanks and quotes. */
const secret = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...letters) },
      { weight: 1, arbitrary: fc.constantFrom(...signs) },
    ),
    {
      minLength: 10,
      maxLength: 40,
    },
  )
  .map((characters) => `k${characters.join('')}`);

const name = fc.constantFrom(
  'password',
  'admin_password',
  'memcache_secret_key',
  'auth_token',
  'default_pass',
  'api_key',
);

/** Places of a secret: each gives a line for it. */
const place: fc.Arbitrary<(s: string) => string> = fc.oneof(
  fc.tuple(name, fc.constantFrom(' = ', '=', ': ')).map(
    ([key, sign]) =>
      (s: string) =>
        `${key}${sign}${s}`,
  ),
  name.map((key) => (s: string) => `# ${key} = ${s}`),
  fc.constant((s: string) => `transport_url = rabbit://openstack:${s}@192.0.2.1:5672//`),
  fc.constant((s: string) => `connection = mysql+pymysql://heat:${encodeURIComponent(s)}@192.0.2.250:3306/heat`),
  name.map((key) => (s: string) => `  {"name": "a", "${key}": ${JSON.stringify(s)}, "tags": "b"}`),
  name.map((key) => (s: string) => `run --${key}=${s} --quiet`),
  fc.constant((s: string) => `    stats auth admin:${s}`),
  fc.constant((s: string) => `backend = redis://:${s}@192.0.2.4/0`),
);

const ordinary = fc.constantFrom(
  '[DEFAULT]',
  'debug = true',
  'debug = false',
  'workers = 4',
  '',
  '# a note',
  'bind_host = 192.0.2.11',
);

interface Line {
  readonly make: (secret: string) => string;
  /** Which of the secrets. */
  readonly of: number;
}

const text = fc.array(
  fc.oneof(
    fc.record({ make: place, of: fc.nat(2) }),
    ordinary.map((line): Line => ({ make: () => line, of: 0 })),
  ),
  { maxLength: 12 },
);

function render(lines: readonly Line[], secrets: readonly string[]): string {
  return lines.map(({ make, of }) => `${make(secrets[of] ?? '')}\n`).join('');
}

const path = '/etc/kolla/web/web.conf';

function planFor(before: string, after: string, known: readonly string[]): Plan {
  const step: Step = {
    id: 'w',
    service: 'web',
    host: 'a',
    needs: [],
    reason: 'why',
    impact: 'none',
    kind: 'write',
    container: 'web',
    files: [{ path, content: after, mode: '0660' }],
    remove: [],
  };
  const details = detailsOf({ files: [path], generations: [] }, new Map([[path, before]]));
  const comparer = makeComparer(new Map([['a', details]]), known);
  const seen = { path, sha256: '', mode: '0660' };
  const node = {
    host: 'a',
    hostname: 'a',
    engineVersion: '',
    containers: [],
    files: [seen],
    markers: {},
    volumes: [],
    addresses: [],
    processors: 1,
    memoryMb: 1,
  };
  const options = comparer.compare('a', path, after)?.options ?? [];
  const reason = options.map((option) => `${option.exact} ${option.general}`).join('; ');
  const diffs = fileDiffs([step], new Map([['a', node]]), comparer);
  return {
    verb: 'reconfigure',
    site: 's',
    steps: [{ ...step, reason }],
    notices: [],
    causes: [],
    drift: [],
    diffs,
    waysBack: [],
  };
}

const overridesWith = (word: string) => ({
  'heat.conf': `[x]\nmy_token = ${word}-by-hand\ngreeting = say {{ heat_database_password }} aloud\n`,
  'galera.cnf': `[mysqld]\nwsrep_sst_auth = me:${word}-by-hand\n`,
});
const siteWith = (word: string, globals = '') =>
  new SimulatedSite({ passwords: (of) => `${of}-${word}/&1"`, overrides: overridesWith(word), globals });
const before = siteWith('Öld');
const later = siteWith('nÉw', 'openstack_logging_debug: true\n');
const world = emptyWorld(before);
await change(before, world, 'deploy');
// A cluster takes another secret only while none of its members runs.
const messaging = before.desired({ tags: ['rabbitmq'] }).desired;
await carryOut(planStop(messaging, observe(world)), world);

describe('no secret, old or new, is in a plan', () => {
  it('wherever it stands in a file', () => {
    fc.assert(
      fc.property(
        text,
        text,
        fc.array(secret, { minLength: 6, maxLength: 6 }),
        fc.boolean(),
        (was, is, secrets, known) => {
          const [old, now] = [secrets.slice(0, 3), secrets.slice(3)];
          const output = outputOf(planFor(render(was, old), render(is, now), known ? now : []));
          expect(secrets.flatMap((one) => leak(output, one) ?? [])).toEqual([]);
        },
      ),
      { numRuns: Number(process.env.PROPERTY_RUNS ?? 100) },
    );
  });

  it('as a setting of a container', () => {
    const spec = (environment: Record<string, string | Secret>) => ({
      name: 'web',
      environment,
      volumes: [],
      privileged: false,
      capAdd: [],
      dimensions: {},
      restart: 'no' as const,
    });
    fc.assert(
      fc.property(secret, secret, secret, (old, now, other) => {
        const masker = makeComparer(new Map(), [now]).masker();
        const was = spec({ OS_PASSWORD: old, PLAIN: other, http_proxy: `http://me:${old}@proxy:3128` });
        const is = spec({
          OS_PASSWORD: new Secret(now),
          PLAIN: new Secret(now),
          http_proxy: `http://me:${now}@proxy:3128`,
        });
        const output = JSON.stringify(settingChanges(was, is, masker));
        expect([old, now, other].flatMap((one) => leak(output, one) ?? [])).toEqual([]);
        expect(output.match(/‹secret› → ‹another secret›/g)?.length).toBe(old === now ? 1 : 2);
      }),
    );
  });

  it.each(['reconfigure', 'upgrade'] satisfies ChangeVerb[])(
    'when all passwords of the shipped services change: %s',
    (verb) => {
      const plan = must(planInDetail(later, world, verb));
      const output = outputOf(plan);
      expect(output).toContain('‹another secret›');
      expect(output).not.toMatch(/Öld|nÉw|%C3%96ld|n%C3%89w/);
      expect(plan.diffs.length).toBeGreaterThan(10);
    },
  );
});
