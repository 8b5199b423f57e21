import type { ListeningSocket, ObservedFile, ObservedNode } from '../../core/model/node.ts';

/** The part of an observed node that a command finds out; the engine tells the rest. */
export type Look = Pick<
  ObservedNode,
  'hostname' | 'files' | 'markers' | 'addresses' | 'processors' | 'memoryMb' | 'room'
> & {
  readonly listening: NonNullable<ObservedNode['listening']>;
};

/**
 * One POSIX script for one session, `$1` the config root, `$2` `yes` to list listening sockets. All pieces of its
 * output end in NUL, so that names may hold blanks and newlines; a piece that begins with `@` starts a section,
 * texts begin with `=`. The number of processes it starts does not depend on the number of files.
 */
export const lookScript = `exec 2>/dev/null
LC_ALL=C; export LC_ALL
section() { printf '@%s\\0' "$1"; }
text() { printf '=%s\\0' "$1"; }
owners() {
  find /proc/[0-9]*/fd -maxdepth 1 -lname 'socket:*' -printf '%p %l\\n' | awk '
    FILENAME != "-" { if ($4 == "0A") wanted["socket:[" $10 "]"] = 1; next }
    $2 in wanted { split($1, path, "/"); print path[3], $2; delete wanted[$2] }' /proc/net/tcp /proc/net/tcp6 - |
  while read -r pid socket; do
    group=
    while read -r line; do [ \${#line} -gt \${#group} ] && group=$line; done <"/proc/$pid/cgroup"
    printf '%s %s\\n' "$socket" "$group"
  done
}
printf '\\0'
section hostname; text "$(hostname -s || uname -n)"
section processors; text "$(nproc || grep -c ^processor /proc/cpuinfo)"
section memory; text "$(while read -r key value unit; do [ "$key" = MemTotal: ] && echo "$value" && break; done </proc/meminfo)"
section addresses
if command -v ip >/dev/null; then text "$(ip -o addr show)"
else section routes; text "$(cat /proc/net/fib_trie /proc/net/if_inet6)"; fi
if cd "$1"; then
  section room; text "$(df -Pk .)"
  section modes; find . -path ./.deploy -prune -o -type f -printf '%m\\0%p\\0'
  section digests; find . -path ./.deploy -prune -o -type f -exec sha256sum -z -- {} +
  if cd .deploy/markers; then section markers; text "$(grep -rH '' .)"; fi
fi
if [ "$2" = yes ]; then section listening; text "$(cat /proc/net/tcp /proc/net/tcp6)"
  section owners; text "$(owners)"; fi
section done
`;

function sections(output: Buffer): Map<string, string[]> {
  const result = new Map<string, string[]>();
  // What a login shell may print of its own comes before the first NUL.
  const pieces = output.toString('utf8').split('\0').slice(1);
  let current: string[] | undefined;
  for (const piece of pieces) {
    if (piece.startsWith('@')) {
      current = [];
      result.set(piece.slice(1), current);
    } else current?.push(piece);
  }
  return result;
}

function textOf(all: ReadonlyMap<string, readonly string[]>, name: string): string {
  return all.get(name)?.[0]?.slice(1) ?? '';
}

function files(all: ReadonlyMap<string, readonly string[]>, root: string): ObservedFile[] {
  const modes = new Map<string, string>();
  const list = all.get('modes') ?? [];
  for (let i = 0; i + 1 < list.length; i += 2) modes.set(list[i + 1] ?? '', (list[i] ?? '').padStart(4, '0'));
  const found = (all.get('digests') ?? []).flatMap((line) => {
    const parts = /^([0-9a-f]{64})[ ][ *]([\s\S]+)$/.exec(line);
    const mode = parts && modes.get(parts[2] ?? '');
    // A file that came or went between the two lists is seen by the next look.
    if (!parts || mode === undefined || mode === null) return [];
    return [{ path: `${root}/${(parts[2] ?? '').replace(/^\.\//, '')}`, sha256: parts[1] ?? '', mode }];
  });
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A marker's file holds its value as one line of JSON, so that one grep reads all of them. */
export function encodeMarker(value: string): string {
  return `${JSON.stringify(value)}\n`;
}

/** Keys of markers; they are file names. */
export const markerKey = /^[a-z0-9._-]+$/;

function markers(text: string): Record<string, string> {
  const result: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const parts = /^\.\/([a-z0-9._-]+):(".*")$/.exec(line);
    if (!parts) continue;
    try {
      result[parts[1] ?? ''] = String(JSON.parse(parts[2] ?? '""'));
    } catch {
      // Not written by us: a fact that cannot be read is a fact that is not there.
    }
  }
  return result;
}

/** Addresses from `ip -o addr`, or from the kernel's local routes and if_inet6 where there is no such command. */
export function parseAddresses(ip: string, routes: string): string[] {
  const listed = [...ip.matchAll(/\sinet6?\s+([0-9a-fA-F.:]+)/g)].map((match) => match[1] ?? '');
  const local = [...routes.matchAll(/\|--\s+([\d.]+)\n(?:\s+\/\d+ [^\n]*\n)*?\s+\/32 host LOCAL/g)].map(
    (m) => m[1] ?? '',
  );
  const six = [...routes.matchAll(/^([0-9a-f]{32}) /gm)].map((match) => ipv6(match[1] ?? ''));
  return [...new Set([...listed, ...local, ...six])].filter((address) => address !== '');
}

/** The usual short form of 32 hexadecimal digits: longest run of zero groups as `::`. */
function ipv6(digits: string): string {
  const groups = (digits.match(/.{4}/g) ?? []).map((group) => Number.parseInt(group, 16).toString(16));
  const runs = [...groups.join(':').matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].map((match) => match[0]);
  const longest = runs.sort((a, b) => b.length - a.length)[0];
  if (longest === undefined) return groups.join(':');
  const text = groups.join(':');
  const at = text.indexOf(longest);
  const before = text.slice(0, at);
  const after = text.slice(at + longest.length).replace(/^:/, '');
  return `${before}::${after}`;
}

/** /proc/net/tcp stores addresses as 32-bit words in the machine's order; all nodes are little endian. */
function socketAddress(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse());
  return bytes.length === 4 ? bytes.map((b) => Number.parseInt(b, 16)).join('.') : ipv6(bytes.join('').toLowerCase());
}

/**
 * Listening TCP sockets from /proc/net/tcp and tcp6: state 0A. `owners` has a line for each socket whose process could
 * be seen: its inode and the longest of the process's control groups, which ends in the container's id.
 */
export function parseListening(text: string, owners = ''): ListeningSocket[] {
  const byInode = new Map(
    [...owners.matchAll(/^socket:\[(\d+)\] (.*)$/gm)].map(([, inode, group = '']) => [
      inode,
      [...group.matchAll(/[0-9a-f]{64}/g)].at(-1)?.[0] ?? 'node',
    ]),
  );
  const sockets = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A (?:\S+\s+){5}(\d+)/gm;
  return [...text.matchAll(sockets)].map(([, address = '', port = '0', inode]) => {
    const owner = byInode.get(inode);
    return {
      address: socketAddress(address),
      port: Number.parseInt(port, 16),
      ...(owner === undefined ? {} : { owner }),
    };
  });
}

/** The fourth column of `df -Pk`; a device name may hold blanks, the numbers do not. */
function roomOf(text: string, folder: string): Pick<Look, 'room'> {
  const [, kib] = /\s\d+\s+\d+\s+(\d+)\s+\d+%/.exec(text) ?? [];
  return kib === undefined ? {} : { room: { folder, kib: Number(kib) } };
}

/** Reads the output of `lookScript`; undefined when it was cut short. */
export function parseLook(output: Buffer, root: string): Look | undefined {
  const all = sections(output);
  if (!all.has('done')) return undefined;
  return {
    hostname: textOf(all, 'hostname').trim(),
    processors: Number(textOf(all, 'processors').trim()) || 1,
    memoryMb: Math.floor((Number(textOf(all, 'memory').trim()) || 0) / 1024),
    addresses: parseAddresses(textOf(all, 'addresses'), textOf(all, 'routes')),
    files: files(all, root),
    markers: markers(textOf(all, 'markers')),
    ...roomOf(textOf(all, 'room'), root),
    listening: parseListening(textOf(all, 'listening'), textOf(all, 'owners')),
  };
}
