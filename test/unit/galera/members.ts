import type { LiveStatus, MemberEvidence, SeenMember } from '../../../src/core/galera/evidence.ts';
import {
  clean,
  crashed,
  failed,
  grastate,
  lost,
  nonPrimary,
  recovered,
  running,
  silent,
  stopped,
  U,
  unreachable,
  V,
  viewOf,
  Z,
} from '../../property/galera-states.ts';

/**
 * Members ctl1, ctl2, … as a line: `clean 90 | crashed 99 whole | lost`. A number is the seqno, `V` another history,
 * `safe` the flag, `whole` and `pair` the last view (of all, of ctl1 and ctl2), `size1` what a live member sees, `@x` its
 * view, `11.8` its version.
 */
export function members(line: string): MemberEvidence[] {
  const cells = line.split('|').map((cell) => cell.trim().split(/\s+/));
  const hosts = cells.map((_, at) => `ctl${at + 1}`);
  return cells.map((words, at) => member(`ctl${at + 1}`, hosts, words));
}

function member(host: string, hosts: readonly string[], words: readonly string[]): MemberEvidence {
  const number = words.find((word) => /^\d+$/.test(word));
  const seqno = number === undefined ? undefined : BigInt(number);
  const uuid = words.includes('V') ? V : U;
  const view = words.includes('whole')
    ? viewOf(host, 'w 5', hosts)
    : words.includes('pair')
      ? viewOf(host, 'w 6', hosts.slice(0, 2))
      : undefined;
  const noted = view === undefined ? {} : { view };
  const live = { ...liveWords(words), uuid, ...(seqno === undefined ? {} : { seqno }) };
  const kinds: Readonly<Record<string, () => MemberEvidence>> = {
    gone: () => unreachable(host),
    lost: () => lost(host),
    clean: () => clean(host, seqno ?? 0n, words.includes('safe'), uuid),
    crashed: () => crashed(host, seqno, view, uuid),
    failed: () => stopped(host, { grastate: grastate(-1), recovered: failed() }),
    corrupt: () => stopped(host, { grastate: 'corrupt', recovered: seqno === undefined ? failed() : recovered(seqno) }),
    zero: () =>
      stopped(host, {
        grastate: grastate(-1, false, Z),
        ...(seqno === undefined ? {} : { recovered: recovered(seqno) }),
      }),
    cut: (): SeenMember => ({ ...crashed(host, seqno, view), unfinishedTransfer: true }),
    silent: () => silent(host, noted),
    primary: () => running(host, live, noted),
    outside: () => nonPrimary(host, live, noted),
    left: () => running(host, { ...live, cluster: 'Disconnected', ready: false }),
  };
  const kind = kinds[words[0] ?? ''];
  if (kind === undefined) throw new Error(`no such member: ${words.join(' ')}`);
  return kind();
}

function liveWords(words: readonly string[]): Partial<LiveStatus> {
  const size = words.find((word) => word.startsWith('size'));
  const view = words.find((word) => word.startsWith('@'));
  const version = words.find((word) => /^\d+\.\d+$/.test(word));
  return {
    ...(size === undefined ? {} : { clusterSize: Number(size.slice(4)) }),
    ...(view === undefined ? {} : { viewId: view }),
    ...(version === undefined ? {} : { version: `${version}.1-MariaDB` }),
    ...(words.includes('donor') ? { state: 2 } : {}),
    ...(words.includes('joiner') ? { state: 1, ready: false } : {}),
  };
}
