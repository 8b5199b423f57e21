import type Docker from 'dockerode';
import type { CreateBody } from './spec.ts';

type Settings = Pick<Docker.ContainerInspectInfo, 'Config' | 'HostConfig' | 'Image'>;
type Image = Pick<Docker.ImageInspectInfo, 'Config' | 'RepoDigests'>;

/**
 * What differs between a container as the engine describes it and as it would be made now, in words without values of
 * its environment or command: `environment + FOO`. What the image brings by itself is no difference; without the image
 * (it was removed) only what was asked for is compared.
 */
export function settingsDifferences(wanted: CreateBody, digest: string, seen: Settings, image?: Image): string[] {
  const host = (seen.HostConfig ?? {}) as unknown as Record<string, unknown>;
  return [
    ...imageDifference(digest, seen, image),
    ...environmentDifferences(wanted, seen, image),
    ...listDifferences('volume', wanted.HostConfig.Binds, [...texts(host.Binds), ...mounts(host.Mounts)]),
    ...listDifferences('capability', texts(wanted.HostConfig.CapAdd).map(plain), texts(host.CapAdd).map(plain)),
    ...processDifferences(wanted, seen, image),
    ...modes.flatMap(([key, words, usual]) => {
      const [one, other] = [wanted.HostConfig[key], host[key]].map((value) => known(value, usual));
      return one === other ? [] : [`${words} ${one || 'default'} → ${other || 'default'}`];
    }),
    ...(wanted.HostConfig.RestartPolicy.Name === restart(host)
      ? []
      : [`restart policy ${wanted.HostConfig.RestartPolicy.Name} → ${restart(host)}`]),
    ...limits.flatMap((key) => {
      const [one, other] = [Number(wanted.HostConfig[key] ?? 0), Number(host[key] ?? 0)];
      // -1 and 0 both mean that there is no limit.
      return Math.max(one, 0) === Math.max(other, 0) ? [] : [`${key} ${one} → ${other}`];
    }),
  ];
}

/** Members of HostConfig, what to call them, and what the engine writes where nothing was asked for. */
const modes = [
  ['Privileged', 'privileged', ['false']],
  ['NetworkMode', 'network', []],
  ['PidMode', 'pid mode', []],
  ['IpcMode', 'ipc mode', ['private', 'shareable']],
  ['CpusetCpus', 'cpuset', []],
  ['CpusetMems', 'cpuset of memory', []],
] as const;

/** Limits that can be changed while a container runs. What swap it may use follows from its memory. */
const limits = [
  'Memory',
  'MemoryReservation',
  'NanoCpus',
  'CpuShares',
  'CpuPeriod',
  'CpuQuota',
  'PidsLimit',
  'BlkioWeight',
] as const;

function known(value: unknown, usual: readonly string[]): string {
  const text = value === undefined || value === null ? '' : String(value);
  return usual.includes(text) ? '' : text;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function mounts(value: unknown): string[] {
  return Array.isArray(value) ? value.map((mount) => String(mount?.Target ?? '')) : [];
}

/** Engines write capabilities with or without their prefix. */
function plain(capability: string): string {
  return capability.replace(/^CAP_/, '');
}

function restart(host: Record<string, unknown>): string {
  const policy = host.RestartPolicy as { Name?: string } | undefined;
  return policy?.Name || 'no';
}

function imageDifference(digest: string, seen: Settings, image: Image | undefined): string[] {
  const digests = image?.RepoDigests ?? [];
  if (digest === '' || digests.length === 0 || digests.some((one) => one.endsWith(`@${digest}`))) return [];
  return [`image ${seen.Config.Image}`];
}

function environmentDifferences(wanted: CreateBody, seen: Settings, image: Image | undefined): string[] {
  const own = new Map(wanted.Env.map(pair));
  const expected = new Map([...(image?.Config?.Env ?? []).map(pair), ...own]);
  const actual = new Map((seen.Config.Env ?? []).map(pair));
  const names = [...new Set([...expected.keys(), ...actual.keys()])].sort();
  return names.flatMap((name) => {
    if (!actual.has(name)) return [`environment − ${name}`];
    if (!expected.has(name)) return image === undefined ? [] : [`environment + ${name}`];
    return actual.get(name) === expected.get(name) ? [] : [`environment ${name}`];
  });
}

function pair(entry: string): [string, string] {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
}

function listDifferences(word: string, wanted: readonly string[], seen: readonly string[]): string[] {
  return [
    ...seen.filter((one) => !wanted.includes(one)).map((one) => `${word} + ${one}`),
    ...wanted.filter((one) => !seen.includes(one)).map((one) => `${word} − ${one}`),
  ];
}

function processDifferences(wanted: CreateBody, { Config: seen }: Settings, image: Image | undefined): string[] {
  const from = image?.Config;
  const same = (one: unknown, other: unknown) => JSON.stringify(one ?? []) === JSON.stringify(other ?? []);
  const differs = (words: string, one: unknown, other: unknown) => (same(one, other) ? [] : [words]);
  return [
    ...(wanted.Cmd || from ? differs('command', wanted.Cmd ?? from?.Cmd, seen.Cmd) : []),
    ...(from ? differs('entrypoint', from.Entrypoint, seen.Entrypoint) : []),
    ...(from ? differs('user', from.User || [], seen.User || []) : []),
    ...(wanted.Healthcheck || from
      ? differs('health check', check(wanted.Healthcheck ?? from?.Healthcheck), check(seen.Healthcheck))
      : []),
  ];
}

/** A health check with all its members, in one order. */
function check(value: unknown): unknown[] {
  const given = (value ?? {}) as Record<string, unknown>;
  return ['Test', 'Interval', 'Timeout', 'StartPeriod', 'Retries'].map((key) => given[key] ?? 0);
}
