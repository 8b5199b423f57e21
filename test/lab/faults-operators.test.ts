import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Journal } from '../../src/core/model/journal.ts';
import { sleep } from './command.ts';
import { deploy } from './job/deploy-command.ts';
import { deployedLab } from './job/deployed.ts';
import { engineEvents } from './job/engine-events.ts';
import { goOn, lostItsNode } from './job/faulty-run.ts';
import { contradictions, type Raced, race } from './job/races.ts';
import { Running } from './job/running.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';

/** FAULTS=all, or FAULTS=races: all of them (`races:50` that many); else a sample. */
const [, asked, count] = /(all|races)(?::(\d+))?/.exec(process.env.FAULTS ?? '') ?? [];
const raceCount = asked === undefined ? 10 : Number(count ?? 100);

const cron = (count: number): readonly string[] => [
  ...['reconfigure', '--tags', 'cron', '--batch', '3', '--yes', '-e', `cron_logrotate_rotation_count=${count}`],
];
const cronAgain: readonly string[] = ['reconfigure', '--tags', 'cron', '--yes'];

const heat = (node: string, workers: number): readonly string[] => [
  ...['reconfigure', '--tags', 'heat_api_cfn', '--skip-tags', 'common', '--limit', node, '--yes'],
  ...['-e', `heat_api_cfn_workers=${workers}`],
];
const heatAgain: readonly string[] = ['reconfigure', '--tags', 'heat_api_cfn', '--skip-tags', 'common', '--yes'];

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

describe('operators and the machine they work from', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await deployedLab(printingReport());
  });

  afterAll(async () => {
    for (const args of [cronAgain, heatAgain]) {
      const ran = await deploy(lab, args);
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    }
  });

  it(`${raceCount} races of two operators: one works, the other is refused and told by whom, nothing is changed by both at once`, async () => {
    const since = Date.now();
    const journals: Journal[] = [];
    const refused: number[] = [];
    let done = 0;
    let longest = 2_500;
    for (let i = 0; i < raceCount; i += 1) {
      const offset = Math.round(Math.random() * longest);
      const { runs } = await race(lab, cron(10 + ((2 * i) % 80)), cron(11 + ((2 * i) % 80)), offset);
      // The second one comes at any moment of the first one's run, and a little after it.
      longest = runs[0].ended.seconds * 1_100;
      for (const one of runs) {
        if (one.journal !== undefined) journals.push(one.journal);
        if (one.ended.code === 5) {
          refused.push(one.ended.seconds);
          if (one.ended.seconds > 1.5)
            console.log(`refused late, ${offset} ms after the first one: ${one.ended.output}`);
          toldByWhom(
            one,
            runs.find((other) => other !== one),
          );
        } else {
          expect(one.ended.code, one.ended.output).toBe(0);
          done += 1;
        }
      }
      expect(runs.some(({ ended }) => ended.code === 0)).toBe(true);
    }
    const events = await engineEvents(since, /^cron/);
    console.log(
      `${raceCount} races: ${done} runs worked, ${refused.length} were refused, in ${median(refused).toFixed(2)} s ` +
        `(median of the whole command, longest ${Math.max(...refused).toFixed(2)} s); ${events.length} changes in the engines' record`,
    );
    expect(contradictions(journals, events)).toEqual([]);
    expect(journals).toHaveLength(done);
    expect(events.length).toBeGreaterThanOrEqual(done * 3);
    expect(refused.length).toBeGreaterThan(0);
    // Two commands that begin at once share this machine's processors, and so does what they change.
    expect(median(refused)).toBeLessThan(2);
  });

  it('a second operator is refused in less than a second beside a run that holds the lock', async () => {
    const holder = new Running(lab, heat('node1', 2), { failpoint: 'create:before:1=hang' });
    await holder.standing('create');
    const times: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      const refused = await deploy(lab, heat('node1', 3));
      expect(refused.code, refused.stderr).toBe(5);
      times.push(refused.seconds);
    }
    holder.signal('SIGCONT');
    expect((await holder.ended).code, holder.output).toBe(0);
    console.log(
      `refused in ${times.map((seconds) => seconds.toFixed(2)).join(', ')} s, from the start of the command to its end`,
    );
    expect(median(times)).toBeLessThan(1);
  });

  function toldByWhom({ ended, command }: Raced, other: Raced | undefined): void {
    expect(ended.output, command).toContain(`run ${other?.journal?.head.run}`);
    expect(ended.output).toMatch(/locked by .+@.+ \(pid \d+\), deploy reconfigure --tags cron .*, for \d+ s/);
  }

  it('a lock holder frozen for 60 s changes nothing any more when it wakes, whether somebody took over or not', async () => {
    const taken = new Running(lab, heat('node1', 3), { failpoint: 'stop:after:1=hang' });
    await taken.standing('stop');
    const alone = new Running(lab, heat('node3', 3), { failpoint: 'stop:after:1=hang' });
    await alone.standing('stop');
    for (const run of [taken, alone]) run.signal('SIGSTOP');
    const frozenAt = Date.now();

    // Its lease is 30 s; who comes within it waits.
    const successor = await deploy(lab, [...heat('node1', 3), '--lock-wait', '60s']);
    expect(successor.code, successor.stdout + successor.stderr).toBe(0);
    expect(successor.stderr).toContain(`run ${taken.journal()?.head.run}`);
    expect(successor.stderr).toContain('did not end by itself');

    await sleep(Math.max(0, frozenAt + 60_000 - Date.now()));
    const wokenAt = Date.now();
    for (const run of [taken, alone]) run.signal('SIGCONT');
    lostItsNode(taken, await taken.ended, 'node1');
    lostItsNode(alone, await alone.ended, 'node3');
    const seconds = (Date.now() - wokenAt) / 1000;
    // Where nobody took over, what was done until then is still there, half done.
    expect(await engineEvents(wokenAt, /^heat_api_cfn/)).toEqual([]);
    expect(seconds).toBeLessThan(15);
    const again = await goOn(lab, heat('node3', 3));
    console.log(
      `frozen for 60 s: successor done after ${successor.seconds.toFixed(1)} s; woken, ended in ${seconds.toFixed(1)} s; again: ${again}`,
    );
    const planned = await deploy(lab, ['plan', ...heat('node1,node3', 3).filter((word) => word !== '--yes')]);
    expect(planned.code, planned.stdout).toBe(0);
  });

  it('a clock of the control host that jumps by an hour to and fro all the time changes nothing', async () => {
    const preload = join(lab.files.folder, 'jumping-clock.mjs');
    writeFileSync(preload, jumpingClock);
    const steady = new Running(lab, heat('node2', 4));
    const quiet = await steady.ended;
    const jumping = new Running(lab, heat('node2', 5), { env: { NODE_OPTIONS: `--import ${preload}` } });
    const ended = await jumping.ended;
    expect(quiet.code, quiet.output).toBe(0);
    expect(ended.code, ended.output).toBe(0);
    expect(ended.output).toMatch(/jumped [1-9]\d* times/);
    expect(ended.seconds).toBeLessThan(quiet.seconds * 2);
    const done = (run: Running) => run.journal()?.entries.filter((entry) => entry.event === 'done') ?? [];
    expect(done(jumping)).toHaveLength(done(steady).length);
    for (const entry of done(jumping)) expect(entry.event === 'done' && entry.ms).toBeLessThan(60_000);
    console.log(`jumping clock: ${ended.seconds.toFixed(1)} s, steady one ${quiet.seconds.toFixed(1)} s`);
  });
});

/** The wall clock of one process: an hour ahead, right, an hour behind, right, … every 100 ms. */
const jumpingClock = `
const real = Date;
let shift = 0;
let jumps = 0;
const now = () => real.now() + shift;
globalThis.Date = class extends real {
  constructor(...args) { super(...(args.length === 0 ? [now()] : args)); }
  static now() { return now(); }
};
const shifts = [3_600_000, 0, -3_600_000, 0];
setInterval(() => { shift = shifts[jumps++ % shifts.length]; }, 100).unref();
process.on('exit', () => process.stderr.write('the clock jumped ' + jumps + ' times\\n'));
`;
