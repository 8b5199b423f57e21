/** Who holds the lock of a node: shown to a second operator, never used to decide anything but "is it this run". */
export interface LockHolder {
  readonly run: string;
  readonly verb: string;
  /** The command as it was typed, without values of variables. */
  readonly command: string;
  readonly user: string;
  /** Control host the command runs on, and its process there. */
  readonly from: string;
  readonly pid: number;
}

/** What is known of a lock that is taken. */
export interface LockTaken {
  readonly holder?: LockHolder | undefined;
  /** Seconds it has been held, by the clock of its node. */
  readonly seconds?: number | undefined;
  /** The holder has gone, but a command it started on the node has not ended yet. */
  readonly orphan: boolean;
}

/** `operator@control (pid 4711), deploy upgrade --tags magnum, run 20260101…, for 35 s` */
export function describeHolder({ holder, seconds }: LockTaken): string {
  const since = seconds === undefined ? '' : `, for ${seconds} s`;
  if (holder === undefined) return `somebody who left no name${since}`;
  return `${holder.user}@${holder.from} (pid ${holder.pid}), ${holder.command}, run ${holder.run}${since}`;
}
