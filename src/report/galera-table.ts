import type { Grastate, LiveStatus, MemberEvidence, SeenMember, View } from '../core/galera/evidence.ts';
import { columns } from './history-text.ts';

type Row = readonly string[];

/** Absent, unlike a cell that says something. */
const none = '-';

const header: Row = [
  'member',
  'container',
  'cluster',
  'state',
  'history',
  'seqno',
  'recovered',
  'safe',
  'view',
  'size',
  'paused',
  'version',
];

/**
 * The evidence of all members, one line each; columns of which nothing is known are left out. What does not fit into
 * `width` characters becomes a paragraph for each member. `seqno` is the last commit of a member that runs, else what
 * grastate.dat says.
 */
export function galeraTable(members: readonly MemberEvidence[], width = Number.POSITIVE_INFINITY): string {
  const rows = members.map(cellsOf);
  const used = [...header.keys()].filter((i) => i === 0 || rows.some((row) => row[i] !== none));
  const shown = [header, ...rows].map((row) => used.map((i) => row[i] ?? none));
  const table = columns(shown);
  const fits = table.split('\n').every((line) => line.length <= width);
  const notes = members.flatMap(notesOf);
  return [fits ? table : paragraphs(shown), ...histories(members), ...notes].join('\n');
}

function cellsOf(member: MemberEvidence): Row {
  if (member.kind === 'unreachable') return [member.host, 'unreachable', ...header.slice(2).map(() => none)];
  const { host, container, live } = member;
  const grastate = readable(member);
  const position = live ?? grastate;
  return [
    host,
    container,
    live?.cluster ?? none,
    live ? live.stateText || `${live.state}` : stateOf(member),
    position ? shortUuid(position.uuid) : member.grastate === 'corrupt' ? 'corrupt' : none,
    position ? `${position.seqno}` : none,
    recoveredCell(member),
    grastate ? (grastate.safeToBootstrap ? 'yes' : 'no') : none,
    viewCell(member),
    live ? `${live.clusterSize}` : none,
    live ? `${Math.round(live.flowControlPaused * 100)} %` : none,
    live?.version ?? member.dataVersion ?? none,
  ];
}

function stateOf({ container, data, unfinishedTransfer }: SeenMember): string {
  if (data === 'missing') return 'no data';
  if (unfinishedTransfer) return 'transfer cut off';
  if (data === 'unknown') return 'not readable';
  return container === 'running' ? 'no answer' : none;
}

function readable({ grastate }: SeenMember): Grastate | undefined {
  return grastate === 'corrupt' ? undefined : grastate;
}

function recoveredCell(member: SeenMember): string {
  const { recovered } = member;
  if (recovered === undefined) return none;
  if (recovered.kind === 'failed') return 'failed';
  const { uuid, seqno } = recovered.position;
  const noted = readable(member)?.uuid;
  return uuid === noted ? `${seqno}` : `${shortUuid(uuid)}:${seqno}`;
}

/** The number of a view tells two of them apart that are looked at together; the rest of its id is in the JSON. */
function viewCell({ live, view }: SeenMember): string {
  if (live) return viewNumber(live);
  if (view === undefined) return none;
  return view === 'corrupt' ? 'corrupt' : viewText(view);
}

function viewNumber({ viewId }: LiveStatus): string {
  return shortView(viewId);
}

function viewText({ id, members }: View): string {
  return `${shortView(id)} of ${members.length}`;
}

function shortView(id: string): string {
  const [uuid = '', number] = id.trim().split(/\s+/);
  return number === undefined ? uuid.slice(0, 8) || none : `${uuid.slice(0, 8)}:${number}`;
}

function shortUuid(uuid: string): string {
  return uuid.slice(0, 8) || none;
}

function paragraphs(rows: readonly Row[]): string {
  const [names = [], ...members] = rows;
  const wide = Math.max(...names.map((name) => name.length));
  return members
    .map(([host = '', ...cells]) => {
      const lines = cells.flatMap((cell, i) =>
        cell === none ? [] : [`  ${(names[i + 1] ?? '').padEnd(wide)}  ${cell}`],
      );
      return [host, ...lines].join('\n');
    })
    .join('\n');
}

/** Histories in full, once each: they are what a recovery by hand is about. */
function histories(members: readonly MemberEvidence[]): string[] {
  const all = members.flatMap((member) => {
    if (member.kind === 'unreachable') return [];
    const recovered = member.recovered?.kind === 'position' ? [member.recovered.position.uuid] : [];
    return [...[member.live?.uuid, readable(member)?.uuid].flatMap((uuid) => uuid ?? []), ...recovered];
  });
  const unlike = [...new Set(all)].filter((uuid) => uuid !== '');
  if (unlike.length === 0) return [];
  return [`${unlike.length === 1 ? 'history' : `${unlike.length} histories:`} ${unlike.join(', ')}`];
}

function notesOf(member: MemberEvidence): string[] {
  if (member.kind === 'unreachable') return [`${member.host}: ${member.why}`];
  const { host, recovered } = member;
  return recovered?.kind === 'failed'
    ? [`${host}: recovering its position failed (exit ${recovered.exitCode}): ${recovered.why}`]
    : [];
}
