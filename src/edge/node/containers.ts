import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import {
  type ContainerName,
  type ContainerSpec,
  type ContainerState,
  label,
  type ObservedContainer,
  type ObservedImage,
} from '../../core/model/node.ts';
import type { ContainerInspection, ExecResult } from '../../run/ports.ts';
import type { Engine } from '../docker/client.ts';
import { demux, interleaved } from '../docker/demux.ts';
import { isEngineFailure } from '../docker/http.ts';
import { settingsDifferences } from '../docker/settings.ts';
import { createBody } from '../docker/spec.ts';
import { healthFromStatus } from '../docker/status.ts';
import { requireImage } from './images.ts';

/** Runs `work`; the statuses listed mean that what was asked for holds already, and give undefined. */
async function unless<T>(statuses: readonly number[], work: Promise<T>): Promise<T | undefined> {
  return work.catch((problem: unknown) => {
    if (isEngineFailure(problem) && statuses.includes(problem.statusCode)) return undefined;
    throw problem;
  });
}

function refuse(engine: Engine, code: string, message: string, hint?: string): DeployError {
  return new DeployError([error(code, message, { host: engine.host, hint })], exitCode.failed);
}

function observed(info: Docker.ContainerInfo): ObservedContainer {
  return {
    // A link to a container adds names with a second slash; the one without is its own.
    name: (info.Names.find((name) => name.lastIndexOf('/') === 0) ?? info.Names[0] ?? info.Id).replace(/^\//, ''),
    id: info.Id,
    image: info.Image,
    state: info.State as ContainerState,
    health: healthFromStatus(info.Status),
    labels: info.Labels ?? {},
    created: info.Created,
    status: info.Status,
    volumes: (info.Mounts ?? []).flatMap(({ Type, Name }) => (Type === 'volume' && Name ? [Name] : [])),
  };
}

/** All containers of the node, ours or not, in one call. */
export async function listContainers(engine: Engine): Promise<ObservedContainer[]> {
  const list = await engine.get('list the containers', '/containers/json?all=true');
  return (list as Docker.ContainerInfo[]).map(observed);
}

export async function listVolumes(engine: Engine): Promise<string[]> {
  const { Volumes } = (await engine.get('list the volumes', '/volumes')) as { Volumes: { Name: string }[] | null };
  return (Volumes ?? []).map((volume) => volume.Name).sort();
}

export async function listImages(engine: Engine): Promise<ObservedImage[]> {
  const list = await engine.get('list the images', '/images/json');
  return (list as Docker.ImageInfo[]).map((image) => ({
    id: image.Id,
    tags: (image.RepoTags ?? []).filter((tag) => tag !== '<none>:<none>'),
    digests: (image.RepoDigests ?? []).filter((digest) => digest !== '<none>@<none>'),
  }));
}

export async function engineVersion(engine: Engine): Promise<string> {
  const version = await engine.get('ask for the engine’s version', '/version');
  return (version as Docker.DockerVersion).Version;
}

/** Throws (exit 4) when it does not run because the engine is being stopped. */
export async function inspectContainer(engine: Engine, name: ContainerName): Promise<ContainerInspection | undefined> {
  const found = await engine.call(`look at the container ${name}`, (docker) =>
    unless([404], docker.getContainer(name).inspect()),
  );
  if (found?.State.Running === false) await engine.mustServe();
  return (
    found && {
      id: found.Id,
      running: found.State.Running,
      exitCode: found.State.ExitCode,
      restartCount: found.RestartCount,
      startedAt: found.State.StartedAt,
      finishedAt: found.State.FinishedAt,
      check: shellCheck(found.Config.Healthcheck?.Test),
    }
  );
}

export async function settingsDiffering(
  engine: Engine,
  name: ContainerName,
  spec: ContainerSpec,
): Promise<readonly string[]> {
  return engine.call(`look at the container ${name}`, async (docker) => {
    const found = await unless([404], docker.getContainer(name).inspect());
    if (!found) return [];
    const image = await unless([404], docker.getImage(found.Image).inspect());
    return settingsDifferences(createBody(spec, {}), spec.image.digest, found, image);
  });
}

function shellCheck(test: readonly string[] | undefined): string | undefined {
  return test?.[0] === 'CMD-SHELL' ? test[1] : undefined;
}

/** Clears the name for a new container: what never ran, or ended and is ours, goes; anything else is an error. */
async function clearName(engine: Engine, name: ContainerName): Promise<void> {
  const found = await engine.call(`look at the container ${name}`, (docker) =>
    unless([404], docker.getContainer(name).inspect()),
  );
  if (!found) return;
  const ours = found.Config.Labels?.[label.container] !== undefined;
  if (found.State.Status === 'created' || (found.State.Status === 'exited' && ours)) {
    await removeContainer(engine, name);
    return;
  }
  const whose = ours ? '' : ' and was not created by deploy';
  throw refuse(
    engine,
    'container-exists',
    `cannot create the container ${name}: one of that name is ${found.State.Status}${whose}`,
    ours ? 'stop or rename it first' : 'rename or remove it by hand, or adopt it',
  );
}

export async function createContainer(
  engine: Engine,
  name: ContainerName,
  spec: ContainerSpec,
  labels: Readonly<Record<string, string>>,
): Promise<string> {
  const body = { ...createBody(spec, labels), name };
  await requireImage(engine, spec.image);
  await clearName(engine, name);
  return engine.call(
    `create the container ${name}`,
    async (docker) => (await docker.createContainer(body as Docker.ContainerCreateOptions)).id,
  );
}

export async function startContainer(engine: Engine, name: ContainerName): Promise<void> {
  const work = async (docker: Docker): Promise<void> => {
    const container = docker.getContainer(name);
    await unless(
      [304],
      container.start().catch(async (problem: unknown) => {
        // The engine does not start what is paused.
        if (!isEngineFailure(problem) || problem.statusCode !== 409) throw problem;
        await container.unpause().catch(() => {
          throw problem;
        });
      }),
    );
  };
  await engine.call(`start the container ${name}`, work, 120_000);
}

export async function stopContainer(engine: Engine, name: ContainerName, graceSeconds: number): Promise<void> {
  const t = Math.max(0, Math.ceil(graceSeconds));
  const work = (docker: Docker) => unless([304, 404], docker.getContainer(name).stop({ t }));
  await engine.call(`stop the container ${name}`, work, (t + 30) * 1000);
}

export async function renameContainer(engine: Engine, from: ContainerName, to: ContainerName): Promise<void> {
  await engine.call(`rename the container ${from} to ${to}`, (docker) =>
    docker.getContainer(from).rename({ name: to }),
  );
}

export async function removeContainer(engine: Engine, name: ContainerName): Promise<void> {
  // 409: a removal of it is under way already; waiting for its end makes the name free again.
  await engine.call(
    `remove the container ${name}`,
    async (docker) => {
      const container = docker.getContainer(name);
      const removed = await unless([404, 409], container.remove({ force: true }));
      return removed ?? unless([404], container.wait({ condition: 'removed' }));
    },
    120_000,
  );
}

/** Removes named volumes with their content, one after the other; missing ones are fine, one in use is an error. */
export async function removeVolumes(engine: Engine, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await engine.call(`remove the volume ${name}`, (docker) => unless([404], docker.getVolume(name).remove()));
  }
}

export async function signalContainer(engine: Engine, name: ContainerName, signal: string): Promise<void> {
  await engine.call(`send ${signal} to the container ${name}`, (docker) => docker.getContainer(name).kill({ signal }));
}

/** Throws (exit 4) when it was ended by an engine that is being stopped. */
export async function waitContainer(engine: Engine, name: ContainerName, timeoutMs: number): Promise<number> {
  const work = async (docker: Docker): Promise<number> =>
    ((await docker.getContainer(name).wait()) as { StatusCode: number }).StatusCode;
  const code = await engine.call(`wait for the container ${name}`, work, timeoutMs);
  if (code !== 0) await engine.mustServe();
  return code;
}

export async function containerLogs(engine: Engine, name: ContainerName, lines: number): Promise<string> {
  return engine.call(`read the log of the container ${name}`, async (docker) => {
    const options = { follow: false, stdout: true, stderr: true, tail: lines } as const;
    const raw: unknown = await docker.getContainer(name).logs(options);
    return Buffer.isBuffer(raw) ? interleaved(raw) : typeof raw === 'string' ? raw : JSON.stringify(raw);
  });
}

export async function execInContainer(
  engine: Engine,
  name: ContainerName,
  argv: readonly string[],
  options: { readonly user?: string; readonly timeoutMs?: number } = {},
): Promise<ExecResult> {
  const what = `run ${argv[0] ?? 'a command'} in the container ${name}`;
  const setup = {
    Cmd: [...argv],
    AttachStdout: true,
    AttachStderr: true,
    ...(options.user !== undefined ? { User: options.user } : {}),
  };
  const created = await engine.call(what, (docker) => docker.getContainer(name).exec(setup));
  let stream: NodeJS.ReadableStream | undefined;
  const read = async (): Promise<Buffer> => {
    stream = await created.start({});
    return buffer(stream);
  };
  try {
    const raw = await engine.call(what, read, options.timeoutMs ?? 120_000);
    const { ExitCode } = await engine.call(what, () => created.inspect());
    return { code: ExitCode ?? -1, ...demux(raw) };
  } finally {
    if (stream && 'destroy' in stream && typeof stream.destroy === 'function') stream.destroy();
  }
}
