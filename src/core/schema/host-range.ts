const maxHosts = 10_000;

/** `node[01:03]` → node01, node02, node03; `[a:c]`, `[0:10:5]`; several ranges multiply. A text says what is wrong. */
export function expandHostRange(pattern: string): string[] | { readonly problem: string } {
  let names = [''];
  let rest = pattern;
  while (rest.includes('[')) {
    const open = rest.indexOf('[');
    const close = rest.indexOf(']', open);
    if (close < 0) return { problem: `host range ${pattern} is not closed` };
    const values = rangeValues(rest.slice(open + 1, close), names.length);
    if (!Array.isArray(values)) return values;
    const head = rest.slice(0, open);
    names = names.flatMap((name) => values.map((value) => name + head + value));
    rest = rest.slice(close + 1);
  }
  if (rest.includes(']')) return { problem: `host range ${pattern} has a ] without [` };
  return names.map((name) => name + rest);
}

function rangeValues(body: string, factor: number): string[] | { readonly problem: string } {
  const [first = '', last = '', stepText = '1', ...more] = body.split(':');
  const step = Number(stepText);
  if (!body.includes(':') || more.length > 0 || !Number.isInteger(step) || step < 1) {
    return { problem: `host range [${body}] must be [first:last] or [first:last:step]` };
  }
  const letters = /^[a-zA-Z]$/.test(first) && /^[a-zA-Z]$/.test(last);
  if (!letters && !(/^\d{0,9}$/.test(first) && /^\d{1,9}$/.test(last))) {
    return { problem: `host range [${body}] needs two numbers or two letters` };
  }
  const from = letters ? first.charCodeAt(0) : Number(first);
  const to = letters ? last.charCodeAt(0) : Number(last);
  if (from > to) return { problem: `host range [${body}] ends before it begins` };
  if (first.startsWith('0') && first.length > 1 && first.length !== last.length) {
    return { problem: `host range [${body}]: both ends need the same number of digits` };
  }
  if (((to - from) / step + 1) * factor > maxHosts) {
    return { problem: `host range [${body}] makes more than ${maxHosts} hosts` };
  }
  const width = first.startsWith('0') ? first.length : 0;
  const values: string[] = [];
  for (let i = from; i <= to; i += step) {
    values.push(letters ? String.fromCharCode(i) : String(i).padStart(width, '0'));
  }
  return values;
}
