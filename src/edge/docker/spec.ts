import { DeployError, type Diagnostic, error, exitCode } from '../../core/model/diagnostic.ts';
import { type ContainerSpec, type Healthcheck, imageName } from '../../core/model/node.ts';
import { isSecret } from '../../core/model/secret.ts';
import { didYouMean } from '../../core/model/suggest.ts';

/** The engine's body for `POST /containers/create`, as far as it is used. */
export interface CreateBody {
  readonly name: string;
  readonly Image: string;
  readonly Env: string[];
  readonly Labels: Record<string, string>;
  readonly Cmd?: string[];
  readonly Healthcheck?: HealthcheckBody;
  readonly HostConfig: HostConfigBody;
}

interface HealthcheckBody {
  readonly Test: string[];
  /** Nanoseconds, like the other durations here. */
  readonly Interval: number;
  readonly Timeout: number;
  readonly StartPeriod: number;
  readonly Retries: number;
}

interface HostConfigBody extends Record<string, unknown> {
  readonly Binds: string[];
  readonly NetworkMode: 'host';
  readonly Privileged: boolean;
  readonly RestartPolicy: { readonly Name: 'unless-stopped' | 'no' };
}

type Field = readonly [key: string, read: (value: unknown) => unknown];

const units: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** Bytes from a number or from docker's notation: `512m`, `2g`, `1.5gb`; -1 stays, it means unlimited. */
function bytes(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? value : undefined;
  const parts = typeof value === 'string' ? /^(-1|\d+(?:\.\d+)?)\s*([bkmgt]?)b?$/i.exec(value.trim()) : null;
  if (!parts) return undefined;
  return Math.floor(Number(parts[1]) * (units[(parts[2] ?? '').toLowerCase()] ?? 1));
}

function whole(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^-?\d+$/.test(value.trim()) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) ? number : undefined;
}

function cpuSet(value: unknown): string | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && /^[\d,\s-]*$/.test(text) ? text.replace(/\s/g, '') : undefined;
}

function ulimits(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  const list = Object.entries(value).map(([name, limit]: [string, unknown]) => {
    const pair = limit !== null && typeof limit === 'object' ? (limit as Record<string, unknown>) : undefined;
    const soft = whole(pair ? pair.soft : limit);
    const hard = whole(pair ? pair.hard : limit);
    return { Name: name, Soft: soft, Hard: hard };
  });
  return list.every((one) => one.Soft !== undefined && one.Hard !== undefined) ? list : undefined;
}

const dimensionFields: Readonly<Record<string, Field>> = {
  mem_limit: ['Memory', bytes],
  mem_reservation: ['MemoryReservation', bytes],
  memswap_limit: ['MemorySwap', bytes],
  kernel_memory: ['KernelMemory', bytes],
  shm_size: ['ShmSize', bytes],
  cpu_period: ['CpuPeriod', whole],
  cpu_quota: ['CpuQuota', whole],
  cpu_shares: ['CpuShares', whole],
  cpuset_cpus: ['CpusetCpus', cpuSet],
  cpuset_mems: ['CpusetMems', cpuSet],
  pids_limit: ['PidsLimit', whole],
  blkio_weight: ['BlkioWeight', whole],
  ulimits: ['Ulimits', ulimits],
};

/** Kolla's dimensions as members of the engine's HostConfig; throws a DeployError with all that do not fit. */
function dimensions(spec: ContainerSpec): Record<string, unknown> {
  const problems: Diagnostic[] = [];
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(spec.dimensions)) {
    const field = dimensionFields[name];
    const read = field?.[1](value);
    if (!field) {
      const hint =
        didYouMean(name, Object.keys(dimensionFields)) ?? `known: ${Object.keys(dimensionFields).join(', ')}`;
      problems.push(error('unknown-dimension', `container ${spec.name}: unknown dimension ${name}`, { hint }));
    } else if (read === undefined) {
      const shown = JSON.stringify(value) ?? String(value);
      problems.push(error('bad-dimension', `container ${spec.name}: dimension ${name} cannot be ${shown}`));
    } else result[field[0]] = read;
  }
  if (problems.length > 0) throw new DeployError(problems, exitCode.badInput);
  return result;
}

function healthcheck(check: Healthcheck): HealthcheckBody {
  const nanoseconds = (seconds: number): number => Math.round(seconds * 1e9);
  return {
    Test: ['CMD-SHELL', check.test],
    Interval: nanoseconds(check.interval),
    Timeout: nanoseconds(check.timeout),
    StartPeriod: nanoseconds(check.startPeriod),
    Retries: check.retries,
  };
}

/**
 * A container as the engine is asked to create it: on the host's network, with the image's tag (its digest is
 * checked before). This is where secrets of the environment are revealed. Throws a DeployError (exit 3) for
 * dimensions the engine does not know.
 */
export function createBody(spec: ContainerSpec, labels: Readonly<Record<string, string>>): CreateBody {
  return {
    name: spec.name,
    Image: imageName(spec.image),
    Env: Object.entries(spec.environment).map(([key, value]) => `${key}=${isSecret(value) ? value.reveal() : value}`),
    Labels: { ...labels },
    ...(spec.command ? { Cmd: [...spec.command] } : {}),
    ...(spec.healthcheck ? { Healthcheck: healthcheck(spec.healthcheck) } : {}),
    HostConfig: {
      Binds: [...spec.volumes],
      NetworkMode: 'host',
      Privileged: spec.privileged,
      ...(spec.capAdd.length > 0 ? { CapAdd: [...spec.capAdd] } : {}),
      ...(spec.pidMode ? { PidMode: spec.pidMode } : {}),
      ...(spec.ipcMode ? { IpcMode: spec.ipcMode } : {}),
      RestartPolicy: { Name: spec.restart },
      ...dimensions(spec),
    },
  };
}
