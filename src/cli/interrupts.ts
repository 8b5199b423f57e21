import { type ExitCode, exitCode } from '../core/model/diagnostic.ts';

const exits = {
  SIGINT: exitCode.interrupted,
  SIGTERM: exitCode.terminated,
  SIGHUP: exitCode.hungUp,
} as const satisfies Partial<Record<NodeJS.Signals, ExitCode>>;

type Watched = keyof typeof exits;

const watched = Object.keys(exits) as Watched[];

export interface Interrupts {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** How to exit because of it; undefined while there was none. */
  by(): ExitCode | undefined;
  /** Signals end the process again. */
  end(): void;
}

/**
 * The first SIGINT, SIGTERM or SIGHUP asks to come to a good end, the second stops at once, with the exit code of the
 * first. A terminal that goes away often sends SIGHUP more than once: only the other two count as a second.
 */
export function listenForInterrupts(onFirst: () => void): Interrupts {
  const stop = new AbortController();
  let by: ExitCode | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (by !== undefined) {
      if (signal !== 'SIGHUP') process.exit(by);
      return;
    }
    by = exits[signal as Watched];
    onFirst();
    stop.abort();
  };
  for (const signal of watched) process.on(signal, onSignal);
  return {
    signal: stop.signal,
    by: () => by,
    end: () => {
      for (const signal of watched) process.off(signal, onSignal);
    },
  };
}
