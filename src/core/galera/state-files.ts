import type { Grastate, HistoryUuid, Recovered, View } from './evidence.ts';

const uuidForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const noHistory = '00000000-0000-0000-0000-000000000000';
const seqnoForm = /^-?\d+$/;

/**
 * grastate.dat: where a member's data stands in its history. Whatever is not whole is `corrupt`: half a sequence number
 * is a number too. Galera pads the file with blanks, and an editor may have left other line ends.
 */
export function parseGrastate(text: string): Grastate | 'corrupt' {
  const pairs = wholeLines(text);
  const uuid = only(pairs, 'uuid');
  const seqno = only(pairs, 'seqno');
  const safe = pairs.some(([key]) => key === 'safe_to_bootstrap') ? only(pairs, 'safe_to_bootstrap') : '0';
  if (uuid === undefined || seqno === undefined || safe === undefined) return 'corrupt';
  if (!uuidForm.test(uuid) || !seqnoForm.test(seqno) || !/^[01]$/.test(safe)) return 'corrupt';
  return { uuid: uuid.toLowerCase(), seqno: BigInt(seqno), safeToBootstrap: safe === '1' };
}

/**
 * The same file with leave to form a new cluster from here, of this history. Without one it is the history the file
 * names, or none: then the data begins a new one.
 */
export function grastateToBootstrap(text: string | undefined, history: HistoryUuid | undefined): string {
  const known = text === undefined ? 'corrupt' : parseGrastate(text);
  const uuid = history ?? (known === 'corrupt' ? noHistory : known.uuid);
  // Of a file that says something else nothing is kept; the server finds its position in the data itself.
  const seqno = known !== 'corrupt' && known.uuid === uuid ? known.seqno : -1n;
  return `# GALERA saved state\nversion: 2.1\nuuid:    ${uuid}\nseqno:   ${seqno}\nsafe_to_bootstrap: 1\n`;
}

/** gvwstate.dat: the members a member last saw in a primary component. */
export function parseGvwstate(text: string): View | 'corrupt' {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const begin = lines.indexOf('#vwbeg');
  const end = lines.indexOf('#vwend');
  if (begin < 0 || end < begin) return 'corrupt';
  const inside = lines.slice(begin + 1, end).map(pairOf);
  const member = only(lines.slice(0, begin).map(pairOf), 'my_uuid')?.toLowerCase();
  const [, id, number] = /^\d+ (\S+) (\d+)$/.exec(only(inside, 'view_id') ?? '') ?? [];
  const members = inside.flatMap(([key, value]) =>
    key === 'member' ? [value.split(' ')[0]?.toLowerCase() ?? ''] : [],
  );
  if (member === undefined || id === undefined || !uuidForm.test(id)) return 'corrupt';
  if (!members.every((one) => uuidForm.test(one)) || !members.includes(member)) return 'corrupt';
  return { member, id: `${id.toLowerCase()} ${number}`, members };
}

/** What one start with `--wsrep-recover` said, from its own output and exit code. */
export function parseRecovered(output: string, exitCode: number): Recovered {
  const failed = (why: string): Recovered => ({ kind: 'failed', exitCode, why });
  if (exitCode !== 0) return failed(lastError(output) ?? 'it said nothing');
  const found = [...output.matchAll(/WSREP: Recovered position:? *(\S+)/g)].map(([, said]) => said ?? '');
  const [first] = found;
  if (first === undefined) return failed('it named no position');
  if (new Set(found).size > 1) return failed(`it named several positions: ${found.join(', ')}`);
  // The global transaction id of the binary log may follow after a comma.
  const [, uuid = '', seqno = ''] = /^([^:,]+):(-?\d+)(?:,.*)?$/.exec(first) ?? [];
  if (!uuidForm.test(uuid)) return failed(`it named no position but ${first}`);
  return { kind: 'position', position: { uuid: uuid.toLowerCase(), seqno: BigInt(seqno) } };
}

/** The files of a data directory that tell the version whose upgrade the data has had, the newer name first. */
export const dataVersionFiles = ['mariadb_upgrade_info', 'mysql_upgrade_info'] as const;

/** That version, of the texts of a data directory's files; undefined when none of them tells one. */
export function dataVersionIn(texts: ReadonlyMap<string, string>): string | undefined {
  const [text] = dataVersionFiles.flatMap((file) => texts.get(file) ?? []);
  return text === undefined ? undefined : parseDataVersion(text);
}

/** The version at the beginning of a text, `11.8.6-MariaDB`. */
export function parseDataVersion(text: string): string | undefined {
  return /^\s*(\d+\.\d+\.\d+\S*)/.exec(text)?.[1];
}

/** Key and value of each line; of a last line without an end only what one digit says, which cannot be cut short. */
function wholeLines(text: string): [string, string][] {
  const lines = text.split(/\r?\n/);
  const last = lines.pop()?.trim() ?? '';
  const whole = /^safe_to_bootstrap:\s*[01]$/.test(last) ? [...lines, last] : lines;
  return last === '' || whole.length > lines.length ? whole.map(pairOf) : [];
}

function pairOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (line.startsWith('#') || colon < 0) return ['', ''];
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

/** The value of a key that stands there once. */
function only(pairs: readonly (readonly [string, string])[], key: string): string | undefined {
  const values = pairs.flatMap(([name, value]) => (name === key ? [value] : []));
  return values.length === 1 ? values[0] : undefined;
}

function lastError(output: string): string | undefined {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const errors = lines.filter((line) => /\[ERROR\]|Error:|error while/.test(line));
  return (errors.at(-1) ?? lines.at(-1))?.replace(/^[\d-]+ +[\d:.]+ \d+ /, '');
}
