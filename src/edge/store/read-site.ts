import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Diagnostic, error, type Result, resultOf, warning } from '../../core/model/diagnostic.ts';
import { type ExtraVars, extraVarsFile } from '../../core/site/extra-vars.ts';
import type { SiteInputs, TextFile } from '../../core/site/load.ts';
import { fileProblem, isErrno } from './file-problem.ts';
import { readOverrides } from './overrides.ts';

export interface SitePaths {
  readonly configDir: string;
  /** Files, or directories whose files are read in order of their names. */
  readonly inventoryPaths: readonly string[];
  readonly servicesDir: string;
  /** The arguments of `-e`, in order. */
  readonly extraVars: readonly string[];
}

type Named = TextFile & { readonly name: string };

/** Reads every file a site is made of; all that is missing or unreadable is reported together. */
export async function readSiteInputs(paths: SitePaths): Promise<Result<SiteInputs>> {
  const problems: Diagnostic[] = [];
  const { configDir } = paths;
  const genpwd = 'deploy genpwd creates it';
  const [globals, passwords, globalsD, inventories, ours, own, defaults, extraVars, overrides] = await Promise.all([
    required(join(configDir, 'globals.yml'), problems, 'an empty one is enough; --configdir names its folder'),
    required(join(configDir, 'passwords.yml'), problems, genpwd),
    filesIn(join(configDir, 'globals.d'), /\.(?:ya?ml|json)$/, problems),
    readInventories(paths.inventoryPaths, problems),
    serviceFiles(paths.servicesDir, problems, true),
    serviceFiles(join(configDir, 'services'), problems, false),
    optional(join(paths.servicesDir, 'defaults.yml'), problems),
    Promise.all(paths.extraVars.map((argument) => readExtraVars(argument, problems))),
    readOverrides(join(configDir, 'config'), problems),
  ]);
  await checkMode(join(configDir, 'passwords.yml'), problems);
  const folders = [...new Set(inventories.folders)];
  const [groupVars, hostVars] = await Promise.all([
    Promise.all(folders.map((folder) => varFiles(join(folder, 'group_vars'), problems))),
    Promise.all(folders.map((folder) => varFiles(join(folder, 'host_vars'), problems))),
  ]);
  const none = (file: string): TextFile => ({ file, text: '' });
  return resultOf(
    {
      configDir,
      globals: globals ?? none('globals.yml'),
      globalsD,
      passwords: passwords ?? none('passwords.yml'),
      inventories: inventories.files,
      groupVars: groupVars.flat(),
      hostVars: hostVars.flat(),
      defaults,
      services: [...ours, ...own],
      extraVars: extraVars.flat(),
      overrides,
    },
    problems,
  );
}

/** The service definitions alone, for commands that need no site. */
export async function readServiceFiles(servicesDir: string, configDir: string): Promise<Result<TextFile[]>> {
  const problems: Diagnostic[] = [];
  const ours = await serviceFiles(servicesDir, problems, true);
  const own = await serviceFiles(join(configDir, 'services'), problems, false);
  return resultOf([...ours, ...own], problems);
}

function report(file: string, cause: unknown, problems: Diagnostic[], hint?: string): undefined {
  problems.push(error('file', fileProblem(cause), { at: { file, line: 1, column: 1 }, hint }));
  return undefined;
}

async function required(file: string, problems: Diagnostic[], hint: string): Promise<TextFile | undefined> {
  try {
    return { file, text: await readFile(file, 'utf8') };
  } catch (cause) {
    return report(file, cause, problems, isErrno(cause, 'ENOENT') ? hint : undefined);
  }
}

async function optional(file: string, problems: Diagnostic[]): Promise<TextFile | undefined> {
  try {
    return { file, text: await readFile(file, 'utf8') };
  } catch (cause) {
    return isErrno(cause, 'ENOENT') ? undefined : report(file, cause, problems);
  }
}

/** Names in a directory, sorted; a missing directory is empty. */
async function namesIn(directory: string, problems: Diagnostic[]): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => !name.startsWith('.') && !name.endsWith('~')).sort();
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT')) report(directory, cause, problems);
    return [];
  }
}

async function filesIn(directory: string, pattern: RegExp, problems: Diagnostic[]): Promise<TextFile[]> {
  const names = (await namesIn(directory, problems)).filter((name) => pattern.test(name));
  const files = await Promise.all(names.map((name) => optional(join(directory, name), problems)));
  return files.filter((file) => file !== undefined);
}

async function serviceFiles(directory: string, problems: Diagnostic[], needed: boolean): Promise<TextFile[]> {
  const names = await namesIn(directory, problems);
  const read = await Promise.all(
    names.map(async (name) => {
      const file = join(directory, name, 'service.yml');
      return readFile(file, 'utf8').then(
        (text) => ({ file, text }),
        (cause: unknown) =>
          isErrno(cause, 'ENOENT') || isErrno(cause, 'ENOTDIR') ? undefined : report(file, cause, problems),
      );
    }),
  );
  const files = read.filter((file) => file !== undefined);
  if (needed && files.length === 0) {
    const hint = 'every service has a folder with a service.yml in it';
    problems.push(
      error('no-services', 'no service definitions here', { at: { file: directory, line: 1, column: 1 }, hint }),
    );
  }
  return files;
}

async function readInventories(paths: readonly string[], problems: Diagnostic[]) {
  const folders: string[] = [];
  const files: TextFile[] = [];
  for (const path of paths) {
    const isDirectory = await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    folders.push(isDirectory ? path : dirname(path));
    if (isDirectory) {
      const found = await filesIn(path, /^(?!group_vars$|host_vars$).*$(?<!\.(?:md|txt|bak|orig|cfg|retry))/, problems);
      files.push(...found);
      if (found.length === 0) {
        problems.push(error('no-inventory', 'no inventory files here', { at: { file: path, line: 1, column: 1 } }));
      }
    } else {
      const file = await required(path, problems, 'give the inventory with -i FILE');
      if (file) files.push(file);
    }
  }
  if (paths.length === 0)
    problems.push(error('no-inventory', 'no inventory is given', { hint: 'give it with -i FILE' }));
  return { folders, files };
}

/** `group_vars/all`, `all.yml`, or a directory `all/` with files: each a file of that group (or host). */
async function varFiles(directory: string, problems: Diagnostic[]): Promise<Named[]> {
  const names = await namesIn(directory, problems);
  const found = await Promise.all(
    names.map(async (entry): Promise<Named[]> => {
      const path = join(directory, entry);
      const inside = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
      const files = inside
        ? await filesIn(path, /\.(?:ya?ml|json)$|^[^.]+$/, problems)
        : [await optional(path, problems)];
      const name = inside ? entry : basename(entry).replace(/\.(?:ya?ml|json)$/, '');
      return files.flatMap((file) => (file ? [{ ...file, name }] : []));
    }),
  );
  return found.flat();
}

async function readExtraVars(argument: string, problems: Diagnostic[]): Promise<ExtraVars[]> {
  const file = extraVarsFile(argument);
  if (file === undefined) return [{ kind: 'argument', text: argument }];
  const read = await required(file, problems, 'named by -e @FILE');
  return read ? [{ kind: 'file', ...read }] : [];
}

/** Readable by its owner, and perhaps its group: nothing more. */
async function checkMode(file: string, problems: Diagnostic[]): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (!found || (found.mode & 0o137) === 0) return;
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  const message = `passwords.yml has mode ${mode}; others than its owner can read it`;
  problems.push(warning('file-mode', message, { at: { file, line: 1, column: 1 }, hint: `chmod 0600 ${file}` }));
}
