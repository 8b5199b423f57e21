import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { error, failure, type Result, success } from '../../core/model/diagnostic.ts';
import { parseSavedPlan, type SavedPlan } from '../../core/plan/saved.ts';
import { writeAtomically } from './atomic.ts';
import { fileProblem } from './file-problem.ts';

/** A saved plan, or why there is none to be had from this file. */
export async function readSavedPlan(file: string): Promise<Result<SavedPlan>> {
  try {
    return parseSavedPlan(await readFile(file, 'utf8'), file);
  } catch (cause) {
    return failure([error('file', fileProblem(cause), { at: { file, line: 1, column: 1 } })]);
  }
}

/** Whether a file can be put there, asked before the work whose result it is to hold. */
export async function checkFolderOf(file: string): Promise<Result<void>> {
  const folder = dirname(file);
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory()) return success(undefined);
  const message = found ? `${folder} is not a directory` : `the directory ${folder} does not exist`;
  return failure([error('file', message, { at: { file, line: 1, column: 1 } })]);
}

/** Whole or not at all, readable by its owner only: what a site looks like is not for everybody either. */
export async function writeSavedPlan(file: string, plan: SavedPlan): Promise<Result<void>> {
  try {
    await writeAtomically(file, `${JSON.stringify(plan, null, 2)}\n`, 0o600);
    return success(undefined);
  } catch (cause) {
    return failure([error('file', fileProblem(cause), { at: { file, line: 1, column: 1 } })]);
  }
}
