import { Agent, request as httpRequest } from 'node:http';

/** One kind of request the load is made of. */
export interface RequestKind {
  readonly name: string;
  readonly service: 'keystone' | 'heat' | 'magnum';
  /** Reaches database and engine with a token, unlike the version pages. */
  readonly authenticated: boolean;
  readonly method: 'GET' | 'POST';
  readonly url: string;
  headers?(): Readonly<Record<string, string>>;
  readonly body?: string;
  /** The statuses of a good answer; any other is a failure. */
  readonly expect: readonly number[];
  /** Called with every good answer. */
  answered?(headers: Readonly<Record<string, unknown>>): void;
}

export interface Sample {
  readonly kind: RequestKind;
  readonly keptAlive: boolean;
  /** Milliseconds of the performance clock. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** 0 when there was no answer. */
  readonly status: number;
  /** Why it counts as failed. */
  readonly failure?: string;
}

/** How long a client waits for the whole answer. */
const patienceMs = 30_000;
/** Shorter than the load balancer's own 10 s, so that no client sends into a connection just being closed for its age. */
const idleMs = 4_000;

/** One client: with a connection it keeps, or with a new one for each request. Repeats nothing. */
export class LoadClient {
  readonly keepsAlive: boolean;
  readonly #agent: Agent;

  constructor(keepsAlive: boolean) {
    this.keepsAlive = keepsAlive;
    this.#agent = new Agent(keepsAlive ? { keepAlive: true, timeout: idleMs } : { keepAlive: false });
  }

  send(kind: RequestKind): Promise<Sample> {
    const startedAt = performance.now();
    return new Promise((resolve) => {
      const end = (status: number, failure?: string): void =>
        resolve({
          kind,
          keptAlive: this.keepsAlive,
          startedAt,
          endedAt: performance.now(),
          status,
          ...(failure === undefined ? {} : { failure }),
        });
      const sent = httpRequest(
        kind.url,
        {
          method: kind.method,
          agent: this.#agent,
          signal: AbortSignal.timeout(patienceMs),
          headers: {
            ...kind.headers?.(),
            ...(kind.body === undefined ? {} : { 'content-type': 'application/json' }),
          },
        },
        (answer) => {
          let text = '';
          answer.on('data', (chunk: Buffer) => {
            if (text.length < 200) text += chunk.toString();
          });
          answer.on('error', (error: Error) => end(answer.statusCode ?? 0, `answer broke off: ${error.message}`));
          answer.on('end', () => {
            const status = answer.statusCode ?? 0;
            if (!kind.expect.includes(status)) return end(status, `HTTP ${status}: ${text.slice(0, 120)}`);
            kind.answered?.(answer.headers);
            end(status);
          });
        },
      );
      sent.on('error', (error: NodeJS.ErrnoException) => {
        const waited = performance.now() - startedAt;
        const why = error.name === 'AbortError' ? `no answer in ${Math.round(waited / 1000)} s` : reason(error);
        end(0, sent.reusedSocket ? `${why} (on a kept connection)` : why);
      });
      sent.end(kind.body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function reason(error: NodeJS.ErrnoException): string {
  return error.code === undefined ? error.message : `${error.code} ${error.message}`;
}
