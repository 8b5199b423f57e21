import { type Decision, type Joiner, lossesOf, overwritten, type Reason, type Rule } from '../core/galera/decision.ts';
import { lossText, positionText } from '../core/galera/refusals.ts';

/** A decision for the operator: what is done, why, what it costs, and what to type where nothing is done. */
export function decisionText(decision: Decision): string {
  const { kind, reasons } = decision;
  const losses = lossesOf(decision);
  return [
    ...(kind === 'refuse' ? [`nothing is done: ${decision.message}`, `  ${decision.hint}`] : whatText(decision)),
    ...reasons.map((reason) => `  - ${reasonText(reason)}`),
    ...('order' in decision ? replacedText(decision.order) : []),
    ...(losses.length > 0 ? [`  COMMITS MAY BE LOST: ${losses.map(lossLine).join('; ')}`] : []),
    ...(kind === 'rejoin'
      ? decision.held.map((joiner) => `  not started: ${lossLine(joiner)}; --accept-loss joins it`)
      : []),
  ].join('\n');
}

function whatText(decision: Exclude<Decision, { readonly kind: 'refuse' }>): string[] {
  if (decision.kind === 'healthy') return ['nothing to do: the cluster is well'];
  if (decision.kind === 'new-cluster')
    return ['nothing to recover: no member has data', '  the first cluster is formed by deploy deploy --tags mariadb'];
  if (decision.kind === 'needs-positions')
    return [`ask ${list(decision.hosts)} for the position of their data (--wsrep-recover), then decide`];
  if (decision.kind === 'stop') return [`stop mariadb on ${list(decision.hosts)} cleanly, then look again`];
  if (decision.kind === 'wait') return [waitText(decision.start)];
  if (decision.kind === 'rejoin') return rejoinText(decision);
  const at = decision.position ? ` at ${positionText(decision.position)}` : '';
  const first =
    decision.kind === 'bootstrap'
      ? `bootstrap the cluster from ${decision.host}${at}`
      : `make ${list(decision.view)} Primary by pc.bootstrap on ${decision.host}${at}`;
  const next = decision.order.map(({ host }) => host);
  return [next.length > 0 ? `${first}; then join one by one: ${next.join(', ')}` : first];
}

function waitText(start: readonly string[]): string {
  const wait = 'wait for Galera to form the Primary component by itself';
  return start.length > 0 ? `start ${list(start)} together, and ${wait}` : wait;
}

function rejoinText({ waitFor, order, donors }: Extract<Decision, { readonly kind: 'rejoin' }>): string[] {
  const wait = waitFor.length > 0 ? [`wait until ${list(waitFor)} ${waitFor.length > 1 ? 'are' : 'is'} Synced`] : [];
  const join = order.map(({ host, how }) => (how === 'restart' ? `${host} (restart)` : host)).join(', ');
  const from = donors.length > 0 ? `; donor ${donors[0]}` : '';
  return [[...wait, ...(join ? [`join one by one: ${join}${from}`] : [])].join('; then ')];
}

function replacedText(order: readonly Joiner[]): string[] {
  const quiet = overwritten(order).filter(({ loss }) => !loss);
  if (quiet.length === 0) return [];
  return [
    `  a state transfer may replace the data of ${list(quiet.map(({ host }) => host))}, which holds nothing that is not in the cluster`,
  ];
}

function lossLine({ host, own, position }: Joiner): string {
  return `${host} ${lossText[own] ?? own}${position ? ` (${positionText(position)})` : ''}`;
}

const rules: Readonly<Record<Rule, string>> = {
  'primary-lives': 'a Primary component lives',
  'all-synced': 'Synced',
  'state-transfer': 'a state transfer or a backup goes on',
  starting: 'running, without an answer yet',
  'cut-off-from-primary': 'running, cut off from the others; joins by itself once the network lets it',
  stranger: 'their view has more members than the inventory',
  'left-out': 'left out, not reached or without a say',
  'no-data-anywhere': 'no data',
  'common-view': 'the whole of the last Primary component is there',
  'not-answering': 'running, without an answer, and no Primary component was seen',
  'left-the-group': 'running, and has left the group for good',
  'position-unknown': 'not ended cleanly, so that grastate.dat says nothing',
  'one-view': 'nothing else runs, and all that run see each other',
  'no-pc-bootstrap': 'takes no pc.bootstrap while it runs (MariaDB 11.2 and later)',
  'not-where-it-stands': 'running, but not to become Primary where it stands; nothing may run beside a bootstrap',
  'safe-flag': 'left last (safe_to_bootstrap), and nobody is ahead of it',
  'most-advanced': 'the highest number of the one history',
  tie: 'equal; the safe flag decides, then what runs, then the inventory',
  'only-member': 'the only one with a position',
  forced: 'named by --from',
};

export function reasonText({ rule, members }: Reason): string {
  return `${rules[rule]}: ${list(members)}`;
}

function list(hosts: readonly string[]): string {
  return hosts.join(', ');
}

/** What JSON can say: numbers beyond what JavaScript holds exactly as text. */
export function galeraJson(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(galeraJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, galeraJson(one)]));
}
