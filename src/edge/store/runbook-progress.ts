import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hashOf } from '../../core/hash.ts';
import { DeployError, error, exitCode } from '../../core/model/diagnostic.ts';
import type { RunbookProgress } from '../../core/runbook/progress.ts';
import { writeAtomically } from './atomic.ts';
import { fileProblem, isErrno } from './file-problem.ts';

export interface ProgressStore {
  readonly file: string;
  read(): Promise<RunbookProgress | undefined>;
  /** Complete on the disk when it returns. */
  write(progress: RunbookProgress): Promise<void>;
  /** After the last stage. */
  clear(): Promise<void>;
}

/** The file for a runbook on a site; `identity` is what makes two runs the same one: paths of runbook and site. */
export function openProgress(directory: string, runbook: string, identity: readonly string[]): ProgressStore {
  const file = join(directory, 'runbooks', `${runbook}-${hashOf(identity).slice(0, 16)}.json`);
  const failing = (cause: unknown): DeployError => {
    const hint = 'what was finished is remembered there; XDG_STATE_HOME names another directory';
    return new DeployError(
      [error('state-file', fileProblem(cause), { at: { file, line: 1, column: 1 }, hint })],
      exitCode.badInput,
    );
  };
  return {
    file,
    read: async () => {
      const text = await readFile(file, 'utf8').catch((cause: unknown) => {
        if (isErrno(cause, 'ENOENT')) return undefined;
        throw failing(cause);
      });
      return text === undefined ? undefined : progressOf(text, file);
    },
    write: async (progress) => {
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        await writeAtomically(file, `${JSON.stringify(progress, undefined, 2)}\n`, 0o600);
      } catch (cause) {
        throw failing(cause);
      }
    },
    clear: () => rm(file, { force: true }),
  };
}

function progressOf(text: string, file: string): RunbookProgress {
  try {
    const value = JSON.parse(text) as RunbookProgress;
    if (value.format === 1 && Array.isArray(value.finished)) return value;
  } catch {
    // Said below: whatever it is, it is not ours.
  }
  const hint = 'remove it to begin anew, or look whether a newer version of the program wrote it';
  throw new DeployError(
    [error('state-file', 'this is not a record of a runbook', { at: { file, line: 1, column: 1 }, hint })],
    exitCode.badInput,
  );
}
