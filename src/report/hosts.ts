/** Up to here every host is named. */
const fewHosts = 4;
/** More pieces than this are not read by anybody. */
const mostPieces = 8;

interface Numbered {
  readonly prefix: string;
  readonly digits: string;
  readonly suffix: string;
}

/**
 * Hosts as a part of a sentence: named when they are few, else as ranges (`cmp[001-300], ctl[1-3]`), and never longer
 * than a line or two whatever their number.
 */
export function foldHosts(hosts: readonly string[]): string {
  const all = [...new Set(hosts)];
  if (all.length <= fewHosts) return all.join(', ');
  const groups = new Map<string, { name: string; number: Numbered }[] | string>();
  const padded = new Set(all.flatMap((name) => paddedSeries(numbered(name))));
  for (const name of all) {
    const number = numbered(name);
    const key = number ? seriesOf(number, padded) : name;
    const group = groups.get(key);
    if (number === undefined) groups.set(key, name);
    else if (Array.isArray(group)) group.push({ name, number });
    else groups.set(key, [{ name, number }]);
  }
  const pieces = [...groups.values()].flatMap((group) =>
    typeof group === 'string' ? [{ text: group, size: 1 }] : ranges(group),
  );
  const rest = pieces.slice(mostPieces).reduce((sum, piece) => sum + piece.size, 0);
  const shown = pieces.slice(0, mostPieces).map((piece) => piece.text);
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join(', ');
}

/** The last number in the first label: `cmp001.example.org` is number 001. */
function numbered(name: string): Numbered | undefined {
  const [, prefix = '', digits, suffix = ''] = /^([^.]*?)(\d+)([^.\d]*(?:\..*)?)$/.exec(name) ?? [];
  return digits === undefined ? undefined : { prefix, digits, suffix };
}

/** Numbers that are filled up with zeros belong to those of their width, `099` to `100`; others whatever their length. */
function seriesOf(number: Numbered, padded: ReadonlySet<string>): string {
  const wide = wideSeries(number);
  return padded.has(wide) ? wide : `${number.prefix}\0${number.suffix}`;
}

function paddedSeries(number: Numbered | undefined): string[] {
  return number && number.digits.length > 1 && number.digits.startsWith('0') ? [wideSeries(number)] : [];
}

function wideSeries({ prefix, digits, suffix }: Numbered): string {
  return `${prefix}\0${suffix}\0${digits.length}`;
}

/** Hosts that differ in a number as one text. */
function ranges(group: readonly { name: string; number: Numbered }[]): { text: string; size: number }[] {
  const sorted = [...group].sort((a, b) => Number(a.number.digits) - Number(b.number.digits));
  const runs: { name: string; number: Numbered }[][] = [];
  for (const one of sorted) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run && last && Number(one.number.digits) === Number(last.number.digits) + 1) run.push(one);
    else runs.push([one]);
  }
  const { prefix = '', suffix = '' } = sorted[0]?.number ?? {};
  const parts = runs.map((run) => {
    const [first = '', last = ''] = [run[0]?.number.digits, run.at(-1)?.number.digits];
    return { text: run.length > 1 ? `${first}-${last}` : first, size: run.length };
  });
  const named = parts.slice(0, mostPieces);
  const rest = parts.slice(mostPieces).reduce((sum, part) => sum + part.size, 0);
  const inside = named.map((part) => part.text).join();
  const text =
    named.length === 1 && named[0]?.size === 1 ? `${prefix}${inside}${suffix}` : `${prefix}[${inside}]${suffix}`;
  return [{ text: rest > 0 ? `${text} and ${rest} more` : text, size: group.length }];
}
