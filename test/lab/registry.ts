import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { LabError, waitFor } from './command.ts';
import { writeIfChanged } from './engine.ts';
import {
  findProcesses,
  type LabProcess,
  logFile,
  logTail,
  removeStale,
  startDetached,
  stopProcesses,
} from './processes.ts';
import { LAB_NUMBER, paths, REGISTRY } from './settings.ts';

const CONFIG = join(paths.etc, 'registry.yml');

const registry: LabProcess = {
  program: 'docker-registry',
  argument: CONFIG,
  args: ['serve', CONFIG],
  pidFile: paths.registryPid,
};

const asidePort = 5000 + LAB_NUMBER;

const CONFIGURATION = `version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: ${paths.registry}
  delete:
    enabled: true
http:
  addr: ${REGISTRY}
`;

/** Starts the registry on the bridge's gateway address unless it answers there. */
export async function startRegistry(): Promise<'already running' | 'started'> {
  mkdirSync(paths.etc, { recursive: true });
  mkdirSync(paths.registry, { recursive: true });
  const changed = writeIfChanged(CONFIG, CONFIGURATION);
  if (!changed && findProcesses(registry.program, registry.argument).length > 0 && (await registryAnswers())) {
    return 'already running';
  }
  await stopRegistry();
  startDetached(registry);
  const alive = (): boolean => findProcesses(registry.program, registry.argument).length > 0;
  if ((await waitFor(registryAnswers, 15_000)) && alive()) return 'started';
  throw new LabError(
    `the lab's registry does not come up on ${REGISTRY}; the end of its log:\n${logTail(registry.program)}`,
    `read ${logFile(registry.program)}; see who listens there with: ss -ltnp 'sport = :5000'`,
  );
}

/**
 * Starts the stopped registry on loopback, so that something else can stand at its address; returns the port. With the
 * same configuration it is one of the lab's processes: stopped like the registry, and by the next start of it.
 */
export async function startRegistryAside(): Promise<number> {
  startDetached({ ...registry, env: { REGISTRY_HTTP_ADDR: `127.0.0.1:${asidePort}` } });
  const answers = async (): Promise<boolean> => (await status('/v2/', `127.0.0.1:${asidePort}`)) === 200;
  if (await waitFor(answers, 15_000)) return asidePort;
  throw new LabError(`the lab's registry does not come up on port ${asidePort}:\n${logTail(registry.program)}`);
}

/** Stops the registry, for fault tests and for removing the lab. */
export async function stopRegistry(): Promise<void> {
  await stopProcesses(registry.program, registry.argument, 3_000);
  removeStale(paths.registryPid);
}

export async function registryAnswers(): Promise<boolean> {
  return (await status('/v2/')) === 200;
}

/** Whether the registry holds this tag; `repository` without the registry's address, for example "lab/debian". */
export async function registryHas(repository: string, tag: string): Promise<boolean> {
  return (await status(`/v2/${repository}/manifests/${tag}`)) === 200;
}

async function status(path: string, address: string = REGISTRY): Promise<number> {
  try {
    const accept = 'application/vnd.docker.distribution.manifest.v2+json';
    const response = await fetch(`http://${address}${path}`, {
      headers: { accept },
      signal: AbortSignal.timeout(3_000),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}
