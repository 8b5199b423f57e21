import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError, lastLines, run } from '../lab/command.ts';
import { labEnvironment } from '../lab/job/deploy-command.ts';
import type { Lab } from '../lab/raise.ts';
import { cloneRoot } from '../lab/settings.ts';

/** A built program with the service definitions beside it. */
export interface Product {
  readonly root: string;
}

export interface Ran {
  readonly command: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** The program as it is built in this clone. */
export function shipped(): Product {
  return { root: cloneRoot() };
}

interface Breaking {
  /** What it is compared with, where that is not the program as it is shipped. */
  readonly ground?: (root: string) => void;
  readonly broken: (root: string) => void;
}

/** What is broken on purpose, to see that the load notices. */
export const breaks = {
  /** Replicas are stopped while load balancers still send them requests. */
  drain: {
    broken: (root: string) => {
      const folder = join(root, 'dist', 'cli');
      const files = readdirSync(folder).filter((name) => name.endsWith('.js'));
      edit(
        files.map((name) => join(folder, name)),
        'drain: drainServers,',
        'drain: async () => "broken on purpose",',
      );
    },
  },
  /** New APIs beside conductors of the old release, and conductors of two releases side by side. */
  order: {
    ground: throughConductors,
    broken: (root: string) => {
      const definition = [join(root, 'services', 'magnum', 'service.yml')];
      const [conductor, api] = ['replace: [magnum_conductor]', 'replace: [magnum_api]'];
      edit(definition, `${conductor}\n  - ${api}\n    begin_early: true`, `${api}\n  - ${conductor}`);
      edit(definition, 'strategy: together', 'strategy: rolling');
    },
  },
} as const satisfies Record<string, Breaking>;

export type Break = keyof typeof breaks;

/**
 * Magnum's API as its own program `magnum-api` runs it: every object comes from a conductor, in the version the API
 * asks for. Under uwsgi it reads the database itself, and a mix of releases goes unnoticed.
 */
function throughConductors(root: string): void {
  const magnum = join(root, 'services', 'magnum');
  const script = '/usr/local/lib/kolla/wsgi/magnum-api';
  const lines = [
    'import runpy',
    `application = runpy.run_path('${script}', run_name='magnum-api')['application']`,
    'from magnum.objects import base',
    'base.MagnumObject.indirection_api = base.MagnumObjectIndirectionAPI()',
  ];
  writeFileSync(join(magnum, 'templates', 'through-conductors.py.hbs'), `${lines.join('\n')}\n`);
  edit([join(magnum, 'templates', 'magnum-api-uwsgi.ini.hbs')], script, '/etc/magnum/through_conductors.py');
  const ini = '      - template: magnum-api-uwsgi.ini.hbs';
  const file = '      - {template: through-conductors.py.hbs, dest: /etc/magnum/through_conductors.py, owner: magnum}';
  edit([join(magnum, 'service.yml')], ini, `${file}\n${ini}`);
}

/** A copy of the built program with one thing broken; it lies in the clone's `.lab/`, where its packages are found. */
export function broken(what: Break): Product {
  const root = copied(`broken-${what}`);
  ground(what)?.(root);
  breaks[what].broken(root);
  return { root };
}

/** What the broken one is compared with. */
export function unbroken(what: Break): Product {
  const change = ground(what);
  if (change === undefined) return shipped();
  const root = copied(`unbroken-${what}`);
  change(root);
  return { root };
}

function ground(what: Break): Breaking['ground'] {
  const breaking: Breaking = breaks[what];
  return breaking.ground;
}

function copied(name: string): string {
  const root = join(cloneRoot(), '.lab', name);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  for (const part of ['dist', 'services', 'package.json']) {
    cpSync(join(cloneRoot(), part), join(root, part), { recursive: true });
  }
  return root;
}

function edit(files: readonly string[], what: string, by: string): void {
  // `undrain: …` ends like `drain: …`; only the word itself is meant.
  const pattern = new RegExp(`(?<!\\w)${what.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`, 'g');
  let found = 0;
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const changed = text.replace(pattern, by);
    if (changed === text) continue;
    found += 1;
    writeFileSync(file, changed);
  }
  if (found !== 1) throw new LabError(`"${what}" is in ${found} files of the program, not in one: nothing to break`);
}

/** Runs a command that must succeed, as an operator would: its own process, no terminal. */
export async function deploy(product: Product, lab: Lab, args: readonly string[]): Promise<Ran> {
  const ran = await tryDeploy(product, lab, args);
  if (ran.code === 0) return ran;
  const said = `${lastLines(ran.stdout, 30)}\n${lastLines(ran.stderr, 30)}`;
  throw new LabError(`${ran.command} ended with ${ran.code}:\n${said}`);
}

export async function tryDeploy(product: Product, lab: Lab, args: readonly string[]): Promise<Ran> {
  const started = performance.now();
  const main = join(product.root, 'dist', 'cli', 'main.js');
  const env = labEnvironment(lab);
  const result = await run(process.execPath, [main, ...args], { env, timeoutMs: 900_000 });
  return { ...result, command: `deploy ${args.join(' ')}`, seconds: (performance.now() - started) / 1000 };
}
