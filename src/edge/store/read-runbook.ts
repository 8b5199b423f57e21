import { readdir, readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { error, failure, type Result, success } from '../../core/model/diagnostic.ts';
import { didYouMean } from '../../core/model/suggest.ts';
import type { TextFile } from '../../core/site/load.ts';
import { fileProblem, isErrno } from './file-problem.ts';

/**
 * A runbook by its path, or by its name in `playbooks/` of one of the folders; the first that exists. A relative path
 * is also looked up in the folders, so that `playbooks/<name>.yml` is the same from everywhere.
 */
export async function readRunbook(name: string, folders: readonly string[]): Promise<Result<TextFile>> {
  const isPath = name.includes('/') || /\.ya?ml$/.test(name);
  const files = isPath
    ? [name, ...(isAbsolute(name) ? [] : folders.map((folder) => join(folder, name)))]
    : folders.map((folder) => join(folder, 'playbooks', `${name}.yml`));
  for (const file of files) {
    try {
      return success({ file, text: await readFile(file, 'utf8') });
    } catch (cause) {
      if (isErrno(cause, 'ENOENT')) continue;
      return failure([error('file', fileProblem(cause), { at: { file, line: 1, column: 1 } })]);
    }
  }
  const known = await namesIn(folders);
  const wanted = name.slice(name.lastIndexOf('/') + 1).replace(/\.ya?ml$/, '');
  const hint = didYouMean(wanted, known) ?? `runbooks: ${known.join(', ') || 'none'}`;
  return failure([error('no-runbook', `there is no runbook ${name}; looked for ${files.join(', ')}`, { hint })]);
}

async function namesIn(folders: readonly string[]): Promise<string[]> {
  const lists = await Promise.all(folders.map((folder) => readdir(join(folder, 'playbooks')).catch(() => [])));
  const files = lists.flat().filter((file) => file.endsWith('.yml'));
  return [...new Set(files.map((file) => file.replace(/\.yml$/, '')))].sort();
}
