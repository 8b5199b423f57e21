import { describe, expect, it } from 'vitest';
import { recoveryMembers } from '../../../src/cli/galera.ts';
import type { Survey } from '../../../src/cli/survey.ts';
import type { SeenMember } from '../../../src/core/galera/evidence.ts';
import { closure } from '../../../src/core/graph/dag.ts';
import type { Backup } from '../../../src/core/mariadb-backup/backup.ts';
import { chooseMember, planBackup } from '../../../src/core/mariadb-backup/backup-plan.ts';
import {
  planRestore,
  progressOf,
  type RestoreInput,
  unfinishedRestore,
} from '../../../src/core/mariadb-backup/restore-plan.ts';
import { Secret } from '../../../src/core/model/secret.ts';
import type { Plan, Step } from '../../../src/core/plan/steps.ts';
import { planJson, planText } from '../../../src/report/plan-text.ts';
import { clean, grastate, lost, running, stopped, Z } from '../../property/galera-states.ts';
import { change, copyOf, emptyWorld, observe } from '../../sim/scenario.ts';
import { SimulatedSite } from '../../sim/site.ts';
import type { SimulatedWorld } from '../../sim/world.ts';
import { backupAt, idAt } from './backups.ts';

const site = new SimulatedSite();
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy', { tags: ['common', 'loadbalancer', 'mariadb'] });

const settings = {
  site: 'openstack',
  volume: 'mariadb_backup',
  user: 'backup_shard_0',
  password: new Secret('only-for-backups'),
  keep: 2,
  script: '#!/bin/bash\n',
};
const hosts = ['node1', 'node2', 'node3'];
const synced = hosts.map((host) => running(host, { seqno: 500n }));

async function membersOf(world: SimulatedWorld) {
  const { target, desired } = site.desired({ tags: ['mariadb'] });
  const observed = observe(world);
  const survey = { loaded: site.loaded, target, desired, observed, digests: new Map() } as unknown as Survey;
  return { desired, members: await recoveryMembers(survey, synced, { note: () => undefined } as never) };
}

async function backupPlan(backups: readonly Backup[], incremental: boolean): Promise<Plan> {
  const { members } = await membersOf(deployed);
  const planned = planBackup({ settings, evidence: synced, members, backups, incremental, id: idAt(99) });
  if (!planned.ok) throw new Error('refused');
  return planned.value;
}

function tasks(plan: Plan): string[] {
  return plan.steps.flatMap((step) =>
    step.kind === 'task' ? [`${step.host} ${step.spec.command?.slice(4).join(' ')}`] : [],
  );
}

describe('the plan of a backup', () => {
  it('takes it beside a member that clients do not write to, proves it, and then removes what is not kept', async () => {
    const old = [backupAt(1, undefined, 'node2'), backupAt(2, 1, 'node2'), backupAt(5)];
    expect(tasks(await backupPlan(old, false))).toEqual([
      `node3 take ${idAt(99)}`,
      `node3 prove ${idAt(99)}`,
      `node2 drop ${idAt(2)} ${idAt(1)}`,
    ]);
    expect(tasks(await backupPlan(old, true))[0]).toBe(`node3 take ${idAt(99)} ${idAt(5)}`);
    const first = await backupPlan([], true);
    expect(tasks(first)[0]).toBe(`node3 take ${idAt(99)}`);
    expect(first.notices).toContain('full: no good backup lies there that it could begin after');
  });

  it('goes where the newest base lies, and to the writer only when nobody else is Synced', () => {
    expect(chooseMember(synced, [backupAt(5, undefined, 'node2'), backupAt(4)], true)?.host).toBe('node2');
    expect(chooseMember(synced, [backupAt(5, undefined, 'node1')], true)?.host).toBe('node3');
    const joining = running('node3', { state: 1, ready: false });
    expect(chooseMember([lost('node1'), running('node2'), joining], [], false)?.host).toBe('node2');
    expect(chooseMember([lost('node1'), lost('node2'), joining], [], false)).toBeUndefined();
  });

  it('has its password in a file of the container and nowhere else', async () => {
    const plan = await backupPlan([], false);
    expect(JSON.stringify(planJson(plan)) + planText(plan)).not.toContain('only-for-backups');
    const taking = plan.steps.find((step) => step.kind === 'task');
    if (taking?.kind !== 'task') throw new Error('no task');
    expect(JSON.stringify([taking.spec, taking.labels])).not.toContain('only-for-backups');
    const file = taking.files.find(({ name }) => name === 'backup.cnf')?.content;
    expect(file instanceof Secret && file.reveal()).toContain('password="only-for-backups"');
    // The data is only read, and the member's own configuration, with the password of root, is not there.
    expect(taking.spec.volumes).toContain('mariadb:/var/lib/mysql:ro');
    expect(taking.spec.volumes.some((bind) => bind.includes('config_files'))).toBe(false);
  });
});

describe('the plan of a restore', () => {
  const backup = backupAt(4);

  async function inputOf(evidence: readonly SeenMember[], world = deployed): Promise<RestoreInput> {
    const { desired, members } = await membersOf(world);
    return { settings, desired, evidence, members, groupHosts: hosts, balancers: desired.balancers, backup };
  }

  function earlier(plan: Plan, step: Step | undefined): Step[] {
    const needs = new Map(plan.steps.map(({ id, needs: ids }) => [id, ids]));
    const all = new Set(closure(needs, [step?.id ?? '']));
    return plan.steps.filter(({ id }) => all.has(id) && id !== step?.id);
  }

  function kinds(steps: readonly Step[]): string[] {
    return steps.map(({ kind, host }) => `${kind} ${host}`);
  }

  it('touches nothing before the data is prepared, and forms a cluster only when nobody has other data', async () => {
    const plan = planRestore(await inputOf(synced), 'begin');
    for (const stop of plan.steps.filter(({ kind, id }) => kind === 'stop' && id.startsWith('restore/')))
      expect(kinds(earlier(plan, stop))).toContain('task node3');
    const put = plan.steps.find(({ kind }) => kind === 'put-data');
    expect(kinds(earlier(plan, put))).toEqual(
      expect.arrayContaining(['task node3', ...hosts.flatMap((host) => [`stop ${host}`, `set-aside ${host}`])]),
    );
    const [form, ...joins] = plan.steps.filter(({ kind }) => kind === 'start');
    expect(form?.host).toBe('node3');
    expect(kinds(earlier(plan, form))).toContain('put-data node3');
    // It names no history, so a new one begins, which no old data is part of.
    const state = plan.steps.find((step) => step.kind === 'galera-state' && step.bootstrap !== undefined);
    expect(state).toMatchObject({ host: 'node3', bootstrap: { uuid: undefined } });
    expect(joins.map(({ host }) => host)).toEqual(['node1', 'node2', 'node3']);
    for (const join of joins) expect(kinds(earlier(plan, join))).toContain('galera-synced node3');
    expect(plan.steps.slice(-3).every(({ kind }) => kind === 'wipe')).toBe(true);
  });

  it('waits for nothing that waits for it, also where files are to be written', async () => {
    const world = copyOf(deployed);
    for (const node of world.nodes.values()) {
      node.containers.delete('mariadb');
      node.files.delete('/etc/kolla/mariadb/galera.cnf');
    }
    const plan = planRestore(await inputOf([lost('node1'), lost('node2'), lost('node3')], world), 'begin');
    expect(plan.steps.filter(({ kind }) => kind === 'write')).toHaveLength(3);
    for (const step of plan.steps) {
      const waitedFor = step.needs.flatMap((id) => plan.steps.filter((one) => one.id === id));
      for (const one of waitedFor) expect(earlier(plan, one).map(({ id }) => id)).not.toContain(step.id);
    }
  });

  it('says what is lost, and where what is there goes', async () => {
    const evidence = [
      running('node1', { uuid: backup.position?.uuid ?? '', seqno: 401n }),
      lost('node2'),
      lost('node3'),
    ];
    const { notices, steps } = planRestore(await inputOf(evidence), 'begin');
    expect(notices).toContain('node1 has 1 commit that is not in the backup');
    expect(notices.join('\n')).toContain('every service is without its database');
    expect(kinds(steps.filter(({ kind }) => kind === 'set-aside'))).toEqual(['set-aside node1']);
  });

  it('goes on where it was killed, and keeps what is no half of a restore', async () => {
    const world = copyOf(deployed);
    const marked = (value: string) => {
      for (const node of world.nodes.values()) node.markers.set('mariadb.restore', value);
    };
    const halves = [lost('node1'), lost('node2'), stopped('node3', {})];
    marked(`${backup.id} aside`);
    expect(progressOf(await inputOf(halves, world))).toBe('begin');
    const again = planRestore(await inputOf(halves, world), 'begin');
    const emptied = again.steps.filter((step) => step.kind === 'set-aside');
    expect(emptied.map((step) => step.kind === 'set-aside' && step.keep)).toEqual([undefined, undefined, undefined]);
    // A marker that was left behind by a restore that ended in another way.
    const whole = planRestore(await inputOf([clean('node1', 7n), lost('node2'), lost('node3')], world), 'begin');
    expect(whole.steps.find((step) => step.kind === 'set-aside' && step.host === 'node1')).toHaveProperty(
      'keep.volume',
    );

    marked(`${backup.id} placed`);
    const bare = [lost('node1'), lost('node2'), stopped('node3', { grastate: grastate(-1, true, Z) })];
    expect(progressOf(await inputOf(bare, world))).toBe('placed');
    const rest = kinds(planRestore(await inputOf(bare, world), 'placed').steps);
    expect(rest.filter((step) => /task|set-aside|put-data/.test(step))).toEqual([]);
    expect(progressOf(await inputOf([lost('node1'), lost('node2'), clean('node3', 3n)], world))).toBe('formed');
    marked(`${idAt(1)} placed`);
    expect(progressOf(await inputOf(bare, world))).toBe('begin');
  });

  it('is named by those who find its remains, with the backup it is of', () => {
    const world = copyOf(deployed);
    expect(unfinishedRestore(observe(world))).toBeUndefined();
    world.nodes.get('node1')?.markers.set('mariadb.restore', `${backup.id} aside`);
    world.nodes.get('node3')?.markers.set('mariadb.restore', `${backup.id} placed`);
    expect(unfinishedRestore(observe(world))).toBe(
      `a restore of ${backup.id} is not over (node1, node3): deploy mariadb restore --backup ${backup.id} --accept-loss goes on with it`,
    );
  });
});
