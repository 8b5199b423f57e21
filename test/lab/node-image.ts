import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { baseImageName } from './base-image.ts';
import { outerDocker, tryOuterDocker } from './engine.ts';
import { nodeContext } from './settings.ts';

const REPOSITORY = 'deploy-lab/node';

/**
 * Builds the image of the nodes unless this version of it is there. The tag is a hash of the build context, so a
 * changed context makes a new image. Returns the image's name.
 */
export async function ensureNodeImage(note: (text: string) => void): Promise<string> {
  const context = nodeContext();
  const base = (await outerDocker(['image', 'inspect', '--format', '{{.Id}}', baseImageName('bookworm')])).trim();
  const hash = createHash('sha256').update(base);
  for (const file of readdirSync(context).sort()) hash.update(`\0${file}\0`).update(readFileSync(join(context, file)));
  const name = `${REPOSITORY}:${hash.digest('hex').slice(0, 16)}`;
  if ((await tryOuterDocker(['image', 'inspect', name])).code === 0) return name;
  const baseArgument = `BASE=${baseImageName('bookworm')}`;
  await outerDocker(['build', '--network', 'host', '--force-rm', '--build-arg', baseArgument, '--tag', name, context], {
    timeoutMs: 900_000,
  });
  note('built');
  return name;
}
