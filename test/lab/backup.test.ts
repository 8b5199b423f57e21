import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { checksums } from './job/checksums.ts';
import { Commits } from './job/commits.ts';
import { allContainers, deploy, type Ran } from './job/deploy-command.ts';
import { databaseLab } from './job/deployed.ts';
import { Running } from './job/running.ts';
import { everywhere, onNode } from './job/survival.ts';
import type { Lab } from './raise.ts';
import { printingReport } from './report.ts';
import { NODES, type NodeName } from './settings.ts';

const restore = ['mariadb', 'restore', '--accept-loss', '--yes'] as const;

/** Where a restore is killed; all of them with BACKUP_DEATHS=all. */
const deaths = [
  'start:after:1',
  'put-data:before:1',
  'set-aside:after:2',
  'stop:after:2',
  'task:after:1',
  'put-data:after:1',
  'create:after:1',
  'galera-synced:after:1',
  'galera-synced:after:2',
  'wipe:after:1',
] as const;
const points = process.env.BACKUP_DEATHS === 'all' ? deaths : deaths.slice(0, 1);

interface Listed {
  readonly id: string;
  readonly host: NodeName;
  readonly kind: string;
  readonly base?: string;
  readonly position: string;
}

/** Their processes write to the tables all the time to say that they live. */
const restless = ['heat', 'magnum'] as const;

describe('backups of the database', () => {
  let lab: Lab;
  let stopped: readonly string[] = [];

  beforeAll(async () => {
    lab = await databaseLab(printingReport());
    await done(['genpwd']);
    const there = [...(await allContainers()).keys()];
    stopped = restless.filter((service) => there.some((name) => name.includes(`/${service}_`)));
    if (stopped.length > 0) await done(['stop', '--tags', stopped.join(','), '--yes']);
  });

  afterAll(async () => {
    await done(['reconfigure', '--yes']);
  });

  afterEach(async () => {
    // Whatever a failure left; the next one begins with a whole cluster.
    if ((await deploy(lab, ['mariadb', 'check'])).code !== 0) await deploy(lab, restore);
    const others = stopped.length > 0 ? ['--skip-tags', stopped.join(',')] : [];
    await deploy(lab, ['reconfigure', ...others, '--yes']);
  });

  async function done(args: readonly string[]): Promise<Ran> {
    const ran = await deploy(lab, args);
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    return ran;
  }

  async function list(): Promise<readonly Listed[]> {
    const ran = await done(['mariadb', 'backup', '--list', '--json']);
    return (JSON.parse(ran.stdout) as { backups: Listed[] }).backups;
  }

  /** Commits that were acknowledged before this returns; nobody writes afterwards. */
  async function written(name: string): Promise<Commits> {
    const commits = new Commits(lab, `${name}-${Date.now()}`);
    await commits.start();
    await commits.stop();
    return commits;
  }

  /** A full backup, commits, an incremental one; what the tables hold then, and commits that come too late for it. */
  async function backedUp() {
    const full = await done(['mariadb', 'backup', '--yes']);
    const inIt = await written('in');
    const before = await checksums(lab, 'node1');
    const incremental = await done(['mariadb', 'backup', '--incremental', '--yes']);
    const [newest, base] = await list();
    expect([newest?.kind, newest?.base, base?.kind]).toEqual(['incremental', base?.id, 'full']);
    // Not the member that clients write to.
    expect(newest?.host).not.toBe('node1');
    const late = await written('late');
    console.log(
      `full backup ${full.seconds.toFixed(1)} s, incremental ${incremental.seconds.toFixed(1)} s, ${before.size} tables`,
    );
    return { before, inIt, late, newest };
  }

  /** The tables are as they were on every member, in one whole cluster with a history of its own. */
  async function isAsBefore({ before, inIt, late, newest }: Awaited<ReturnType<typeof backedUp>>): Promise<void> {
    await done(['mariadb', 'check']);
    for (const { name } of NODES) expect(await checksums(lab, name), name).toEqual(before);
    const gone = late.acknowledged.length;
    expect(await inIt.lost()).toEqual({ node1: 0, node2: 0, node3: 0 });
    expect(await late.lost()).toEqual({ node1: gone, node2: gone, node3: gone });
    const states = await everywhere("sed -n 's/^uuid: *//p' /var/lib/docker/volumes/mariadb/_data/grastate.dat");
    expect(new Set(states).size).toBe(1);
    expect(newest?.position).not.toContain(states[0]);
    const flagged = await everywhere("docker inspect -f '{{.Config.Env}}' mariadb | grep -c BOOTSTRAP_ARGS || true");
    expect(flagged).toEqual(['0', '0', '0']);
    expect(await everywhere('ls /etc/kolla/.deploy/markers | grep -c mariadb.restore || true')).toEqual([
      '0',
      '0',
      '0',
    ]);
  }

  it('restore a cluster of which nothing is left, from a copy that was fetched', async () => {
    const state = await backedUp();
    const copy = mkdtempSync(join(tmpdir(), 'backup-'));
    onTestFinished(() => rmSync(copy, { recursive: true }));
    const fetching = await done(['mariadb', 'backup', '--list', '--fetch', copy]);
    const files = readdirSync(copy, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    expect(files.filter(({ name }) => name === 'data.mbs.gz')).toHaveLength(2);
    for (const { parentPath, name } of files) expect(statSync(join(parentPath, name)).mode & 0o777, name).toBe(0o600);
    await everywhere('docker rm -f mariadb >/dev/null && docker volume rm mariadb');
    await everywhere('docker volume rm mariadb_backup 2>/dev/null || true');
    const ran = await done([...restore, '--from-dir', copy]);
    console.log(
      `fetched in ${fetching.seconds.toFixed(1)} s, destroyed cluster restored in ${ran.seconds.toFixed(1)} s`,
    );
    await isAsBefore(state);
    // Its numbers are those of another data directory: what would begin after it is a full one.
    const next = await done(['mariadb', 'backup', '--incremental', '--yes']);
    expect(next.stdout).toContain('full because the data directory was replaced since');
    const [newest, ...others] = await list();
    expect([newest?.kind, ...others.map(({ id }) => id)]).toEqual(['full', state.newest?.id, state.newest?.base]);
  });

  for (const point of points) {
    it(`restore over newer data, killed at ${point} and run again`, async () => {
      const state = await backedUp();
      const unsaid = await deploy(lab, ['mariadb', 'restore', '--yes']);
      expect(unsaid.code, unsaid.stdout).toBe(4);
      expect(unsaid.stderr).toContain('--accept-loss');
      // What is lost is named, by member.
      expect(unsaid.stdout).toMatch(/note: node1 has [1-9]\d* commits that are not in the backup/);
      expect(await late(state)).toBe(0);
      const first = await new Running(lab, restore, { failpoint: `${point}=kill` }).ended;
      expect(first.code, first.output).toBe(-1);
      if (/^set-aside|^put-data/.test(point)) await isNamed(state);
      const again = await done(restore);
      console.log(
        `killed at ${point} after ${first.seconds.toFixed(1)} s, restored in ${again.seconds.toFixed(1)} s more`,
      );
      await isAsBefore(state);
    });
  }

  /** Between the old data and that of the backup nobody can recover anything, or form a cluster. */
  async function isNamed({ newest }: Awaited<ReturnType<typeof backedUp>>): Promise<void> {
    const refused = await deploy(lab, ['mariadb', 'recover', '--yes', '--again']);
    expect(refused.code, refused.stdout).toBe(4);
    expect(refused.stderr).toContain(`deploy mariadb restore --backup ${newest?.id} --accept-loss`);
    const anew = await deploy(lab, ['deploy', '--tags', 'mariadb', '--yes']);
    expect(anew.code, anew.stdout).toBe(4);
    expect(anew.stderr).toContain('deploy mariadb recover');
  }

  /** Late commits that are missing although nothing was restored yet. */
  async function late(state: Awaited<ReturnType<typeof backedUp>>): Promise<number> {
    return Math.max(...Object.values(await state.late.lost()));
  }

  it('count only once they were prepared, whatever kills them', async () => {
    const before = await list();
    const volume = '/var/lib/docker/volumes/mariadb_backup/_data';
    // As soon as some of it is written.
    const kill = `timeout 120 sh -c 'until [ -s ${volume}/*.partial/data.mbs.gz ] && docker kill mariabackup; do sleep 0.02; done'`;
    const killing = onNode('node3', `rm -rf ${volume}/*.partial; ${kill}`);
    const taking = new Running(lab, ['mariadb', 'backup', '--yes']);
    await killing;
    const killed = await taking.ended;
    expect(killed.code, killed.output).toBe(1);
    const unproven = await new Running(lab, ['mariadb', 'backup', '--yes'], { failpoint: 'task:after:1=kill' }).ended;
    expect(unproven.code, unproven.output).toBe(-1);
    expect((await list()).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    await done(['mariadb', 'backup', '--yes']);
    const after = await list();
    expect(after.slice(1).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    // Nothing of the others is left.
    const left = await onNode(after[0]?.host ?? 'node1', `ls -A ${volume} | grep -E 'partial|scratch|moving' || true`);
    expect(left).toBe('');
  });
});
