import { LoadClient, type RequestKind, type Sample } from './request.ts';

/** Clients of each half: those that keep their connection and those that make a new one for each request. */
const clientsOfEach = 20;

/** Requests started at a steady rate, whatever became of the earlier ones; the kinds take turns. */
export interface Stream {
  readonly kinds: readonly RequestKind[];
  readonly perSecond: number;
}

export interface Load {
  /** Every request that has ended so far. */
  readonly samples: readonly Sample[];
  /** Requests that have not ended yet. */
  pending(): number;
  /** Starts no more and waits for what is under way. */
  stop(): Promise<readonly Sample[]>;
}

/**
 * Starts a steady load. The rate is that of the starts: a service that answers slowly gets the next request in time
 * all the same, as from people who know nothing of each other.
 */
export function startLoad(streams: readonly Stream[]): Load {
  const clients = Array.from({ length: 2 * clientsOfEach }, (_, i) => new LoadClient(i % 2 === 0));
  const samples: Sample[] = [];
  const pending = new Set<Promise<void>>();
  let next = 0;
  const send = (kind: RequestKind): void => {
    const client = clients[next++ % clients.length];
    if (client === undefined) return;
    const ended = client.send(kind).then((sample) => {
      samples.push(sample);
      pending.delete(ended);
    });
    pending.add(ended);
  };
  const stops = streams.filter(({ kinds, perSecond }) => kinds.length > 0 && perSecond > 0).map((s) => pace(s, send));
  return {
    samples,
    pending: () => pending.size,
    stop: async () => {
      for (const stop of stops) stop();
      await Promise.all(pending);
      for (const client of clients) client.close();
      return samples;
    },
  };
}

/** Calls `send` at the stream's rate. Turns of the kinds shift by one each round, so that every client does every kind. */
function pace({ kinds, perSecond }: Stream, send: (kind: RequestKind) => void): () => void {
  const every = 1000 / perSecond;
  let due = performance.now() + Math.random() * every;
  let count = 0;
  let timer: NodeJS.Timeout;
  const tick = (): void => {
    for (const now = performance.now(); due <= now; due += every) {
      const kind = kinds[(count + Math.floor(count / kinds.length)) % kinds.length];
      count += 1;
      if (kind) send(kind);
    }
    timer = setTimeout(tick, due - performance.now());
  };
  tick();
  return () => clearTimeout(timer);
}
