import type { Readable } from 'node:stream';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import type { ContainerName } from '../../core/model/node.ts';
import type { NodePort } from '../../run/ports.ts';
import type { Engine } from '../docker/client.ts';
import { isEngineFailure } from '../docker/http.ts';
import { packFiles, unpackFiles } from './tar.ts';

function missing(engine: Engine, name: ContainerName, directory: string): DeployError {
  const message = `there is no directory ${directory} in the container ${name}, or no such container`;
  return new DeployError([error('no-directory', message, { host: engine.host })], exitCode.failed);
}

function explain(engine: Engine, name: ContainerName, directory: string): (problem: unknown) => never {
  return (problem) => {
    throw isEngineFailure(problem) && problem.statusCode === 404 ? missing(engine, name, directory) : problem;
  };
}

/**
 * Files into a directory of a container, running or not. The engine mounts the container's volumes for it, also
 * for one that was never started.
 */
export async function putFiles(
  engine: Engine,
  name: ContainerName,
  directory: string,
  files: Parameters<NodePort['putFiles']>[2],
): Promise<void> {
  const archive = await packFiles(files);
  await engine.call(`put files into ${directory} of the container ${name}`, (docker) =>
    docker
      .getContainer(name)
      .putArchive(archive, { path: directory })
      .catch(explain(engine, name, directory)),
  );
}

/** Regular files directly inside a directory of a container. */
export async function getFiles(
  engine: Engine,
  name: ContainerName,
  directory: string,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const all = await engine.call(`read files from ${directory} of the container ${name}`, async (docker) => {
    const container = docker.getContainer(name);
    const stream = await container.getArchive({ path: `${directory}/.` }).catch(explain(engine, name, directory));
    return unpackFiles(stream as Readable);
  });
  return new Map([...all].filter(([file]) => !file.includes('/')));
}
