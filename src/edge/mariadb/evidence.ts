import type { LiveStatus, MemberEvidence, Recovered } from '../../core/galera/evidence.ts';
import type { GaleraMember, GaleraServer } from '../../core/galera/member.ts';
import { dataVersionFiles, dataVersionIn, parseGrastate, parseGvwstate } from '../../core/galera/state-files.ts';
import type { ObservedNode } from '../../core/model/node.ts';
import type { NodePort, VolumeLook } from '../../run/ports.ts';
import type { Connect } from '../wire/connect.ts';
import { WireError } from '../wire/failure.ts';
import { type GaleraStatus, galeraStatus } from './galera.ts';

/** A server that cannot answer in this time is no evidence of a living one. */
const answersWithinMs = 5_000;

/**
 * What there is to know of a member without changing anything: one list of volumes, two commands, and one connection to
 * the server where the container runs. `recovered` is what another call has found.
 */
export async function readMember(
  node: NodePort,
  member: GaleraMember,
  observed: ObservedNode,
  recovered?: Recovered,
): Promise<MemberEvidence> {
  const seen = observed.containers.find(({ name }) => name === member.container);
  // One that is started again and again, or stands still, has its data in use.
  const running = seen !== undefined && ['running', 'restarting', 'paused'].includes(seen.state);
  const [volume, answer] = await Promise.all([
    node.readVolume(member.volume, ['grastate.dat', 'gvwstate.dat', ...dataVersionFiles]),
    seen?.state === 'running' ? ask(node, member) : {},
  ]);
  const container = seen === undefined ? 'missing' : running ? 'running' : 'stopped';
  const position = running ? undefined : recovered;
  return { kind: 'seen', host: member.host, container, ...dataEvidence(volume), ...answer, recovered: position };
}

function dataEvidence(volume: VolumeLook | undefined) {
  // An empty volume is made by whatever creates a container; a file system of its own has this directory.
  const entries = volume?.entries?.filter((entry) => entry !== 'lost+found');
  if (volume === undefined || entries?.length === 0) return { data: 'missing' as const };
  const { texts } = volume;
  const read = <T>(file: string, parse: (text: string) => T): T | 'corrupt' | undefined => {
    const text = texts.get(file);
    if (text !== undefined) return parse(text);
    return entries?.includes(file) ? 'corrupt' : undefined;
  };
  return {
    data: entries === undefined ? ('unknown' as const) : ('present' as const),
    grastate: read('grastate.dat', parseGrastate),
    view: read('gvwstate.dat', parseGvwstate),
    unfinishedTransfer: entries?.includes('sst_in_progress'),
    dataVersion: dataVersionIn(texts),
  };
}

/** What each of them says, or why it says nothing. A refused login is an error. */
export async function askMembers(connect: Connect, servers: readonly GaleraServer[]) {
  return Promise.all(
    servers.map(async ({ host, server }) => {
      try {
        const status = await galeraStatus(connect, { ...server, timeoutMs: answersWithinMs });
        return { host, said: liveFrom(status) };
      } catch (failure) {
        const [problem] = failure instanceof WireError ? failure.diagnostics : [];
        if (problem === undefined || problem.code === 'access-denied') throw failure;
        return { host, said: { why: problem.message } };
      }
    }),
  );
}

/** Nothing when no server listens: it starts, or waits for others. A refused login is an error. */
async function ask(node: NodePort, { server }: GaleraMember): Promise<{ live?: LiveStatus; unasked?: string }> {
  try {
    const connect = (address: string, port: number) => node.connect(address, port);
    return { live: liveFrom(await galeraStatus(connect, { ...server, timeoutMs: answersWithinMs })) };
  } catch (failure) {
    if (!(failure instanceof WireError)) throw failure;
    const [problem] = failure.diagnostics;
    if (problem === undefined || problem.code === 'access-denied') throw failure;
    return problem.code === 'connection-refused' ? {} : { unasked: problem.message };
  }
}

const clusterStates = ['Primary', 'non-Primary', 'Disconnected'] as const;

/** Outside of a Primary component all views have the same number: there a member can only tell of itself. */
function viewOf({ clusterUuid, confId, gcommUuid, clusterSize }: GaleraStatus, cluster: LiveStatus['cluster']): string {
  if (cluster === 'Primary') return `${clusterUuid.toLowerCase()} ${confId}`;
  return cluster === 'Disconnected' ? '' : `${gcommUuid.slice(0, 8)} ${clusterSize}`;
}

/** From the server's own words to evidence; a server without Galera is in no cluster. */
export function liveFrom(status: GaleraStatus): LiveStatus {
  const said = clusterStates.find((state) => state.toLowerCase() === status.clusterStatus.toLowerCase());
  const cluster = said ?? 'Disconnected';
  const { gcommUuid: id, localIndex: index } = status;
  return {
    uuid: (status.localUuid || status.clusterUuid).toLowerCase(),
    seqno: /^-?\d+$/.test(status.lastCommitted) ? BigInt(status.lastCommitted) : -1n,
    cluster,
    state: status.localState,
    stateText: status.localStateComment,
    ready: status.ready,
    connected: status.connected,
    clusterSize: status.clusterSize,
    viewId: viewOf(status, cluster),
    seat: id === '' ? undefined : { id, index },
    incomingAddresses: status.incomingAddresses,
    flowControlPaused: status.flowControlPaused,
    version: status.version,
  };
}
