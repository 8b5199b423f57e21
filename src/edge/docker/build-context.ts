import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import type { ContextFile } from '../../core/images/definition.ts';

/** A name no image folder uses, so that it cannot hide a file of the context. */
export const dockerfileName = '.deploy.Dockerfile';

/** The build context as a tar stream that is the same byte for byte whenever the content is: no times, no owners. */
export function packContext(dockerfile: string, files: readonly ContextFile[]): Readable {
  const tar = pack();
  const header = { mtime: new Date(0), uid: 0, gid: 0, uname: 'root', gname: 'root' };
  for (const directory of directoriesOf(files)) {
    tar.entry({ ...header, name: directory, type: 'directory', mode: 0o755 });
  }
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    tar.entry({ ...header, name: file.path, mode: file.mode }, Buffer.from(file.content));
  }
  if (!files.some((file) => file.path === '.dockerignore')) {
    // Keeps both out of `COPY .`.
    tar.entry({ ...header, name: '.dockerignore', mode: 0o644 }, `${dockerfileName}\n.dockerignore\n`);
  }
  tar.entry({ ...header, name: dockerfileName, mode: 0o644 }, dockerfile);
  tar.finalize();
  return Readable.from(tar);
}

function directoriesOf(files: readonly ContextFile[]): readonly string[] {
  const directories = new Set<string>();
  for (const { path } of files) {
    const parts = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) directories.add(parts.slice(0, depth).join('/'));
  }
  return [...directories].sort();
}
