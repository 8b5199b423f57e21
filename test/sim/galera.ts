import { recoveryMembers } from '../../src/cli/galera.ts';
import type { Survey } from '../../src/cli/survey.ts';
import { clusterProblems } from '../../src/core/galera/check.ts';
import { decide } from '../../src/core/galera/decide.ts';
import type { DecideOptions } from '../../src/core/galera/decision.ts';
import type { LiveStatus, MemberEvidence, Recovered } from '../../src/core/galera/evidence.ts';
import { planRecovery } from '../../src/core/galera/recover-plan.ts';
import { parseGrastate, parseGvwstate } from '../../src/core/galera/state-files.ts';
import { sha256 } from '../../src/core/hash.ts';
import type { Plan } from '../../src/core/plan/steps.ts';
import type { SimulatedNode } from './node.ts';
import { carryOut, observe, type RunSettings } from './scenario.ts';
import type { SimulatedSite } from './site.ts';
import type { SimulatedWorld } from './world.ts';

export const history = '6ff7df2c-0000-11f0-b1e7-1f6a5a3e0f2b';

/** Where the simulated volume lies. All that a member is lies in files, so that a copied world has it too. */
const data = '/volumes/mariadb';
const process = '/run/galera';

function put(node: SimulatedNode, path: string, content: string): void {
  node.files.set(path, { content, mode: '0660', sha256: sha256(content) });
}

function seqnoOf(node: SimulatedNode): bigint {
  return BigInt(node.files.get(`${data}/ibdata`)?.content ?? '-1');
}

function isPrimary(node: SimulatedNode): boolean {
  return node.containers.get('mariadb')?.state === 'running' && node.files.get(process)?.content === 'primary';
}

function grastate(node: SimulatedNode, seqno: bigint, safe: boolean): void {
  const flag = safe ? 1 : 0;
  put(node, `${data}/grastate.dat`, `version: 2.1\nuuid: ${history}\nseqno: ${seqno}\nsafe_to_bootstrap: ${flag}\n`);
}

/** Gives a member that does not run its data: how far it goes, and what its files say of that. */
export function fell(node: SimulatedNode, seqno: bigint, how: 'killed' | 'stopped' | 'stopped last' | 'lost'): void {
  const container = node.containers.get('mariadb');
  if (container) container.state = 'exited';
  for (const path of [...node.files.keys()].filter((one) => one.startsWith(data))) node.files.delete(path);
  node.files.delete(process);
  node.volumes.set('mariadb', new Map());
  if (how === 'lost') return;
  put(node, `${data}/ibdata`, String(seqno));
  grastate(node, how === 'killed' ? -1n : seqno, how === 'stopped last');
}

/** Makes a member that runs one of the cluster that lives. */
export function belongs(node: SimulatedNode, seqno: bigint): void {
  put(node, `${data}/ibdata`, String(seqno));
  put(node, process, 'primary');
  grastate(node, -1n, false);
}

/** Data of another history, and nothing that runs. */
export function holdsForeign(node: SimulatedNode, uuid: string): void {
  node.containers.delete('mariadb');
  fell(node, 7n, 'stopped');
  put(node, `${data}/grastate.dat`, `version: 2.1\nuuid: ${uuid}\nseqno: 7\nsafe_to_bootstrap: 0\n`);
}

/** Its configuration names no other member, so that it begins a cluster whenever it may. */
function isAlone(node: SimulatedNode): boolean {
  return [...node.files.values()].some(({ content }) => /^wsrep_cluster_address *= *gcomm:\/\/\s*$/m.test(content));
}

/** Lets simulated containers behave as members; says what must never happen. */
export function withGalera(world: SimulatedWorld): string[] {
  const broken: string[] = [];
  const nodes = (): SimulatedNode[] => [...world.nodes.values()];
  world.after = ({ host, call, subject }) => {
    const node = world.nodes.get(host);
    const container = node?.containers.get('mariadb');
    if (node === undefined || subject !== 'mariadb') return;
    if (call === 'stop' && node.files.delete(process)) grastate(node, seqnoOf(node), !nodes().some(isPrimary));
    if (call !== 'start' || container === undefined) return;
    const others = nodes().filter((one) => one !== node && isPrimary(one));
    const forms = 'BOOTSTRAP_ARGS' in container.spec.environment || isAlone(node);
    const allowed = parseGrastate(node.files.get(`${data}/grastate.dat`)?.content ?? '');
    if (forms && others.length > 0) broken.push(`${host} forms a second cluster`);
    const ahead = nodes().some((one) => seqnoOf(one) > seqnoOf(node));
    if (forms && ahead) broken.push(`${host} forms the cluster although another member is ahead`);
    if (forms && (allowed === 'corrupt' || !allowed.safeToBootstrap)) {
      container.state = 'exited';
      return;
    }
    const [donor] = others;
    if (donor) put(node, `${data}/ibdata`, String(seqnoOf(donor)));
    put(node, process, forms || donor ? 'primary' : 'waiting');
    if (isPrimary(node)) grastate(node, -1n, false);
  };
  world.exec = (node, container, argv) => {
    if (container !== 'mariadb') return undefined;
    const asked = argv.join(' ');
    if (!asked.includes('wsrep_') && !asked.includes('healthcheck_mariadb')) return undefined;
    if (asked.includes('cluster_state_uuid'))
      return { code: 0, stdout: `wsrep_cluster_state_uuid\t${history}\n`, stderr: '' };
    if (!isPrimary(node)) return { code: 1, stdout: 'no nodes coming from prim view\n7\n', stderr: '' };
    const size = nodes().filter(isPrimary).length;
    const said = { cluster_size: size, cluster_status: 'Primary', local_state_comment: 'Synced', ready: 'ON' };
    const stdout = Object.entries(said)
      .map(([name, value]) => `wsrep_${name}\t${value}\n`)
      .join('');
    return { code: 0, stdout, stderr: '' };
  };
  world.logs = (node) => `starting\nWSREP: Recovered position: ${history}:${seqnoOf(node)}\n`;
  return broken;
}

/** What a look at the members finds. */
export function evidenceOf(world: SimulatedWorld, recovered: ReadonlyMap<string, Recovered>): MemberEvidence[] {
  const size = [...world.nodes.values()].filter(isPrimary).length;
  return [...world.nodes.values()].map((node) => {
    const { host } = node;
    const container = node.containers.get('mariadb');
    const running = container?.state === 'running';
    const text = (file: string) => node.files.get(`${data}/${file}`)?.content;
    const [state, view] = [text('grastate.dat'), text('gvwstate.dat')];
    return {
      kind: 'seen',
      host,
      container: container === undefined ? 'missing' : running ? 'running' : 'stopped',
      data: text('ibdata') === undefined ? 'missing' : 'present',
      grastate: state === undefined ? undefined : parseGrastate(state),
      view: view === undefined ? undefined : parseGvwstate(view),
      live: isPrimary(node) ? live(seqnoOf(node), size) : undefined,
      recovered: running ? undefined : recovered.get(host),
    };
  });
}

function live(seqno: bigint, clusterSize: number): LiveStatus {
  const synced = { cluster: 'Primary', state: 4, stateText: 'Synced', ready: true, connected: true } as const;
  const rest = { incomingAddresses: [], flowControlPaused: 0, version: '10.11.14-MariaDB' };
  return { uuid: history, seqno, ...synced, ...rest, clusterSize, viewId: `7 ${clusterSize}` };
}

/** As the command does it: look, decide, act, until nothing is left to do. Returns the plans; throws when it cannot. */
export async function recoverAll(
  site: SimulatedSite,
  world: SimulatedWorld,
  options: DecideOptions = {},
  settings: RunSettings = {},
): Promise<Plan[]> {
  const positions = new Map<string, Recovered>();
  const plans: Plan[] = [];
  for (let round = 0; round < 8; round++) {
    const { plan, left } = await nextPlan(site, world, positions, options);
    if (plan.steps.length === 0) {
      if (left.length > 0) throw new Error(left.join('; '));
      return plans;
    }
    plans.push(plan);
    const onPosition = (host: string, one: Recovered) => void positions.set(host, one);
    const [failed] = (await carryOut(plan, world, { ...settings, onPosition })).failed;
    if (failed) throw new Error(`${failed.step.id}: ${failed.diagnostics.map(({ message }) => message).join('; ')}`);
  }
  throw new Error('it never ends');
}

export async function nextPlan(
  site: SimulatedSite,
  world: SimulatedWorld,
  positions: ReadonlyMap<string, Recovered>,
  options: DecideOptions = {},
): Promise<{ plan: Plan; left: readonly string[] }> {
  const { target, desired } = site.desired({ tags: ['mariadb'] });
  const evidence = evidenceOf(world, positions);
  const decision = decide(evidence, options);
  if (decision.kind === 'refuse') throw new Error(`refused: ${decision.message}`);
  const survey = {
    loaded: site.loaded,
    target,
    desired,
    observed: observe(world),
    digests: new Map(),
  } as unknown as Survey;
  const members = await recoveryMembers(survey, evidence, { note: () => undefined } as never);
  const groupHosts = members.map(({ place }) => place.host);
  const plan = planRecovery(decision, { desired, members, groupHosts, balancers: desired.balancers });
  return { plan, left: clusterProblems(evidence).map(({ message, host }) => `${host}: ${message}`) };
}
