import { sha256 } from '../../src/core/hash.ts';
import type { GaleraAnswer } from '../../src/run/step-context.ts';
import type { SimulatedContainer, SimulatedNode } from './node.ts';
import type { SimulatedWorld } from './world.ts';

const upgradeInfo = '/volumes/mariadb/mariadb_upgrade_info';

/** The version in an image, by its tag. */
export function databaseVersion({ spec }: Pick<SimulatedContainer, 'spec'>): string {
  return spec.image.tag.includes('other') ? '11.8.6-MariaDB' : '10.11.14-MariaDB';
}

/** The version whose upgrade a member's data has had. */
export function dataVersion(node: SimulatedNode): string | undefined {
  return node.files.get(upgradeInfo)?.content;
}

/** What the upgrade leaves in the data directory. */
export function noteUpgrade(node: SimulatedNode, container: SimulatedContainer): void {
  const content = databaseVersion(container);
  node.files.set(upgradeInfo, { content, mode: '0644', sha256: sha256(content) });
}

/** What a member says when it is asked over the network: the same as in its container. */
export function memberAnswer(world: SimulatedWorld, host: string): GaleraAnswer {
  const node = world.nodes.get(host);
  const container = node?.containers.get('mariadb');
  if (node === undefined || container?.state !== 'running') return { host, said: { why: 'connection refused' } };
  const { code, stdout } = world.answer(node, 'mariadb', ['mariadb', '-e', "SHOW STATUS LIKE 'wsrep_%'"]);
  if (code !== 0) return { host, said: { why: 'no answer' } };
  const said = new Map(stdout.split('\n').map((line) => [line.split('\t')[0] ?? '', line.split('\t')[1] ?? '']));
  const stateText = said.get('wsrep_local_state_comment') ?? '';
  const live = {
    uuid: 'one',
    seqno: 7n,
    cluster: said.get('wsrep_cluster_status') === 'Primary' ? ('Primary' as const) : ('non-Primary' as const),
    state: stateText === 'Synced' ? 4 : 2,
    stateText,
    ready: said.get('wsrep_ready') === 'ON',
    connected: true,
    clusterSize: Number(said.get('wsrep_cluster_size')),
    viewId: '7',
    incomingAddresses: [],
    flowControlPaused: 0,
    version: databaseVersion(container),
  };
  return { host, said: live };
}
