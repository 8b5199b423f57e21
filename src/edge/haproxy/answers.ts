/** What the operator or we have asked of a server, apart from how it is. */
export type AdminState = 'ready' | 'drain' | 'maint';

export interface ServerState {
  readonly backend: string;
  readonly server: string;
  readonly admin: AdminState;
  /** Takes or could take requests: its checks pass (or it has none) and it is not in maintenance. */
  readonly up: boolean;
  /** HAProxy's words: `UP`, `DOWN`, `UP 1/2` (going up or down), `DRAIN`, `MAINT`, `no check`. */
  readonly status: string;
  /** Current sessions; of HTTP servers the requests being served. */
  readonly sessions: number;
  /** Requests waiting for this server. */
  readonly queued: number;
  /** `L7OK`, `L4CON`, …; empty without checks. */
  readonly check: string;
  /** What the last failed check said, `Connection refused`. */
  readonly checkText: string;
  /** `10.0.0.1:9511` */
  readonly address: string;
  readonly backup: boolean;
}

export interface Answers {
  /** Rows of `show stat` by column name. */
  readonly stat: readonly Readonly<Record<string, string>>[];
  /** Rows of `show servers state` by column name. */
  readonly state: readonly Readonly<Record<string, string>>[];
  /** Everything else that is not blank: complaints. */
  readonly remarks: readonly string[];
}

/** Takes apart the answers to several commands sent on one line with `;` between them. */
export function parseAnswers(text: string): Answers {
  const stat: Record<string, string>[] = [];
  const state: Record<string, string>[] = [];
  const remarks: string[] = [];
  let table: { rows: Record<string, string>[]; columns: string[]; split: (line: string) => string[] } | undefined;
  let versionLine = '';
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('# pxname,')) {
      table = { rows: stat, columns: splitCsv(line.slice(2)), split: splitCsv };
    } else if (line.startsWith('# be_id ')) {
      // The format's version stands alone on the line before.
      if (remarks.at(-1) === versionLine) remarks.pop();
      table = { rows: state, columns: splitBlanks(line.slice(2)), split: splitBlanks };
    } else if (line.trim() === '') {
      table = undefined;
    } else if (table) {
      table.rows.push(asRecord(table.columns, table.split(line)));
    } else {
      versionLine = /^\d+$/.test(line) ? line : '';
      remarks.push(line);
    }
  }
  return { stat, state, remarks };
}

/** `Name: value` lines of `show info`. */
export function parseInfo(text: string): ReadonlyMap<string, string> {
  const info = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) info.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return info;
}

/** Joins both tables. `show stat` alone would hide that a server which is down was also drained. */
export function mergeStates(answers: Answers): readonly ServerState[] {
  const admins = new Map(answers.state.map((row) => [`${row.be_name}/${row.srv_name}`, adminState(row)]));
  return answers.stat
    .filter((row) => row.svname !== 'FRONTEND' && row.svname !== 'BACKEND')
    .map((row) => {
      const status = row.status ?? '';
      return {
        backend: row.pxname ?? '',
        server: row.svname ?? '',
        admin: admins.get(`${row.pxname}/${row.svname}`) ?? adminOfStatus(status),
        up: /^(UP|DRAIN|NOLB|no check)/.test(status),
        status,
        sessions: Number(row.scur ?? 0),
        queued: Number(row.qcur ?? 0),
        check: (row.check_status ?? '').replace(/^\* /, ''),
        checkText: row.last_chk ?? '',
        address: row.addr ?? '',
        backup: row.bck === '1',
      };
    });
}

/** Bits of srv_admin_state: maintenance forced, inherited, configured, by name resolution; drain forced, inherited. */
export function adminState(row: Readonly<Record<string, string>>): AdminState {
  const bits = Number(row.srv_admin_state ?? 0);
  if (bits & 0x67) return 'maint';
  return bits & 0x18 ? 'drain' : 'ready';
}

function adminOfStatus(status: string): AdminState {
  if (status.startsWith('MAINT')) return 'maint';
  return status.startsWith('DRAIN') ? 'drain' : 'ready';
}

function asRecord(columns: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(columns.map((column, i) => [column, values[i] ?? '']).filter(([column]) => column !== ''));
}

function splitBlanks(line: string): string[] {
  return line.trim().split(/ +/);
}

/** Fields with commas or quotes stand in quotes, a quote in them is doubled. */
function splitCsv(line: string): string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/gy;
  while (field.lastIndex < line.length) {
    const match = field.exec(line);
    if (!match) break;
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
  }
  return fields;
}
