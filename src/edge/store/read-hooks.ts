import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Diagnostic, error, type Result, resultOf, warning } from '../../core/model/diagnostic.ts';
import { type Hook, type HookName, type Hooks, hookNames } from '../../core/model/hook.ts';
import { didYouMean } from '../../core/model/suggest.ts';
import { fileProblem, isErrno } from './file-problem.ts';

/**
 * `<configdir>/hooks/`: one executable for each name, and executables in `<name>.d/`, run in order of their names. Of
 * one name the executable comes first. Anything else there is a warning; a hook that cannot be run is an error.
 */
export async function readHooks(configDir: string): Promise<Result<Hooks>> {
  const problems: Diagnostic[] = [];
  const directory = resolve(configDir, 'hooks');
  const entries = await namesIn(directory, problems);
  const hooks = new Map<HookName, readonly Hook[]>();
  for (const when of hookNames) {
    const own = entries.includes(when) ? [when] : [];
    const folder = `${when}.d`;
    const inside = entries.includes(folder) ? await namesIn(join(directory, folder), problems) : [];
    const found: Hook[] = [];
    for (const name of [...own, ...inside.map((entry) => `${folder}/${entry}`)]) {
      const hook = { name, path: join(directory, name) };
      const problem = await whyNotRunnable(hook);
      if (problem) problems.push(problem);
      else found.push(hook);
    }
    if (found.length > 0) hooks.set(when, found);
  }
  problems.push(...strangers(directory, entries));
  return resultOf(hooks, problems);
}

/** Sorted; editors' leftovers and hidden files are nobody's. A missing directory is empty. */
async function namesIn(directory: string, problems: Diagnostic[]): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => !name.startsWith('.') && !name.endsWith('~')).sort();
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT')) problems.push(error('hooks', fileProblem(cause), { at: placeOf(directory) }));
    return [];
  }
}

async function whyNotRunnable({ name, path }: Hook): Promise<Diagnostic | undefined> {
  const at = placeOf(path);
  try {
    if (!(await stat(path)).isFile()) {
      const hint = name.includes('/') ? 'only executables belong here' : `executables of one hook lie in ${name}.d/`;
      return error('hook-not-a-file', `hook ${name} is not a file`, { at, hint });
    }
    await access(path, constants.X_OK);
    return undefined;
  } catch (cause) {
    if (!isErrno(cause, 'EACCES')) return error('hook-file', `hook ${name}: ${fileProblem(cause)}`, { at });
    const hint = `chmod +x ${path}, or take it away`;
    return error('hook-not-executable', `hook ${name} is not executable`, { at, hint });
  }
}

function strangers(directory: string, entries: readonly string[]): Diagnostic[] {
  const known = hookNames.flatMap((name) => [name, `${name}.d`]);
  return entries
    .filter((entry) => !known.includes(entry))
    .map((entry) =>
      warning('unknown-hook', `${entry} is no hook and is never run`, {
        at: placeOf(join(directory, entry)),
        hint: didYouMean(entry, known) ?? `hooks are ${hookNames.join(', ')}, each also as a directory <name>.d/`,
      }),
    );
}

function placeOf(file: string) {
  return { file, line: 1, column: 1 };
}
