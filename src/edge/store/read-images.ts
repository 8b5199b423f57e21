import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { sha256 } from '../../core/hash.ts';
import type { ContextFile, ImageDefinition } from '../../core/images/definition.ts';
import { type Diagnostic, error, type Result, resultOf } from '../../core/model/diagnostic.ts';

const dockerfileName = 'Dockerfile.hbs';

/**
 * Reads `<root>/<service>/images/<image>/`: the Dockerfile template and, as the build context, every other file with
 * its mode. Sorted by image name. File names in diagnostics are relative to the parent of `root` (`services/…`).
 */
export async function readImages(root: string): Promise<Result<readonly ImageDefinition[]>> {
  const diagnostics: Diagnostic[] = [];
  const folders = (await directories(root)).map(async (service) => {
    const images = join(root, service, 'images');
    return (await directories(images)).map((name) => readImage(root, service, name, diagnostics));
  });
  const definitions = await Promise.all((await Promise.all(folders)).flat());
  const found = definitions.filter((definition) => definition !== undefined);
  found.sort((a, b) => (a.name < b.name ? -1 : 1));
  return resultOf(found, diagnostics);
}

async function readImage(
  root: string,
  service: string,
  name: string,
  diagnostics: Diagnostic[],
): Promise<ImageDefinition | undefined> {
  const folder = join(root, service, 'images', name);
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const context: ContextFile[] = [];
  let dockerfile: ImageDefinition['dockerfile'] | undefined;
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    const inImage = relative(folder, path).split(sep).join('/');
    const file = shown(root, path);
    if (!entry.isFile()) {
      const hint = 'make links in the Dockerfile with RUN ln -s';
      diagnostics.push(
        error('bad-context', 'only regular files can be part of a build context', { at: at(file), hint }),
      );
    } else if (inImage === dockerfileName) {
      dockerfile = { text: await readFile(path, 'utf8'), file };
    } else {
      context.push(await readContextFile(path, inImage));
    }
  }
  if (!dockerfile) {
    diagnostics.push(
      error('no-dockerfile', `the image folder has no ${dockerfileName}`, { at: at(shown(root, folder)) }),
    );
    return undefined;
  }
  context.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { service, name, dockerfile, context };
}

async function readContextFile(path: string, inImage: string): Promise<ContextFile> {
  const content = await readFile(path);
  const { mode } = await stat(path);
  return { path: inImage, mode: normalMode(mode), content, sha256: sha256(content) };
}

/** As git keeps modes: the umask of a clone must not change what an image is. */
function normalMode(mode: number): number {
  return mode & 0o100 ? 0o755 : 0o644;
}

async function directories(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}

function shown(root: string, path: string): string {
  return join('services', relative(root, path));
}

function at(file: string): { file: string; line: number; column: number } {
  return { file, line: 1, column: 1 };
}
