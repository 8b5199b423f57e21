import type { DecideOptions, Decision } from '../../src/core/galera/decision.ts';
import type { LiveStatus, MemberEvidence, Position } from '../../src/core/galera/evidence.ts';
import { hasData, isPrimary, known, liveOf, runs } from './galera-oracle.ts';

/* What has to be decided where there is no doubt, so that safety is not bought by refusing everything. */

type Must = (good: boolean, sentence: string) => void;

/** Sentences that the decision does not fulfil. */
export function missed(members: readonly MemberEvidence[], options: DecideOptions, decision: Decision): string[] {
  const wrong: string[] = [];
  if (options.force || options.secondsSinceLastRecovery !== undefined || options.without) return wrong;
  const must: Must = (good, sentence) => {
    if (!good) wrong.push(sentence);
  };
  const positions = members.flatMap((m) => known(m) ?? []);
  const one = positions.length === members.length && positions.every(({ uuid }) => uuid === positions[0]?.uuid);
  if (one) {
    stoppedAll(members, decision, must);
    beside(members, decision, must);
    noPrimary(members, decision, must);
  }
  const nothing = members.every((m) => m.kind === 'seen' && !hasData(m));
  if (nothing) must(decision.kind === 'new-cluster', 'nothing anywhere is a new cluster');
  return wrong;
}

function highest(positions: readonly Position[]): bigint {
  let best = -1n;
  for (const { seqno } of positions) if (seqno > best) best = seqno;
  return best;
}

function stoppedAll(members: readonly MemberEvidence[], decision: Decision, must: Must): void {
  const plain = members.every((m) => m.kind === 'seen' && !runs(m) && m.view === undefined);
  if (!plain) return;
  const top = highest(members.flatMap((m) => known(m) ?? []));
  const equal = members.filter((m) => known(m)?.seqno === top);
  const flagged = equal.filter((m) => m.kind === 'seen' && m.grastate !== 'corrupt' && m.grastate?.safeToBootstrap);
  const host = decision.kind === 'bootstrap' ? decision.host : undefined;
  must(
    equal.some((m) => m.host === host),
    'all stopped with one history: the most advanced is bootstrapped',
  );
  must((flagged[0] ?? equal[0])?.host === host, 'of equals the flagged one, then the first of the inventory');
}

/** All of one history, and a Primary component lives. */
function beside(members: readonly MemberEvidence[], decision: Decision, must: Must): void {
  const lives = members.flatMap((m) => (isPrimary(m) ? (liveOf(m) ?? []) : []));
  const [first] = lives;
  if (first === undefined || first.clusterSize < lives.length) return;
  const agrees = (live: LiveStatus) => live.viewId === first.viewId && live.clusterSize === first.clusterSize;
  if (!lives.every(agrees)) return;
  const top = highest(lives);
  const ahead = members.some((m) => !isPrimary(m) && (known(m)?.seqno ?? 0n) > top);
  const well = members.every((m) => isPrimary(m) && liveOf(m)?.state === 4);
  if (well) must(decision.kind === 'healthy', 'all Synced in one component is healthy');
  else if (!ahead) must(decision.kind === 'rejoin', 'beside a living component the rest joins');
}

function noPrimary(members: readonly MemberEvidence[], decision: Decision, must: Must): void {
  const views = new Set(members.map((m) => (liveOf(m)?.cluster === 'non-Primary' ? liveOf(m)?.viewId : undefined)));
  if (views.size !== 1 || views.has(undefined)) return;
  must(['pc-bootstrap', 'stop'].includes(decision.kind), 'all in one view, none Primary: one is made so');
}
