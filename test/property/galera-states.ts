import type {
  Grastate,
  LiveStatus,
  MemberEvidence,
  Recovered,
  SeenMember,
  View,
} from '../../src/core/galera/evidence.ts';

export const U = '6ff7df2c-c655-11f0-b1e7-1f6a5a3e0f2b';
export const V = 'a1b2c3d4-c655-11f0-8888-0123456789ab';
export const Z = '00000000-0000-0000-0000-000000000000';

/** Evidence of a member that stopped; what is not given was not found. */
export function stopped(host: string, more: Partial<SeenMember> = {}): SeenMember {
  return { kind: 'seen', host, container: 'stopped', data: 'present', ...more };
}

export function unreachable(host: string): MemberEvidence {
  return { kind: 'unreachable', host, why: 'no route to host' };
}

export function lost(host: string): SeenMember {
  return stopped(host, { container: 'missing', data: 'missing' });
}

export function grastate(seqno: bigint | number, safe = false, uuid = U): Grastate {
  return { uuid, seqno: BigInt(seqno), safeToBootstrap: safe };
}

export function recovered(seqno: bigint | number, uuid = U): Recovered {
  return { kind: 'position', position: { uuid, seqno: BigInt(seqno) } };
}

export function failed(): Recovered {
  return { kind: 'failed', exitCode: 1, why: 'InnoDB: corrupted page' };
}

export function clean(host: string, seqno: bigint | number, safe = false, uuid = U): SeenMember {
  return stopped(host, { grastate: grastate(seqno, safe, uuid) });
}

/** Ended without a clean shutdown; `--wsrep-recover` was run when there is a number. */
export function crashed(host: string, seqno?: bigint | number, view?: View, uuid = U): SeenMember {
  return stopped(host, {
    grastate: grastate(-1, false, uuid),
    ...(seqno === undefined ? {} : { recovered: recovered(seqno, uuid) }),
    ...(view === undefined ? {} : { view }),
  });
}

export function viewOf(host: string, id: string, hosts: readonly string[]): View {
  return { member: `id-${host}`, id, members: hosts.map((one) => `id-${one}`) };
}

const synced: LiveStatus = {
  uuid: U,
  seqno: 100n,
  cluster: 'Primary',
  state: 4,
  stateText: 'Synced',
  ready: true,
  connected: true,
  clusterSize: 3,
  viewId: 'p 7',
  incomingAddresses: [],
  flowControlPaused: 0,
  version: '10.11.14-MariaDB-deb12',
};

export function running(host: string, live: Partial<LiveStatus> = {}, more: Partial<SeenMember> = {}): SeenMember {
  return stopped(host, { container: 'running', grastate: grastate(-1), live: { ...synced, ...live }, ...more });
}

export function silent(host: string, more: Partial<SeenMember> = {}): SeenMember {
  return stopped(host, { container: 'running', grastate: grastate(-1), ...more });
}

const outside: Partial<LiveStatus> = { cluster: 'non-Primary', state: 0, stateText: 'Initialized', ready: false };

export function nonPrimary(host: string, live: Partial<LiveStatus> = {}, more: Partial<SeenMember> = {}): SeenMember {
  return running(host, { ...outside, viewId: 'n 9', ...live }, more);
}

export type State = (host: string, group: readonly string[]) => MemberEvidence;

const whole = (host: string, group: readonly string[]) => viewOf(host, 'w 5', group);
const pair = (host: string, group: readonly string[]) => viewOf(host, 'w 6', group.slice(0, 2));

/** Every kind of evidence a member can leave, by name. */
export const states: Readonly<Record<string, State>> = {
  unreachable: (h) => unreachable(h),
  'no data': (h) => lost(h),
  'clean 100, flag': (h) => clean(h, 100, true),
  'clean 100': (h) => clean(h, 100),
  'clean 90': (h) => clean(h, 90),
  'clean 90, flag': (h) => clean(h, 90, true),
  'clean, other history': (h) => clean(h, 200, false, V),
  'crashed, not asked': (h) => crashed(h),
  'crashed 110': (h) => crashed(h, 110),
  'crashed 100, view of its own': (h) => crashed(h, 100, viewOf(h, `w ${h}`, [h])),
  'crashed, whole view': (h, g) => crashed(h, undefined, whole(h, g)),
  'crashed 105, whole view': (h, g) => crashed(h, 105, whole(h, g)),
  'crashed, view of two': (h, g) => crashed(h, undefined, pair(h, g)),
  'crashed 95, view of two': (h, g) => crashed(h, 95, pair(h, g)),
  'recovery failed': (h) => stopped(h, { grastate: grastate(-1), recovered: failed() }),
  'clean 120, recovery failed': (h) => stopped(h, { grastate: grastate(120), recovered: failed() }),
  'recovered nothing': (h) => stopped(h, { grastate: grastate(-1), recovered: recovered(-1, Z) }),
  'zero grastate, recovered 300': (h) => stopped(h, { grastate: grastate(-1, false, Z), recovered: recovered(300) }),
  'cut off in a transfer': (h) => stopped(h, { ...crashed(h, 300), unfinishedTransfer: true }),
  'contradicts itself': (h) => stopped(h, { grastate: grastate(100), recovered: recovered(5, V) }),
  'corrupt grastate': (h) => stopped(h, { grastate: 'corrupt', view: 'corrupt' }),
  'corrupt grastate, recovered 95': (h) => stopped(h, { grastate: 'corrupt', recovered: recovered(95) }),
  'data not readable': (h) => stopped(h, { data: 'unknown' }),
  silent: (h) => silent(h),
  'silent, whole view': (h, g) => silent(h, { view: whole(h, g) }),
  synced: (h, g) => running(h, { clusterSize: g.length }),
  donor: (h, g) => running(h, { clusterSize: g.length, state: 2, stateText: 'Donor/Desynced' }),
  'synced, other history': (h) => running(h, { uuid: V, seqno: 200n, viewId: 'q 1', clusterSize: 1 }),
  'synced, view of its own': (h) => running(h, { viewId: 'p 8', clusterSize: 1 }),
  'not primary': (h) => nonPrimary(h),
  'not primary 120, 11.8': (h) => nonPrimary(h, { seqno: 120n, version: '11.8.6-MariaDB' }),
  'not primary, other view, whole view noted': (h, g) => nonPrimary(h, { viewId: `n ${h}` }, { view: whole(h, g) }),
  'not primary, other history': (h) => nonPrimary(h, { uuid: V }),
  'not primary, no history': (h) => nonPrimary(h, { uuid: Z, seqno: -1n }),
  'left the group': (h) =>
    running(h, { cluster: 'Disconnected', state: 0, ready: false, connected: false, viewId: '', seqno: 130n }),
};
