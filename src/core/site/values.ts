import type { SourceSpan } from '../model/diagnostic.ts';
import { isTemplate } from './jinja-scan.ts';

/** Whether there is anything to evaluate in it, however deep. */
export function hasTemplate(value: unknown): boolean {
  if (typeof value === 'string') return isTemplate(value);
  return value !== null && typeof value === 'object' && Object.values(value).some(hasTemplate);
}

/** The place `offset` characters into a text that starts at `at`; exact unless the text was written with escapes. */
export function advance(at: SourceSpan, text: string, offset: number): SourceSpan {
  const before = text.slice(0, offset).split('\n');
  return { file: at.file, line: at.line + before.length - 1, column: at.column + (before.at(-1) ?? '').length };
}

/** The kind of a value; never the value itself, which may be a secret. */
export function describe(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'string' ? (value === '' ? 'an empty text' : 'another text') : `a ${typeof value}`;
}
