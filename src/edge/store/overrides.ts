import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Diagnostic, error, warning } from '../../core/model/diagnostic.ts';
import { fileProblem, isErrno } from './file-problem.ts';

const maxBytes = 1024 * 1024;
const maxDepth = 8;

/**
 * Text files under `<configdir>/config/`, by their path below it with `/`. Symbolic links are followed.
 * Binary and very large files are left out with a warning.
 */
export async function readOverrides(directory: string, problems: Diagnostic[]): Promise<ReadonlyMap<string, string>> {
  const found = await walk(directory, '', problems, 0);
  return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function walk(root: string, below: string, problems: Diagnostic[], depth: number): Promise<[string, string][]> {
  const directory = join(root, below);
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT') || depth > 0) problems.push(at(directory, fileProblem(cause)));
    return [];
  }
  const visible = names.filter((name) => !name.startsWith('.') && !name.endsWith('~'));
  const found = await Promise.all(
    visible.map(async (name): Promise<[string, string][]> => {
      const path = below === '' ? name : `${below}/${name}`;
      try {
        const { size, ...kind } = await describe(join(root, path));
        if (kind.directory) {
          if (depth < maxDepth) return await walk(root, path, problems, depth + 1);
          problems.push(at(join(root, path), `nested more than ${maxDepth} levels deep; a link to a parent?`));
          return [];
        }
        return kind.file ? await readText(join(root, path), path, size, problems) : [];
      } catch (cause) {
        problems.push(at(join(root, path), fileProblem(cause)));
        return [];
      }
    }),
  );
  return found.flat();
}

async function describe(path: string): Promise<{ size: number; directory: boolean; file: boolean }> {
  const found = await stat(path);
  return { size: found.size, directory: found.isDirectory(), file: found.isFile() };
}

async function readText(file: string, path: string, size: number, problems: Diagnostic[]): Promise<[string, string][]> {
  const leftOut = (why: string): [string, string][] => {
    problems.push(
      warning('override-left-out', `${why}; not used as an override`, { at: { file, line: 1, column: 1 } }),
    );
    return [];
  };
  if (size > maxBytes) return leftOut(`larger than ${maxBytes / 1024} KiB`);
  const bytes = await readFile(file);
  if (bytes.includes(0)) return leftOut('not a text file');
  return [[path, bytes.toString('utf8')]];
}

function at(file: string, message: string): Diagnostic {
  return error('file', message, { at: { file, line: 1, column: 1 } });
}
