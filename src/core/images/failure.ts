import { type Diagnostic, error } from '../model/diagnostic.ts';
import type { PlannedImage } from './definition.ts';

export interface EngineFailure {
  readonly message: string;
  /** The last lines the engine said, oldest first. */
  readonly lines: readonly string[];
}

const passingSigns = [
  /connection (reset|refused|timed out|closed)/i,
  /\b(ECONNRESET|ECONNREFUSED|ETIMEDOUT|EPIPE|EAI_AGAIN)\b/,
  /(i\/o|TLS handshake|read|connect) time-?out/i,
  /context deadline exceeded/i,
  /socket hang up|unexpected EOF|network is unreachable|no route to host/i,
  /temporary failure (in name resolution|resolving)/i,
  /could not (connect to|resolve) /i,
  /hash sum mismatch/i,
  /\b(500 Internal Server Error|502 Bad Gateway|503 Service (Temporarily )?Unavailable|504 Gateway Time-?out)\b/i,
  /unexpected (HTTP )?status( code)?:? 5\d\d/i,
  /toomanyrequests|429 Too Many Requests/i,
];

/** Whether trying again may help: the network, a busy server, an archive being updated; never a mistake in the recipe. */
export function mayPass(failure: EngineFailure): boolean {
  const said = [...failure.lines.slice(-15), failure.message].join('\n');
  return passingSigns.some((sign) => sign.test(said));
}

/** Says which instruction of which file failed. The log lines are reported beside it. */
export function describeFailure(
  image: PlannedImage,
  templateText: string | undefined,
  failure: EngineFailure,
): Diagnostic {
  const step = lastStep(failure.lines);
  const parseError = /parse error (?:on )?line (\d+)/i.exec(failure.message);
  const rendered = parseError ? Number(parseError[1]) : step && lineOfStep(image.dockerfile, step.number);
  const line = rendered === undefined ? 1 : templateLine(image.dockerfile, templateText, rendered);
  const what = step && !parseError ? `step ${step.number} of ${step.total} failed: ${step.text}: ` : '';
  return error('build-failed', `${image.key}: ${what}${failure.message}`, {
    at: { file: image.file, line, column: 1 },
    hint: mayPass(failure) ? 'the reason may pass: run the build again' : undefined,
  });
}

function lastStep(lines: readonly string[]): { number: number; total: number; text: string } | undefined {
  for (const line of lines.toReversed()) {
    const [, number, total, text = ''] = /^Step (\d+)\/(\d+) : (.*)$/.exec(line) ?? [];
    if (number !== undefined) return { number: Number(number), total: Number(total), text: text.slice(0, 200) };
  }
  return undefined;
}

/** Line of the n-th instruction; lines ending in a backslash and comments inside belong to the instruction above. */
function lineOfStep(dockerfile: string, wanted: number): number | undefined {
  let count = 0;
  let continues = false;
  for (const [index, line] of dockerfile.split('\n').entries()) {
    const blank = line.trim() === '' || line.trimStart().startsWith('#');
    if (blank) continue;
    if (!continues) count++;
    if (count === wanted) return index + 1;
    continues = /\\\s*$/.test(line);
  }
  return undefined;
}

/** Blocks of a template take lines that the result does not have; the same text at or after that line is the place. */
function templateLine(dockerfile: string, templateText: string | undefined, line: number): number {
  const wanted = dockerfile.split('\n')[line - 1]?.trim();
  if (!templateText || !wanted) return line;
  const candidates = templateText.split('\n').flatMap((text, index) => (text.trim() === wanted ? [index + 1] : []));
  return candidates.find((candidate) => candidate >= line) ?? candidates[0] ?? line;
}
