import { LabError, lastLines } from '../command.ts';
import { nodeExec } from '../nodes.ts';
import { NODES, REGISTRY } from '../settings.ts';

const builder = 'node1';

/** Tag of an image that does what the deployed one does, and that no node has: whoever wants it has to pull it. */
export const spare = 'spare';

/**
 * Makes such an image of a service and pushes it: the deployed one and a layer of its own. Returns its digest, and that
 * of the layer, `sha256:…`.
 */
export async function makeSpare(
  image: string,
  megabytes = 3,
  tag: string = spare,
): Promise<{ readonly digest: string; readonly layer: string }> {
  const repository = `${REGISTRY}/deploy/${image}`;
  const name = `${repository}:${tag}`;
  const script = [
    `from=$(docker inspect --format '{{.Config.Image}}' ${image.replaceAll('-', '_')})`,
    `printf 'FROM %s\\nUSER root\\nRUN head -c ${megabytes}M /dev/urandom > /var/lib/spare\\n%s\\n' "$from" "$(docker image inspect --format '{{with .Config.User}}USER {{.}}{{end}}' "$from")" | docker build -q --no-cache -t ${name} - >&2`,
    `docker push -q ${name} >&2`,
    `docker image inspect --format '{{index .RepoDigests 0}}' ${name}`,
    `docker rmi ${name} >&2`,
  ];
  const made = await nodeExec(builder, `set -e; ${script.join('; ')}`);
  const digest = /sha256:[0-9a-f]{64}/.exec(made.stdout)?.[0];
  if (made.code !== 0 || digest === undefined) throw new LabError(`cannot make ${name}:\n${lastLines(made.stderr, 8)}`);
  const manifest = await fetch(`http://${REGISTRY}/v2/deploy/${image}/manifests/${digest}`, {
    headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
  });
  const { layers } = (await manifest.json()) as { readonly layers: readonly { readonly digest: string }[] };
  return { digest, layer: layers.at(-1)?.digest ?? '' };
}

/** Removes such images from all nodes where no container needs them, so that they have to be pulled again. */
export async function forgetSpare(): Promise<void> {
  // Those whose tag went to a later one have only their digest left.
  const listed = `docker images --digests --format '{{.Repository}} {{.Tag}} {{.Digest}}' | grep '/deploy/'`;
  const names = `awk '$2 == "${spare}" {print $1 ":" $2} $2 == "<none>" && $3 != "<none>" {print $1 "@" $3}'`;
  await Promise.all(NODES.map(({ name }) => nodeExec(name, `${listed} | ${names} | xargs -r docker rmi`)));
}
