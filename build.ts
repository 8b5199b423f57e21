import { readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

/**
 * dist/cli/main.js and its chunks. Bundled, because loading some 600 small modules costs a fifth of a second in every
 * command, which is more than all the rest of `--help`. What is loaded lazily in src stays a chunk of its own.
 */
const { metafile } = await build({
  entryPoints: ['src/cli/main.ts'],
  outdir: 'dist/cli',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
  // Its main module pulls in source-map and writes one for every template; this file is the same without.
  alias: { handlebars: 'handlebars/dist/handlebars.js' },
  // With files of their own (WebAssembly, native code, protocol definitions), or needed only when something is changed.
  external: ['minijinja-js', 'ssh2', 'dockerode', 'mysql2', 'tar-stream'],
  // CommonJS packages inside the bundle require node's own modules.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
});

// Chunks of earlier builds go last, so that there is never a moment without the command.
const written = new Set(Object.keys(metafile.outputs).map((file) => resolve(file)));
for (const entry of await readdir('dist', { recursive: true, withFileTypes: true })) {
  const file = resolve(join(entry.parentPath, entry.name));
  if (entry.isFile() && !written.has(file)) await rm(file);
}
