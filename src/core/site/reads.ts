import type { HostName } from '../model/node.ts';

/** A variable of a host, and the variables its value was made from. */
export interface ReadVariable {
  readonly host: HostName;
  readonly name: string;
  /** Read directly: by its own expression. Also names that turned out to have no value. */
  readonly reads: ReadonlySet<ReadVariable>;
}

/** Notes which variables are read by whatever is being worked on right now. */
export class ReadTracker {
  #into: Set<ReadVariable> | undefined;

  note(variable: ReadVariable): void {
    this.#into?.add(variable);
  }

  /** What `work` reads goes into this set and no other, also when it is called from within other work. */
  within<T>(into: Set<ReadVariable>, work: () => T): T {
    const outer = this.#into;
    this.#into = into;
    try {
      return work();
    } finally {
      this.#into = outer;
    }
  }
}

/** The variables, and those they were made from, to the last. */
export function withTheirReads(variables: Iterable<ReadVariable>): ReadonlySet<ReadVariable> {
  const all = new Set(variables);
  // A set hands out what is added while it is walked.
  for (const variable of all) for (const read of variable.reads) all.add(read);
  return all;
}
