import { stripVTControlCharacters } from 'node:util';

export interface Progress {
  /** The engine reports failures inside a successful HTTP answer. */
  readonly error?: string | undefined;
  /** Image built, `sha256:…`. */
  readonly id?: string | undefined;
  /** Manifest pushed, `sha256:…`. */
  readonly digest?: string | undefined;
  /** The last lines, without colours; the line of the last build step is always among them. */
  readonly lines: readonly string[];
}

interface Message {
  readonly stream?: string;
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: object;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
  readonly aux?: { readonly ID?: string; readonly Digest?: string };
}

const keptLines = 40;

/** Reads the engine's JSON lines to their end. `onLine` gets each line of text once, without colours. */
export async function readProgress(stream: NodeJS.ReadableStream, onLine: (line: string) => void): Promise<Progress> {
  const log = new Log(onLine);
  let result: { error?: string; id?: string; digest?: string } = {};
  for await (const message of messages(stream)) {
    if (message.stream !== undefined) log.write(message.stream);
    // Progress bars of single layers come many times a second and say nothing to a reader of a log.
    else if (message.status !== undefined && !message.progressDetail && !message.id) log.write(`${message.status}\n`);
    if (message.aux?.ID !== undefined) result = { ...result, id: message.aux.ID };
    if (message.aux?.Digest !== undefined) result = { ...result, digest: message.aux.Digest };
    const failed = message.errorDetail?.message ?? message.error;
    if (failed !== undefined) result = { ...result, error: stripVTControlCharacters(failed).trim() };
  }
  return { ...result, lines: log.end() };
}

async function* messages(stream: NodeJS.ReadableStream): AsyncGenerator<Message> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as Message;
  }
  if (rest.trim() !== '') yield JSON.parse(rest) as Message;
}

class Log {
  readonly #onLine: (line: string) => void;
  #partial = '';
  #step: string | undefined;
  #lines: string[] = [];

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) this.#add(line);
  }

  end(): readonly string[] {
    this.#add(this.#partial);
    const hasStep = this.#step === undefined || this.#lines.includes(this.#step);
    return hasStep || this.#step === undefined ? this.#lines : [this.#step, ...this.#lines];
  }

  #add(raw: string): void {
    // A carriage return rewrites the line on a terminal: what stands after the last one is what would be seen.
    const line = stripVTControlCharacters(raw).trimEnd().split('\r').at(-1) ?? '';
    if (line === '') return;
    if (line.startsWith('Step ')) this.#step = line;
    this.#lines.push(line);
    if (this.#lines.length > keptLines) this.#lines.shift();
    this.#onLine(line);
  }
}
