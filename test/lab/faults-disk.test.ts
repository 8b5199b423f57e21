import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allContainers, changedContainers, deploy, type Ran } from './job/deploy-command.ts';
import { deployedLab } from './job/deployed.ts';
import { type SmallDisk, smallDisk, smallDiskHere } from './job/small-disk.ts';
import { forgetSpare, makeSpare, spare } from './job/spare-image.ts';
import { nodeExec } from './nodes.ts';
import type { Lab } from './raise.ts';
import { aroundEngines, putSocketsBack, recordEngineCalls } from './recorder.ts';
import { printingReport } from './report.ts';
import { NODES, type NodeName } from './settings.ts';

/** The node whose disk is full; the one before it in the rollout's order is done by then, the one after it waits. */
const poor: NodeName = 'node2';
const select = ['--tags', 'memcached', '--skip-tags', 'common'];

interface DiskFault {
  readonly name: string;
  readonly folder: string;
  /** KiB that stay free. */
  readonly leaves: number;
  /** From the first call of this kind to a node's engine on; before the run when absent. */
  readonly from?: { readonly node: NodeName; readonly call: RegExp };
  readonly expected: {
    readonly exit: number;
    /** In what the operator reads. */
    readonly says: readonly RegExp[];
    /** What is not as it was afterwards. */
    readonly changed: readonly string[];
    /** Whether something of the name serves on the poor node until there is room. */
    readonly serves: boolean;
  };
}

const kollaFull = /make room on the filesystem of \/etc\/kolla, then run the same command again/;
const engineFull = /node2: cannot .*no space left on the engine’s disk \(.*no space left on device.*\)/;

const faults: readonly DiskFault[] = [
  {
    name: '/etc/kolla is full before the run',
    folder: '/etc/kolla',
    leaves: 0,
    expected: {
      exit: 4,
      says: [/error: node2: no space left for the files of this plan: \/etc\/kolla has room for 0 KiB/, kollaFull],
      changed: [],
      serves: true,
    },
  },
  {
    name: '/etc/kolla is full when the new files are written',
    folder: '/etc/kolla',
    leaves: 0,
    from: { node: 'node1', call: /\/containers\/memcached\/start/ },
    expected: {
      exit: 1,
      says: [/node2: cannot write .*: no space left on its disk; the old files are still in place/, kollaFull],
      changed: ['node1/memcached'],
      serves: true,
    },
  },
  {
    name: '/etc/kolla is full when the new container is created, and cannot be noted',
    folder: '/etc/kolla',
    leaves: 0,
    from: { node: poor, call: /\/containers\/create/ },
    expected: {
      exit: 1,
      says: [/node2: cannot write .*\.deploy\/markers.*: no space left on its disk/, kollaFull],
      changed: ['node1/memcached', 'node2/memcached__next'],
      serves: true,
    },
  },
  {
    name: '/etc/kolla is full when the old container stops: the new one serves, its form cannot be noted',
    folder: '/etc/kolla',
    leaves: 0,
    from: { node: poor, call: /\/containers\/memcached\/stop/ },
    expected: {
      exit: 1,
      says: [/node2: cannot record what memcached is made of: no space left on its disk/, kollaFull],
      changed: ['node1/memcached', 'node2/memcached', 'node3/memcached'],
      serves: true,
    },
  },
  {
    name: 'the engine’s disk is full when it creates the new container',
    folder: '/var/lib/docker/containers',
    leaves: 0,
    expected: {
      exit: 1,
      says: [/node2: cannot create the container memcached__next/, engineFull],
      changed: ['node1/memcached'],
      serves: true,
    },
  },
  {
    name: 'the engine’s disk is full when it starts the new container',
    folder: '/var/lib/docker/containers',
    leaves: 0,
    from: { node: poor, call: /\/containers\/memcached\/start/ },
    expected: {
      exit: 1,
      says: [/node2: cannot start the container memcached/, engineFull],
      changed: ['node1/memcached', 'node2/memcached', 'node2/memcached__previous'],
      serves: false,
    },
  },
];

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

  for (const fault of faults) {
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
