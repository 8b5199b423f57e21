import type { Duplex } from 'node:stream';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import { type AdminState, adminState, mergeStates, parseAnswers, parseInfo, type ServerState } from './answers.ts';

/** Gives one line to a HAProxy's stats socket and returns everything it answers. */
export type Send = (command: string) => Promise<string>;

export interface ServerName {
  readonly backend: string;
  readonly server: string;
}

/** An argument list that a container with `sh` and `socat` runs to send one line; no text reaches the shell unquoted. */
export function socatCommand(socketPath: string, command: string, timeoutSeconds = 5): readonly string[] {
  const script = 'printf "%s\\n" "$1" | socat -t "$3" stdio "unix-connect:$2"';
  return ['sh', '-c', script, 'sh', command, socketPath, String(timeoutSeconds)];
}

/** One line over a connection to the socket; HAProxy answers and closes it. */
export async function sayThrough(stream: Duplex, command: string, timeoutMs = 20_000): Promise<string> {
  const timer = setTimeout(() => stream.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  try {
    stream.write(`${command}\n`);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('utf8');
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new DeployError([error('haproxy-socket', `the stats socket of HAProxy failed: ${said}`)], exitCode.failed);
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}

/** All servers of all backends, or of one; one command. */
export async function serverStates(send: Send, backend?: string): Promise<readonly ServerState[]> {
  const of = backend === undefined ? '' : ` ${checked(backend)}`;
  const answers = parseAnswers(await send(`show servers state${of};show stat -1 4 -1`));
  if (answers.remarks.length > 0) throw complaint(answers.remarks, backend === undefined ? [] : [backend]);
  const all = mergeStates(answers);
  return backend === undefined ? all : all.filter((s) => s.backend === backend);
}

/** One server; an error when this HAProxy does not have it. */
export async function serverState(send: Send, backend: string, server: string): Promise<ServerState> {
  const found = (await serverStates(send, backend)).find((s) => s.server === server);
  if (found) return found;
  throw complaint(['No such server.'], [`${backend}/${server}`]);
}

/** Sessions the server is serving plus requests waiting for it. */
export async function sessions(send: Send, backend: string, server: string): Promise<number> {
  const state = await serverState(send, backend, server);
  return state.sessions + state.queued;
}

/** No new sessions; those there are go on, checks too. Returns what was changed. */
export function drain(send: Send, backend: string, server: string): Promise<readonly string[]> {
  return setStates(send, [{ backend, server }], 'drain');
}

/** Takes sessions again, as soon as its checks pass. Returns what was changed. */
export function ready(send: Send, backend: string, server: string): Promise<readonly string[]> {
  return setStates(send, [{ backend, server }], 'ready');
}

/** No new sessions and no checks. Returns what was changed. */
export function maint(send: Send, backend: string, server: string): Promise<readonly string[]> {
  return setStates(send, [{ backend, server }], 'maint');
}

const done: Readonly<Record<AdminState, string>> = {
  drain: 'drained',
  ready: 'made ready',
  maint: 'put into maintenance',
};

/** The same state for several servers with one line: the states before and the orders travel together. */
export async function setStates(
  send: Send,
  servers: readonly ServerName[],
  wanted: AdminState,
): Promise<readonly string[]> {
  if (servers.length === 0) return [];
  const names = servers.map(({ backend, server }) => `${checked(backend)}/${checked(server)}`);
  const orders = names.map((name) => `set server ${name} state ${wanted}`);
  const answers = parseAnswers(await send(['show servers state', ...orders].join(';')));
  if (answers.remarks.length > 0) throw complaint(answers.remarks, names);
  const before = new Map(answers.state.map((row) => [`${row.be_name}/${row.srv_name}`, adminState(row)]));
  return names.filter((name) => before.get(name) !== wanted).map((name) => `${done[wanted]} ${name}`);
}

/**
 * Servers take requests again at once: their health has just been seen, so HAProxy need not find it out by as many
 * checks as its `rise` asks for. A check that fails afterwards counts as ever.
 */
export async function putBack(send: Send, servers: readonly ServerName[]): Promise<readonly string[]> {
  const changed = await setStates(send, servers, 'ready');
  const orders = servers.map(({ backend, server }) => `set server ${checked(backend)}/${checked(server)} health up`);
  const answers = parseAnswers(await send(['show servers state', ...orders].join(';')));
  if (answers.remarks.length > 0)
    throw complaint(
      answers.remarks,
      servers.map((s) => `${s.backend}/${s.server}`),
    );
  return changed;
}

/** Servers beside these that take requests, in that backend of theirs which has fewest. */
export function countOthers(states: readonly ServerState[], servers: readonly ServerName[]): number {
  const counts = [...new Set(servers.map(({ backend }) => backend))].map(
    (backend) =>
      states.filter(
        (s) =>
          s.backend === backend &&
          s.up &&
          s.admin === 'ready' &&
          !servers.some((w) => w.backend === backend && w.server === s.server),
      ).length,
  );
  return Math.min(...counts);
}

/** `Version`, `Uptime_sec`, `Pid`, … of the process that answers. */
export async function processInfo(send: Send): Promise<ReadonlyMap<string, string>> {
  return parseInfo(await send('show info'));
}

/** A name HAProxy allows: nothing in it can end the command or begin another. */
function checked(name: string): string {
  if (/^[A-Za-z0-9_.:-]+$/.test(name)) return name;
  throw complaint([`"${name}" cannot be the name of a backend or server`], []);
}

function complaint(remarks: readonly string[], about: readonly string[]): DeployError {
  const said = [...new Set(remarks)].slice(0, 3).join(' ').trim();
  const what = about.length > 0 ? ` (${about.join(', ')})` : '';
  const hint = /permission denied/i.test(said)
    ? 'the stats socket in haproxy.cfg needs `level admin`'
    : 'compare with the running configuration of that load balancer: deploy reconfigure --tags loadbalancer';
  return new DeployError([error('haproxy-refused', `HAProxy refused: ${said}${what}`, { hint })], exitCode.failed);
}
