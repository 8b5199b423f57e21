import { LabError } from './command.ts';

export interface LabReport {
  /** Runs one step and prints one line with its duration once it has ended. */
  step<T>(title: string, work: (note: (text: string) => void) => Promise<T>): Promise<T>;
  line(text: string): void;
}

/** Prints to standard output, one line per finished step. */
export function printingReport(write: (line: string) => void = (line) => console.log(line)): LabReport {
  return {
    line: write,
    async step(title, work) {
      const started = Date.now();
      const notes: string[] = [];
      try {
        const result = await work((text) => notes.push(text));
        write(`${seconds(started)}  ${title}${notes.length === 0 ? '' : `: ${notes.join(', ')}`}`);
        return result;
      } catch (error) {
        write(`${seconds(started)}  ${title}: FAILED`);
        throw error;
      }
    },
  };
}

/** For tests that raise the lab as a side matter. */
export function silentReport(): LabReport {
  return { line: () => undefined, step: (_title, work) => work(() => undefined) };
}

function seconds(started: number): string {
  return `${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s`;
}

/** Runs a command-line entry; problems meant for people are printed without a stack trace. Sets the exit code. */
export async function asCommand(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    console.error(`\nerror: ${error.message}`);
    if (error.hint !== undefined) console.error(`hint: ${error.hint}`);
    process.exitCode = 1;
  }
}
