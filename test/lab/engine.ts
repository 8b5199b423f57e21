import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOptions, type CommandResult, LabError, must, run, waitFor } from './command.ts';
import {
  findProcesses,
  type LabProcess,
  logFile,
  logTail,
  removeStale,
  startDetached,
  stopProcesses,
} from './processes.ts';
import { lacksSysResource, RUNTIME_NAME, RUNTIME_PATH, writeRuntimeWrapper } from './runtime.ts';
import { LAB_RUN, paths, REGISTRY } from './settings.ts';

const CONTAINERD_CONFIG = join(paths.etc, 'containerd.toml');
const DOCKER_CONFIG = join(paths.etc, 'daemon.json');

const containerd: LabProcess = {
  program: 'containerd',
  argument: CONTAINERD_CONFIG,
  args: ['--config', CONTAINERD_CONFIG],
  pidFile: paths.containerdPid,
};

const dockerd: LabProcess = {
  program: 'dockerd',
  argument: DOCKER_CONFIG,
  args: ['--config-file', DOCKER_CONFIG],
};

/** Environment that makes the docker command line talk to the lab's outer engine. */
export const outerEngineEnv: Readonly<Record<string, string>> = {
  DOCKER_HOST: `unix://${paths.dockerSocket}`,
  // The nodes' images need no BuildKit, and Debian's package brings none.
  DOCKER_BUILDKIT: '0',
  DOCKER_CLI_HINTS: 'false',
  // Contexts and logins of the person at the keyboard must not leak into the lab.
  DOCKER_CONFIG: join(paths.etc, 'docker-cli'),
};

/** Runs `docker ARGS` against the outer engine. Does not throw on a non-zero exit. */
export function tryOuterDocker(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return run('docker', args, { ...options, env: { ...outerEngineEnv, ...options.env } });
}

/** Runs `docker ARGS` against the outer engine and returns its output. @throws LabError when it fails. */
export function outerDocker(args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return must('docker', args, { ...options, env: { ...outerEngineEnv, ...options.env } });
}

/** Starts the outer engine, or what is missing of it. Says whether anything had to be done. */
export async function startEngine(): Promise<'already running' | 'started'> {
  const changed = writeEngineFiles();
  const running = findProcesses(dockerd.program, dockerd.argument).length > 0 && (await engineAnswers());
  if (running && !changed) return 'already running';
  // An engine that runs but does not answer, or with an older configuration, is of no use.
  await stopEngineProcesses();
  startDetached(containerd);
  await mustBeReady('containerd', async () => existsSync(paths.containerdSocket));
  startDetached(dockerd);
  await mustBeReady('dockerd', engineAnswers);
  return 'started';
}

/** Stops the outer engine's processes; containers end with it. */
export async function stopEngineProcesses(): Promise<void> {
  await stopProcesses(dockerd.program, dockerd.argument, 40_000);
  await stopProcesses(containerd.program, containerd.argument);
  removeStale(paths.dockerPid, paths.dockerSocket, paths.containerdPid);
  removeStale(paths.containerdSocket, `${paths.containerdSocket}.ttrpc`);
}

/** Ends the keepers of containers that a killed engine left behind. */
export function stopShims(): Promise<number> {
  return stopProcesses('containerd-shim-runc-v2', paths.containerdSocket, 1_000);
}

export async function engineAnswers(): Promise<boolean> {
  if (!existsSync(paths.dockerSocket)) return false;
  return (await tryOuterDocker(['version', '--format', '{{.Server.Version}}'], { timeoutMs: 8_000 })).code === 0;
}

/** Whether a docker engine that is not the lab's runs on this machine's own network (inner engines do not count). */
export function otherEngineRuns(): boolean {
  const ours = findProcesses(dockerd.program, dockerd.argument);
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .some((pid) => !ours.includes(Number(pid)) && /(^|\/)dockerd\0/.test(readCommandLine(pid)));
}

function readCommandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

async function mustBeReady(program: string, ready: () => Promise<boolean>): Promise<void> {
  if (await waitFor(ready, 60_000)) return;
  throw new LabError(
    `${program} of the lab's outer engine does not come up; the end of its log:\n${logTail(program)}`,
    `read ${logFile(program)}; "npm run lab:down" removes the lab so that it can be raised from nothing`,
  );
}

/** Writes the daemons' configuration. Says whether the engine has to be restarted for it. */
function writeEngineFiles(): boolean {
  for (const folder of [paths.etc, outerEngineEnv.DOCKER_CONFIG ?? '', LAB_RUN, paths.log]) {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  }
  writeRuntimeWrapper();
  const docker = writeIfChanged(DOCKER_CONFIG, `${JSON.stringify(dockerConfiguration(), null, 2)}\n`);
  return writeIfChanged(CONTAINERD_CONFIG, containerdConfiguration()) || docker;
}

function dockerConfiguration(): object {
  return {
    'data-root': paths.docker,
    'exec-root': join(LAB_RUN, 'exec'),
    pidfile: paths.dockerPid,
    hosts: [`unix://${paths.dockerSocket}`],
    containerd: paths.containerdSocket,
    bridge: 'none',
    'storage-driver': 'overlay2',
    'insecure-registries': [REGISTRY],
    ...runtimeConfiguration(),
  };
}

/** The part of a daemon.json that selects the wrapper, empty where the machine has the capability. */
function runtimeConfiguration(): object {
  if (!lacksSysResource()) return {};
  return { runtimes: { [RUNTIME_NAME]: { path: RUNTIME_PATH } }, 'default-runtime': RUNTIME_NAME };
}

function containerdConfiguration(): string {
  return [
    'version = 2',
    `root = "${paths.containerd}"`,
    `state = "${join(LAB_RUN, 'containerd')}"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    '[grpc]',
    `  address = "${paths.containerdSocket}"`,
    '',
  ].join('\n');
}

/** Writes a file unless it already has this content. Says whether it wrote. */
export function writeIfChanged(file: string, content: string, mode = 0o644): boolean {
  if (existsSync(file) && readFileSync(file, 'utf8') === content) return false;
  writeFileSync(file, content, { mode });
  return true;
}
