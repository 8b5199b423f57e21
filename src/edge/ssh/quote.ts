/**
 * One word for a POSIX shell. Single quotes switch off every expansion; a quote inside is closed, escaped and
 * reopened. A NUL byte cannot be part of an argument and is refused.
 */
export function quoteWord(word: string): string {
  if (word.includes('\0')) throw new RangeError('an argument of a command cannot contain a NUL byte');
  return /^[A-Za-z0-9_/.:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line that a POSIX shell splits into exactly `argv`. */
export function quote(argv: readonly string[]): string {
  return argv.map(quoteWord).join(' ');
}
