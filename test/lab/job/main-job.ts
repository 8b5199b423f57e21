import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LabError, lastLines } from '../command.ts';
import type { Lab } from '../raise.ts';
import type { LabReport } from '../report.ts';
import { NODES } from '../settings.ts';
import {
  allContainers,
  changedContainers,
  deploy,
  inContainer,
  type Ran,
  type RunningContainer,
  setGlobal,
} from './deploy-command.ts';
import { configInside, magnumSchema, makeTemplate, packageVersion, session } from './evidence.ts';
import { type ClusterTemplate, listClusterTemplates, magnumMicroversion } from './openstack-client.ts';

export const oldMagnum = 'zed-debian-bookworm';
export const newMagnum = '2025.1-debian-trixie';

/** What the job has seen, for the checks that follow. */
export interface JobState {
  readonly lab: Lab;
  readonly report: LabReport;
}

/** Runs a command that must succeed and shows how long it took. */
export async function mustDeploy(state: JobState, ...args: string[]): Promise<Ran> {
  const ran = await deploy(state.lab, args);
  const last = ran.stdout.trimEnd().split('\n').pop() ?? '';
  state.report.line(`${ran.seconds.toFixed(1).padStart(6)} s  ${ran.command} → ${ran.code}  ${last}`);
  if (ran.code !== 0) {
    throw new LabError(
      `${ran.command} ended with ${ran.code}:\n${lastLines(ran.stdout, 30)}\n${lastLines(ran.stderr, 30)}`,
    );
  }
  return ran;
}

export function check(state: JobState, what: string, held: boolean, seen: string): void {
  state.report.line(`    ${held ? 'ok    ' : 'FAILED'}  ${what}${seen === '' ? '' : `: ${seen}`}`);
  if (!held) throw new LabError(`${what}: ${seen}`);
}

/** 1. Zed everywhere: images, control plane, and something in it that has to survive. */
export async function bringUp(state: JobState): Promise<{ readonly template: ClusterTemplate }> {
  await mustDeploy(state, 'genpwd');
  await mustDeploy(state, 'build', '--push');
  await mustDeploy(state, 'deploy', '--yes');
  const status = await mustDeploy(state, 'status');
  const rows = status.stdout.split('\n').filter((line) => line.startsWith('ok '));
  check(
    state,
    'all containers are healthy',
    rows.length > 0 && !status.stdout.includes('NOT OK'),
    `${rows.length} containers`,
  );
  const template = await makeTemplate(state.lab);
  check(state, 'an image and a cluster template were made through the VIP', template.uuid !== '', template.uuid);
  return { template };
}

export interface Upgraded {
  readonly before: ReadonlyMap<string, RunningContainer>;
  readonly after: ReadonlyMap<string, RunningContainer>;
  readonly schemaBefore: string;
  readonly schemaAfter: string;
  readonly versionsBefore: readonly string[];
  readonly versionsAfter: readonly string[];
  readonly upgrade: Ran;
}

/** 2. One version changed in globals.yml; that release of Magnum built, pulled and upgraded, and nothing else. */
export async function upgradeMagnum(state: JobState): Promise<Upgraded> {
  const before = await allContainers();
  const schemaBefore = await magnumSchema(state.lab);
  const versionsBefore = await packageVersion('magnum_api', 'magnum-common');
  setGlobal(state.lab, 'magnum_tag', newMagnum);
  await mustDeploy(state, 'build', 'magnum', '--push');
  await mustDeploy(state, 'pull', '--tags', 'magnum', '--skip-tags', 'common', '--yes');
  const upgrade = await mustDeploy(state, 'upgrade', '--tags', 'magnum', '--skip-tags', 'common', '--yes');
  const after = await allContainers();
  const schemaAfter = await magnumSchema(state.lab);
  const versionsAfter = await packageVersion('magnum_api', 'magnum-common');
  return { before, after, schemaBefore, schemaAfter, versionsBefore, versionsAfter, upgrade };
}

/** 3. The new version answers, the schema is new, the data is there, and nobody else was touched. */
export async function checkUpgrade(state: JobState, seen: Upgraded, template: ClusterTemplate): Promise<void> {
  const changed = changedContainers(seen.before, seen.after);
  const magnum = NODES.flatMap(({ name }) => [`${name}/magnum_api`, `${name}/magnum_conductor`]).sort();
  check(state, 'exactly the Magnum containers were replaced', changed.join() === magnum.join(), changed.join(', '));
  check(
    state,
    'the schema was migrated',
    seen.schemaAfter !== seen.schemaBefore,
    `${seen.schemaBefore} → ${seen.schemaAfter}`,
  );
  const old = seen.versionsBefore.every((version) => version.startsWith('15.'));
  const renewed = seen.versionsAfter.every((version) => version.startsWith('20.'));
  check(
    state,
    'Magnum is the new release on every node',
    old && renewed,
    `${seen.versionsBefore[0]} → ${seen.versionsAfter.join(', ')}`,
  );
  const api = await session(state.lab);
  const found = (await listClusterTemplates(api)).find(({ uuid }) => uuid === template.uuid);
  check(state, 'the template made before is there', found?.name === template.name, found?.uuid ?? 'gone');
  const microversion = await magnumMicroversion(api);
  check(state, 'the API answers through the load balancer', microversion !== '', `microversion up to ${microversion}`);
}

const heatContainers = ['heat_api', 'heat_api_cfn', 'heat_engine'] as const;

/** 4. One option in an override file and one in globals.yml: only Heat is replaced, and both are in effect. */
export async function reconfigureHeat(state: JobState): Promise<void> {
  const before = await allContainers();
  const override = join(state.lab.files.config, 'config', 'heat', 'heat-engine.conf');
  mkdirSync(dirname(override), { recursive: true });
  writeFileSync(override, '[DEFAULT]\nmax_resources_per_stack = 777\n');
  await mustDeploy(state, 'reconfigure', '--tags', 'heat', '--skip-tags', 'common', '--yes');
  const between = await allContainers();
  const engines = NODES.map(({ name }) => `${name}/heat_engine`);
  const first = changedContainers(before, between);
  check(
    state,
    'the override of one container replaced that container alone',
    first.join() === engines.join(),
    first.join(', '),
  );
  setGlobal(state.lab, 'heat_logging_debug', 'yes');
  await mustDeploy(state, 'reconfigure', '--tags', 'heat', '--skip-tags', 'common', '--yes');
  const after = await allContainers();
  const all = NODES.flatMap(({ name }) => heatContainers.map((container) => `${name}/${container}`)).sort();
  const second = changedContainers(between, after);
  check(
    state,
    'the variable replaced every Heat container and nothing else',
    second.join() === all.join(),
    second.join(', '),
  );
  const engine = await configInside('node2', 'heat_engine', '/etc/heat/heat.conf');
  check(
    state,
    'both options are in the file',
    /max_resources_per_stack = 777/.test(engine) && /debug = [Tt]rue/.test(engine),
    '',
  );
  const logged = await inContainer('node2', 'heat_engine', 'grep -c " DEBUG " /var/log/kolla/heat/heat-engine.log');
  check(state, 'the running process logs at debug level', Number(logged) > 0, `${logged} lines`);
}

/** 5. Once more: nothing to do. */
export async function reconfigureAgain(state: JobState): Promise<Ran> {
  const before = await allContainers();
  const ran = await mustDeploy(state, 'reconfigure');
  const changed = changedContainers(before, await allContainers());
  check(state, 'nothing was to do', ran.stdout.includes('nothing to do') && changed.length === 0, changed.join(', '));
  return ran;
}
