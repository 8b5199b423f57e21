import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deploy } from './job/deploy-command.ts';
import { deployedLab } from './job/deployed.ts';
import { newMagnum, oldMagnum } from './job/main-job.ts';
import { nodeExec } from './nodes.ts';
import type { Lab } from './raise.ts';
import { type EngineCall, putSocketsBack, recordEngineCalls } from './recorder.ts';
import { printingReport } from './report.ts';
import { NODES } from './settings.ts';

/** A difference in each, so that what leads to a plan full of steps is gone through. */
const another = ['-e', 'database_connection_recycle_time=12'];
const commands: readonly (readonly string[])[] = [
  ['plan', 'upgrade', ...another, '-e', `magnum_tag=${oldMagnum}`],
  ['plan', 'upgrade', ...another, '-e', `magnum_tag=${newMagnum}`],
  ['plan', 'deploy', ...another],
  ['plan', 'reconfigure', ...another],
  ['plan', 'reconfigure', '--tags', 'loadbalancer', '-e', 'haproxy_client_timeout=3m'],
  ['plan', 'destroy'],
  ['status'],
  ['prechecks'],
];

const harmless = ['GET', 'HEAD'];

/**
 * Every file of ours with times, size and inode; containers with identity, state and start; images, volumes and
 * networks. Asked past the recorder.
 */
async function nodesAsTheyAre(): Promise<string> {
  const script = [
    "find /etc/kolla -printf '%p %T@ %C@ %s %i %m %u\\n' | sort",
    "docker ps -aq --no-trunc | sort | xargs docker inspect --format '{{.Id}} {{.Name}} {{.State.Status}} {{.State.StartedAt}} {{.State.Pid}} {{.RestartCount}} {{.Image}}'",
    "docker images --no-trunc --digests --format '{{.Repository}} {{.Tag}} {{.Digest}} {{.ID}}' | sort",
    'docker volume ls -q | sort; docker network ls -q | sort',
  ].join('; ');
  const seen = await Promise.all(NODES.map(async ({ name }) => `${name}\n${(await nodeExec(name, script)).stdout}`));
  return seen.join('\n');
}

/** `status` asks a container that has only just started by its own health check, as the engine will a little later. */
const healthCheck = /\/containers\/[^/]+\/exec$|\/exec\/[^/]+\/start$/;

function mutating(calls: readonly EngineCall[], command: string): string[] {
  return calls
    .filter(({ method, path }) => !harmless.includes(method) && !(command === 'status' && healthCheck.test(path)))
    .map((c) => `${c.node}: ${c.method} ${c.path}`);
}

describe('what only looks', () => {
  let lab: Lab;

  beforeAll(async () => {
    await putSocketsBack();
    lab = await deployedLab(printingReport());
  });

  afterAll(putSocketsBack);

  for (const args of commands) {
    it(`changes nothing on any node: deploy ${args.join(' ')}`, async () => {
      const before = await nodesAsTheyAre();
      let code = -1;
      let said = '';
      const calls = await recordEngineCalls(async () => {
        const ran = await deploy(lab, args);
        code = ran.code;
        said = ran.stdout + ran.stderr;
      });
      expect(code, said).toBe(args[0] === 'plan' ? 2 : 0);
      for (const { name } of NODES) expect(calls.some(({ node }) => node === name)).toBe(true);
      expect(mutating(calls, args[0] ?? '')).toEqual([]);
      expect(await nodesAsTheyAre()).toBe(before);
    });
  }

  it('would be noticed if it did: a real change is seen in the calls and in the files', async () => {
    const select = ['--tags', 'heat_api_cfn', '--skip-tags', 'common', '--yes'];
    const before = await nodesAsTheyAre();
    const calls = await recordEngineCalls(async () => {
      const ran = await deploy(lab, ['reconfigure', ...select, ...another]);
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    });
    expect(await nodesAsTheyAre()).not.toBe(before);
    for (const { name } of NODES) {
      const paths = calls.filter(({ node, method }) => node === name && method === 'POST').map(({ path }) => path);
      expect(paths.some((path) => /\/containers\/create\b/.test(path))).toBe(true);
      expect(paths.some((path) => /\/containers\/[^/]+\/stop\b/.test(path))).toBe(true);
      expect(paths.some((path) => /\/exec\/[^/]+\/start\b/.test(path))).toBe(true);
    }
    const back = await deploy(lab, ['reconfigure', ...select]);
    expect(back.code, back.stdout + back.stderr).toBe(0);
  });
});
