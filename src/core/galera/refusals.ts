import type { HostName } from '../model/node.ts';
import type { Joiner, Refusal, RefusalCode } from './decision.ts';
import type { Position } from './evidence.ts';
import type { NoVote, Voter } from './votes.ts';

const recover = 'deploy mariadb recover';

/** Why a member has no say, as the end of a sentence about it. */
export const noVoteText: Readonly<Record<NoVote, string>> = {
  unreachable: 'cannot be reached',
  'not-answering': 'runs and answers no query',
  'left-the-group': 'runs and has left the group',
  'no-data': 'has no data: its disk is lost, or not mounted, or it never joined',
  'cut-off-transfer': 'was cut off while a state transfer replaced its data',
  'no-history': 'holds data that Galera does not vouch for (history 00000000-…)',
  'recovery-failed': 'has data whose position cannot be recovered',
  contradiction: 'has data of another history than its grastate.dat says',
};

function refuse(code: RefusalCode, who: readonly HostName[], message: string, hint: string): Refusal {
  return { kind: 'refuse', code, who, message, hint };
}

export function positionText({ uuid, seqno }: Position): string {
  return `${uuid}:${seqno}`;
}

export function noMembers(): Refusal {
  return refuse('no-members', [], 'the group has no member', 'check the inventory');
}

export function twoClusters(primaries: readonly Voter[], positions: readonly Position[]): Refusal {
  const list = primaries.map(({ host }, at) => `${host} ${positions[at]?.uuid ?? '?'}`).join(', ');
  return refuse(
    'two-clusters',
    primaries.map(({ host }) => host),
    `two clusters live, with different histories: ${list}`,
    'nothing here can merge them: keep clients away from one, save what only it has (a dump), stop it, then run this again',
  );
}

export function twoComponents(hosts: readonly HostName[]): Refusal {
  return refuse(
    'two-components',
    hosts,
    `${hosts.join(', ')} are all Primary, but do not agree on who belongs to it`,
    'look again, the view may just be changing; if it stays, the cluster is split in two that both take writes: keep clients away from one, save what only it has, stop it, then run this again',
  );
}

export function primaryLives(primaries: readonly HostName[], from: HostName): Refusal {
  return refuse(
    'primary-lives',
    primaries,
    `a Primary component lives on ${primaries.join(', ')}: nothing is bootstrapped from ${from} beside it`,
    `run ${recover} without --from: the others join it`,
  );
}

export function wouldLose(held: readonly Joiner[], at: Position): Refusal {
  const hosts = held.map(({ host }) => host);
  const each = held.map(
    ({ host, own, position }) => `${host} ${lossText[own] ?? own}${position ? ` (${positionText(position)})` : ''}`,
  );
  return {
    ...refuse(
      'would-lose',
      hosts,
      `joining the cluster that lives (${positionText(at)}) would replace data that nobody else may have: ${each.join('; ')}`,
      `${recover} --accept-loss joins ${hosts.join(', ')} and gives that data up; with --keep-data a copy of it is kept first`,
    ),
    lift: { acceptLoss: true },
  };
}

/** Of what joins with a loss. */
export const lossText: Readonly<Partial<Record<Joiner['own'], string>>> = {
  ahead: 'has commits that the others do not have',
  foreign: 'has another history',
  unknown: 'has data of an unknown history',
  unreadable: 'has data of that history that cannot be read',
};

export function missingEvidence(voters: readonly Voter[], lives: boolean): Refusal {
  const hosts = voters.map(({ host }) => host);
  const each = voters.map(({ host, vote }) => {
    if (vote.kind !== 'none') return host;
    return `${host} ${noVoteText[vote.why]}${vote.detail ? ` (${vote.detail})` : ''}`;
  });
  const without = hosts.map((host) => `--without ${host}`).join(' ');
  const why = lives ? 'the others are well' : 'it may have commits that the others do not have';
  return {
    ...refuse(
      'missing-evidence',
      hosts,
      `${each.join('; ')}; ${why}`,
      lives
        ? `bring it back, then run this again; ${recover} ${without} --accept-loss does without`
        : `bring it back first; if its data is gone for good, ${recover} ${without} --accept-loss goes by the others`,
    ),
    lift: { without: hosts },
  };
}

export function historiesDiffer(voters: readonly Voter[], positions: readonly Position[]): Refusal {
  const hosts = voters.map(({ host }) => host);
  const each = voters.map(({ host }, at) => `${host} ${positions[at] ? positionText(positions[at]) : '?'}`);
  return {
    ...refuse(
      'histories-differ',
      hosts,
      `the members have data of different histories, whose numbers cannot be compared: ${each.join(', ')}`,
      `decide whose data is right, save the other, then ${recover} --from HOST --accept-loss`,
    ),
    lift: { from: hosts },
  };
}

export function split(hosts: readonly HostName[], best: readonly HostName[]): Refusal {
  return {
    ...refuse(
      'split',
      hosts,
      `${hosts.join(', ')} run and do not see each other; none of them is in a Primary component`,
      `mend the network between them: the cluster then forms by itself; if that cannot be, ${recover} --from ${best[0] ?? 'HOST'} --accept-loss`,
    ),
    lift: { from: best },
  };
}

export function nobodyVotes(candidates: readonly HostName[]): Refusal {
  return {
    ...refuse(
      'nobody-votes',
      candidates,
      'no member has data with a known position',
      candidates.length > 0
        ? `restore a backup, or name the member whose data to take: ${recover} --from ${candidates[0]} --accept-loss`
        : 'restore a backup',
    ),
    ...(candidates.length > 0 ? { lift: { from: candidates } } : {}),
  };
}

export function fromUnusable(from: HostName, why: string, candidates: readonly HostName[]): Refusal {
  const others = candidates.filter((host) => host !== from);
  return {
    ...refuse(
      'from-unusable',
      [from],
      `${from} ${why}: no cluster can be formed from it`,
      others.length > 0 ? `name another: ${others.join(', ')}` : 'restore a backup',
    ),
    ...(others.length > 0 ? { lift: { from: others } } : {}),
  };
}

export function tooSoon(who: readonly HostName[], seconds: number): Refusal {
  return {
    ...refuse(
      'too-soon',
      who,
      `the cluster was recovered ${Math.floor(seconds / 60)} minutes ago already`,
      `find out what brings it down before forming it anew; ${recover} --again does it all the same`,
    ),
    lift: { again: true },
  };
}
