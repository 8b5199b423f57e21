import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { leftoverInput } from '../../src/cli/leftovers.ts';
import type { SelectionOptions } from '../../src/cli/options.ts';
import { type LoadedSite, programDirectory, selectTarget, type Target } from '../../src/cli/site.ts';
import { hostClaims } from '../../src/cli/survey.ts';
import { buildDesired } from '../../src/core/desired/build.ts';
import type { Desired } from '../../src/core/desired/model.ts';
import { topologicalOrder } from '../../src/core/graph/dag.ts';
import { sha256 } from '../../src/core/hash.ts';
import { DeployError, type Diagnostic, exitCode, failure, type Result } from '../../src/core/model/diagnostic.ts';
import { imageName } from '../../src/core/model/node.ts';
import type { PlanInput } from '../../src/core/plan/context.ts';
import { makePlan } from '../../src/core/plan/plan.ts';
import { type ChangeVerb, imagesToResolve, type Observed } from '../../src/core/plan/policy.ts';
import { precheck } from '../../src/core/plan/prechecks.ts';
import type { RolloutLimits } from '../../src/core/plan/rollout-limits.ts';
import type { Plan } from '../../src/core/plan/steps.ts';
import { assembleSite } from '../../src/core/site/load.ts';

const servicesDirectory = join(programDirectory, 'services');
const text = (path: string) => readFileSync(join(programDirectory, path), 'utf8');
const folders = readdirSync(servicesDirectory, { withFileTypes: true }).flatMap((e) =>
  e.isDirectory() ? [e.name] : [],
);
const shipped = {
  services: folders.map((name) => {
    const file = join(servicesDirectory, name, 'service.yml');
    return { file, text: readFileSync(file, 'utf8') };
  }),
  defaults: { file: join(servicesDirectory, 'defaults.yml'), text: text('services/defaults.yml') },
  inventory: text('inventory/all-in-one'),
  passwords: text('config/passwords.yml'),
  templates: new Map(folders.flatMap(templatesOf)),
};

function templatesOf(service: string): (readonly [string, { text: string; file: string }])[] {
  const folder = join(servicesDirectory, service, 'templates');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => {
    const file = join(folder, name);
    return [`${service}/${name}`, { text: readFileSync(file, 'utf8'), file }] as const;
  });
}

export interface SiteSettings {
  /** Lines added to globals.yml. */
  readonly globals?: string;
  readonly overrides?: Readonly<Record<string, string>>;
  readonly hosts?: readonly string[];
  /** Texts of `group_vars/<name>.yml` and `host_vars/<name>.yml`. */
  readonly groupVars?: Readonly<Record<string, string>>;
  readonly hostVars?: Readonly<Record<string, string>>;
  /** Arguments of `-e`. */
  readonly extraVars?: readonly string[];
  /** Passwords that are not `passwordOf` their name. */
  readonly passwords?: (name: string) => string | undefined;
  /** Lines added to the definition of a service, by its name. */
  readonly definitions?: Readonly<Record<string, string>>;
}

export interface Choice {
  readonly tags?: readonly string[];
  readonly skipTags?: readonly string[];
  readonly limit?: string;
  readonly prune?: boolean;
  /** Hosts that do not answer and are skipped. */
  readonly unreachable?: readonly string[];
}

/** Address of the n-th host, counted from 0. */
export function addressOf(index: number): string {
  return `192.0.2.${11 + index}`;
}

/** Password of this name in every simulated site. */
export function passwordOf(name: string): string {
  return `${name}-cänary/&"1`;
}

export const threeHosts = ['node1', 'node2', 'node3'] as const;

const baseGlobals = `
docker_registry: registry.example.org:5000
docker_namespace: deploy
kolla_internal_vip_address: 192.0.2.250
enable_magnum: true
`;

/** The shipped services on a small inventory; nothing but the operator's files is made up. */
export class SimulatedSite {
  readonly loaded: LoadedSite;
  readonly hosts: readonly string[];
  readonly #desired = new Map<string, { target: Target; desired: Desired }>();

  constructor(settings: SiteSettings = {}) {
    this.hosts = settings.hosts ?? threeHosts;
    this.loaded = load(settings, this.hosts);
  }

  /** Throws DeployError, like the command line does, when the choice or the site is at fault. */
  desired(choice: Choice = {}): { target: Target; desired: Desired; diagnostics: readonly Diagnostic[] } {
    const key = JSON.stringify(choice);
    const known = this.#desired.get(key);
    if (known) return { ...known, diagnostics: [] };
    const { loaded } = this;
    const selected = selectTarget(loaded, optionsFor(choice), silent);
    const target = { ...selected, hosts: selected.hosts.filter((host) => !choice.unreachable?.includes(host)) };
    const built = buildDesired({
      services: loaded.services,
      selection: target.selection,
      hosts: target.hosts,
      groups: new Map([...loaded.site.inventory.groups].map(([name, group]) => [name, group.hosts])),
      scope: (host) => loaded.site.scope(host),
      templates: shipped.templates,
      overrides: loaded.site.overrides,
      secrets: loaded.site.secretValues(),
    });
    const desired = must(built);
    this.#desired.set(key, { target, desired });
    return { target, desired, diagnostics: built.diagnostics };
  }

  /** As `planFor` of the command line: prechecks for a deploy, digests, plan. */
  plan(
    verb: ChangeVerb,
    observed: Observed,
    choice: Choice = {},
    digest: (image: string) => string = digestOf,
    limits: RolloutLimits = {},
    details?: PlanInput['details'],
  ): Result<Plan> {
    const { target, desired } = this.desired(choice);
    const seen = new Map([...observed].filter(([host]) => target.hosts.includes(host)));
    if (verb === 'deploy') {
      const found = precheck(desired, seen, hostClaims({ loaded: this.loaded, target }));
      if (found.some((d) => d.severity === 'error')) return failure(found);
    }
    const leftovers = leftoverInput(this.loaded, target, optionsFor(choice), choice.prune ? observed : seen);
    const images = imagesToResolve(verb, desired, seen).map(imageName);
    const digests = new Map(images.map((i) => [i, digest(i)]));
    const secrets = this.loaded.site.secretValues();
    const { unreachable } = choice;
    return makePlan({ verb, desired, observed: seen, digests, limits, leftovers, details, secrets, unreachable });
  }
}

/** What a registry would answer for this name, as long as nobody pushes anew. */
export function digestOf(image: string): string {
  return `sha256:${sha256(image)}`;
}

export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new DeployError(result.diagnostics, exitCode.failed);
  return result.value;
}

const silent = { json: false, line() {}, note() {}, data() {}, diagnostics() {}, failure() {}, redactWith() {} };

function optionsFor(choice: Choice): SelectionOptions {
  return {
    configdir: '/etc/deploy',
    inventory: [],
    extraVars: [],
    forks: 30,
    json: false,
    knownHosts: [],
    tags: choice.tags ?? [],
    skipTags: choice.skipTags ?? [],
    limit: choice.limit,
    rollout: {},
    prune: choice.prune,
  };
}

function varFiles(folder: string, texts: Readonly<Record<string, string>> = {}) {
  return Object.entries(texts).map(([name, text]) => ({ name, file: `${folder}/${name}.yml`, text }));
}

/** A key of the test's own takes the place of that in the base. */
function globalsText(own: string): string {
  const keys = new Set([...own.matchAll(/^\w+:/gm)].map(([key]) => key));
  const base = baseGlobals.split('\n').filter((line) => !keys.has(/^\w+:/.exec(line)?.[0] ?? ''));
  return `${base.join('\n')}${own}`;
}

function load(settings: SiteSettings, hosts: readonly string[]): LoadedSite {
  const lines = hosts.map((host, i) => `${host} ansible_host=${addressOf(i)}`).join('\n');
  const inventory = shipped.inventory
    .replaceAll(/^node1$/gm, hosts.join('\n'))
    .replace(/^node1 .*$/m, lines)
    .replace(/\[deployment\]\n.*\n/, '');
  const passwords = shipped.passwords.replaceAll(
    /^(\w+):.*$/gm,
    (_, name) => `${name}: '${settings.passwords?.(name) ?? passwordOf(name)}'`,
  );
  const site = must(
    assembleSite({
      configDir: '/etc/deploy',
      globals: { file: 'globals.yml', text: globalsText(settings.globals ?? '') },
      globalsD: [],
      passwords: { file: 'passwords.yml', text: passwords },
      inventories: [{ file: 'inventory', text: inventory }],
      groupVars: varFiles('group_vars', settings.groupVars),
      hostVars: varFiles('host_vars', settings.hostVars),
      defaults: shipped.defaults,
      extraVars: (settings.extraVars ?? []).map((text) => ({ kind: 'argument', text })),
      services: shipped.services.map(({ file, text }) => {
        const [added = ''] = Object.entries(settings.definitions ?? {}).flatMap(([service, lines]) =>
          file.endsWith(`/${service}/service.yml`) ? [lines] : [],
        );
        return { file, text: `${text}${added}` };
      }),
      overrides: new Map(Object.entries(settings.overrides ?? {})),
    }),
  );
  const all = [...site.services.values()];
  const enabled = all.filter((service) => site.enabled(service.definition.service));
  const edges = new Map(enabled.map(({ definition: d }) => [d.service, [...d.requires, ...d.after]] as const));
  const order = must(topologicalOrder(edges, 'services'));
  const services = order.flatMap((name) => site.services.get(name) ?? []);
  const disabled = all.filter((service) => !enabled.includes(service));
  return { site, services, disabled, inventoryFile: 'inventory' };
}
