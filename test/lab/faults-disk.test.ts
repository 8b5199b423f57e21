import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allContainers, changedContainers, deploy, type Ran } from './job/deploy-command.ts';
import { deployedLab } from './job/deployed.ts';
import { type DiskFault, diskFaults, poor } from './job/disk-faults.ts';
import { type SmallDisk, smallDisk, smallDiskHere } from './job/small-disk.ts';
import { forgetSpare, makeSpare, spare } from './job/spare-image.ts';
import { nodeExec } from './nodes.ts';
import type { Lab } from './raise.ts';
import { aroundEngines, putSocketsBack, recordEngineCalls } from './recorder.ts';
import { printingReport } from './report.ts';
import { NODES } from './settings.ts';

const select = ['--tags', 'memcached', '--skip-tags', 'common'];

/** What a disk that was full may have left behind where configuration is kept; nothing does. */
async function halfWritten(): Promise<string> {
  const looks = [
    'find /etc/kolla/.deploy/staging -mindepth 1',
    "find /etc/kolla/.deploy/generations \\( -name '.new-*' -o -name '.link-*' \\)",
    'find /etc/kolla/.deploy/markers /etc/kolla/memcached -type f -empty',
    'for link in /etc/kolla/.deploy/generations/*/current; do [ -d "$link/files" ] || echo "$link"; done',
    'for file in /etc/kolla/memcached/*.json; do tail -c 2 "$file" | grep -q "}" || echo "$file"; done',
  ];
  return (await nodeExec(poor, looks.join('; '))).stdout;
}

/** The engine's call that a kind of step makes once. */
const callOf = {
  create: /^POST .*\/containers\/create/,
  stop: /^POST .*\/stop\b/,
  start: /^POST .*\/containers\/[^/]+\/start\b/,
};

/** The steps that the latest journal says were begun; its last line may be torn. */
function notedSteps(state: string): { readonly host: string; readonly kind: string }[] {
  const runs = join(state, 'deploy', 'runs');
  const latest = readdirSync(runs).sort().pop() ?? '';
  const lines = readFileSync(join(runs, latest), 'utf8').split('\n').slice(0, -1);
  return lines
    .map((line) => JSON.parse(line) as { event: string; host: string; kind: string })
    .filter(({ event }) => event === 'started');
}

describe('a full disk', () => {
  let lab: Lab;
  let megabytes = 64;

  beforeAll(async () => {
    lab = await deployedLab(printingReport());
  });

  afterAll(async () => {
    await putSocketsBack();
    const back = await deploy(lab, ['upgrade', ...select, '--yes']);
    await forgetSpare();
    expect(back.code, back.stdout + back.stderr).toBe(0);
  });

  /** Another change each time, so that none of them has to be undone first. */
  function nextChange(): string[] {
    megabytes += 1;
    return ['reconfigure', ...select, '-e', `memcached_max_memory=${megabytes}`, '--yes'];
  }

  async function report(name: string, ran: Ran): Promise<void> {
    const said = ran.stderr.trim() || ran.stdout.split('\n').filter((line) => /error:/.test(line))[0] || '';
    console.log(`${name}: exit ${ran.code} after ${ran.seconds.toFixed(1)} s\n    ${said}`);
  }

  /** The same command once more, now that there is room: the end is that of an undisturbed run. */
  async function heals(command: readonly string[]): Promise<void> {
    const again = await deploy(lab, command);
    expect(again.code, again.stdout + again.stderr).toBe(0);
    const rest = await deploy(lab, ['plan', ...command.slice(0, -1)]);
    expect(rest.code, rest.stdout + rest.stderr).toBe(0);
    const left = [...(await allContainers()).keys()].filter((key) => /__(next|previous)$/.test(key));
    expect(left).toEqual([]);
    expect(await halfWritten()).toBe('');
    console.log(`    the same command again: exit ${again.code} after ${again.seconds.toFixed(1)} s`);
  }

  async function disturbed(command: readonly string[], disk: SmallDisk, fault: DiskFault): Promise<Ran> {
    const fill = async (): Promise<void> => disk.leave(fault.leaves);
    if (fault.from === undefined) {
      await fill();
      return deploy(lab, command);
    }
    const { from } = fault;
    let filled: Promise<void> | undefined;
    let ran: Ran | undefined;
    await aroundEngines(
      async ({ node, method, path }) => {
        if (node !== from.node || method !== 'POST' || !from.call.test(path)) return;
        filled ??= fill();
        await filled;
      },
      async () => {
        ran = await deploy(lab, command);
      },
    );
    if (ran === undefined || filled === undefined) throw new Error(`nothing matched ${String(from.call)}`);
    return ran;
  }

  for (const fault of diskFaults) {
    it(fault.name, async () => {
      const command = nextChange();
      const disk = await smallDisk(poor, fault.folder);
      try {
        const before = await allContainers();
        const ran = await disturbed(command, disk, fault);
        await report(fault.name, ran);
        const after = await allContainers();
        expect(ran.code, ran.stdout + ran.stderr).toBe(fault.expected.exit);
        for (const words of fault.expected.says) expect(ran.stdout + ran.stderr).toMatch(words);
        expect(changedContainers(before, after)).toEqual(fault.expected.changed);
        const serving = NODES.filter(({ name }) => after.get(`${name}/memcached`)?.running === true);
        expect(serving.map(({ name }) => name)).toEqual(
          fault.expected.serves ? ['node1', 'node2', 'node3'] : ['node1', 'node3'],
        );
        expect(await halfWritten()).toBe('');
        await disk.makeRoom();
        await heals(command);
      } finally {
        await disk.undo();
      }
    });
  }

  it('the engine’s disk is full when it unpacks an image: nothing is replaced anywhere', async () => {
    await makeSpare('memcached');
    const command = ['upgrade', ...select, '-e', `memcached_tag=${spare}`, '--yes'];
    const disk = await smallDisk(poor, '/var/lib/docker/tmp');
    try {
      const before = await allContainers();
      await disk.leave(512);
      const ran = await deploy(lab, command);
      await report('pull', ran);
      expect(ran.code, ran.stdout + ran.stderr).toBe(1);
      expect(ran.stdout).toMatch(/node2: cannot pull .*memcached:spare.*no space left on the engine’s disk/);
      expect(changedContainers(before, await allContainers())).toEqual([]);
      await disk.makeRoom();
      await heals(command);
    } finally {
      await disk.undo();
    }
  });

  describe('on the control host, where the journal is kept', () => {
    let folder: string;
    let disk: SmallDisk;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'deploy-state-'));
      disk = await smallDiskHere(folder);
      lab = { ...lab, variables: { ...lab.variables, XDG_STATE_HOME: folder } };
    });

    afterAll(async () => {
      await disk.undo();
      rmSync(folder, { recursive: true, force: true });
      const { XDG_STATE_HOME: _, ...variables } = lab.variables;
      lab = { ...lab, variables };
    });

    it('is full before the run: nothing is begun', async () => {
      const command = nextChange();
      await disk.leave(0);
      const before = await allContainers();
      const ran = await deploy(lab, command);
      await report('journal, before', ran);
      expect(ran.code, ran.stdout + ran.stderr).toBe(4);
      expect(ran.stderr).toMatch(/the journal .*\.ndjson cannot be written: no space left on the device/);
      expect(changedContainers(before, await allContainers())).toEqual([]);
      expect((await deploy(lab, ['lock', 'status'])).stdout).not.toContain('held');
      await disk.makeRoom();
      await heals(command);
      expect((await deploy(lab, ['history'])).code).toBe(0);
    });

    it('is full in the middle: nothing is begun that could not be noted', async () => {
      const command = nextChange();
      await disk.leave(4);
      let ran: Ran | undefined;
      const calls = await recordEngineCalls(async () => {
        ran = await deploy(lab, command);
      });
      if (ran === undefined) throw new Error('it did not run');
      await report('journal, in the middle', ran);
      expect(ran.code, ran.stdout + ran.stderr).toBe(1);
      expect(ran.stdout + ran.stderr).toMatch(/the journal .* cannot be written: no space left on the device/);
      const noted = notedSteps(folder);
      expect(noted.length).toBeGreaterThan(2);
      for (const { name } of NODES) {
        for (const [kind, call] of Object.entries(callOf)) {
          const made = calls.filter((one) => one.node === name && call.test(`${one.method} ${one.path}`)).length;
          expect(made, `${kind} on ${name}`).toBe(noted.filter((s) => s.host === name && s.kind === kind).length);
        }
      }
      const after = await allContainers();
      expect(NODES.filter(({ name }) => after.get(`${name}/memcached`)?.running === true).length).toBeGreaterThan(1);
      const shown = await deploy(lab, ['show']);
      expect(shown.code, shown.stderr).toBe(0);
      await disk.makeRoom();
      await heals(command);
    });
  });
});
