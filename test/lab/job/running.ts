import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Journal, type JournalEntry, parseJournal } from '../../../src/core/model/journal.ts';
import { LabError, lastLines, waitFor } from '../command.ts';
import type { Lab } from '../raise.ts';
import { cloneRoot } from '../settings.ts';

export type StartedStep = Extract<JournalEntry, { event: 'started' }>;

export interface Ended {
  /** Exit status; -1 when a signal ended it. */
  readonly code: number;
  /** From the start of the process to its end. */
  readonly seconds: number;
  readonly output: string;
}

export interface BeginOptions {
  /** `DEPLOY_FAILPOINT` of this run. */
  readonly failpoint?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

const states = join(cloneRoot(), '.lab', 'fault-states');
// Those of an earlier file of tests have been read.
rmSync(states, { recursive: true, force: true });

/** A `deploy` that goes on beside the test, with a state directory (and so a journal) of its own. */
export class Running {
  readonly command: string;
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #state: string;
  #output = '';

  constructor(lab: Lab, args: readonly string[], options: BeginOptions = {}) {
    mkdirSync(states, { recursive: true });
    this.#state = mkdtempSync(join(states, 'run-'));
    this.command = `deploy ${args.join(' ')}`;
    const main = join(cloneRoot(), 'dist', 'cli', 'main.js');
    const failpoint = options.failpoint === undefined ? {} : { DEPLOY_TEST: '1', DEPLOY_FAILPOINT: options.failpoint };
    const started = performance.now();
    this.#child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, ...lab.variables, XDG_STATE_HOME: this.#state, ...failpoint, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // A test that fails half way leaves nobody behind who stands still and holds the locks.
    onTestFinished(() => void this.#child.kill('SIGKILL'));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code) =>
        resolve({ code: code ?? -1, seconds: (performance.now() - started) / 1000, output: this.#output }),
      );
    });
  }

  get output(): string {
    return this.#output;
  }

  /** What the run has written down so far; undefined before it carries anything out. */
  journal(): Journal | undefined {
    const runs = join(this.#state, 'deploy', 'runs');
    try {
      const [file] = readdirSync(runs);
      return file === undefined ? undefined : parseJournal(readFileSync(join(runs, file), 'utf8'));
    } catch {
      return undefined;
    }
  }

  /** Steps that were begun and are not over. */
  underWay(): readonly StartedStep[] {
    const entries = this.journal()?.entries ?? [];
    const over = new Set(entries.flatMap((one) => (one.event === 'done' || one.event === 'failed' ? [one.id] : [])));
    return entries.filter((one): one is StartedStep => one.event === 'started' && !over.has(one.id));
  }

  /** Waits until the run stands still at its failpoint; the step there. */
  async standing(kind: string): Promise<StartedStep> {
    await this.until('stands still at its failpoint', async () => this.#output.includes('standing still'));
    const step = this.underWay().find((one) => one.kind === kind);
    if (step === undefined) throw new LabError(`${this.command}: the journal does not name the ${kind} it stands at`);
    return step;
  }

  async until(what: string, probe: () => Promise<boolean>, timeoutMs = 120_000): Promise<void> {
    let over = false;
    void this.ended.then(() => {
      over = true;
    });
    const seen = await waitFor(async () => over || probe(), timeoutMs, 50);
    if (seen && (await probe())) return;
    throw new LabError(`${this.command}: it never ${what}:\n${lastLines(this.#output, 30)}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
