import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import type { HostName } from '../../core/model/node.ts';
import { parseRunLog, type RunLogEntry, type RunLogLine } from '../../core/model/run-log.ts';
import type { RunOnNode } from './files.ts';

/** What to write, without secrets. */
export type Loggable = RunLogEntry;

/** Below the root of the containers' configuration. */
export const runLogName = '.deploy/runs.log';

/** Two for each run, some more where locks were broken. */
const linesKept = 200;

/**
 * A shell function: `append FILE LINE` adds a line with the node's time and drops the oldest. A reader sees the old
 * file or the new one; without a file name it does nothing. Only who holds the node's lock, or has broken it, writes.
 */
export const appendScript = `append() {
  [ -n "$1" ] || return 0
  (umask 0007 && mkdir -p "\${1%/*}") 2>/dev/null || return 1
  { { [ ! -e "$1" ] || tail -n ${linesKept - 1} "$1"; } &&
    printf '{"at":"%s",%s\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$2"; } 2>/dev/null >"$1.new" &&
    chmod 0600 "$1.new" && mv -fT "$1.new" "$1" && return 0
  rm -f "$1.new"
  return 1
}`;

/** The line up to its time, which the node puts before it. */
export function lineFor(entry: Loggable): string {
  return JSON.stringify(entry).slice(1);
}

/** What a node knows of the runs that changed it, the oldest first; nothing where there was none. */
export async function readRunLog(host: HostName, root: string, run: RunOnNode): Promise<readonly RunLogLine[]> {
  const file = `${root}/${runLogName}`;
  const result = await run(['sh', '-c', '[ ! -e "$1" ] || cat "$1"', 'sh', file], '');
  if (result.code === 0) return parseRunLog(result.stdout.toString('utf8'));
  const words = result.stderr.trim().split('\n')[0] || `the command ended with status ${result.code}`;
  throw new DeployError([error('run-log', `${file} cannot be read: ${words}`, { host })], exitCode.nodeNotUsable);
}
