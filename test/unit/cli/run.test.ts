import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type BadSite, openBadSite } from './bad-site.ts';

let site: BadSite;
const state = mkdtempSync(join(tmpdir(), 'state-'));
const stateBefore = process.env.XDG_STATE_HOME;

beforeAll(async () => {
  process.env.XDG_STATE_HOME = state;
  site = await openBadSite();
});

afterAll(async () => {
  if (stateBefore === undefined) delete process.env.XDG_STATE_HOME;
  else process.env.XDG_STATE_HOME = stateBefore;
  rmSync(state, { recursive: true });
  await site.close();
});

beforeEach(() => rmSync(join(state, 'deploy'), { recursive: true, force: true }));

function runbook(stages: string, head = ''): Readonly<Record<string, string>> {
  return { 'playbooks/mine.yml': `runbook: mine\nsummary: s\n${head}stages:\n${stages}` };
}

const records = () => (existsSync(join(state, 'deploy')) ? readdirSync(join(state, 'deploy', 'runbooks')) : []);

describe('a runbook that is not in order is refused before any node is asked', () => {
  it.each<[string, Readonly<Record<string, string>>, readonly string[], readonly string[]]>([
    ['unknown name', runbook('  - {stage: a, note: n}\n'), ['mina'], ['there is no runbook mina', 'mean mine?']],
    ['one of ours', {}, ['magnum-ahed'], ['did you mean magnum-ahead?']],
    [
      'unknown tags, limit and images, all at once',
      runbook(
        '  - {stage: a, verb: upgrade, tags: [heat, magnm]}\n  - {stage: b, build: {images: [nosuch]}}\n  - {stage: c, verb: status, limit: alpa}\n',
      ),
      ['mine'],
      [
        'DIR/playbooks/mine.yml:4:37: error: --tags magnm: no service or container has this tag',
        'DIR/playbooks/mine.yml:5:23: error: no image or service matches nosuch',
        'DIR/playbooks/mine.yml:6:37: error: --limit alpa: no host or group matches alpa',
      ],
    ],
    [
      'variables that are not given',
      runbook('  - {stage: a, note: "{{ x }}"}\n', 'variables: {x: {summary: what it is for}, y: {summary: s}}\n'),
      ['mine'],
      ['mine.yml:3:13: error: this runbook needs x: what it is for', 'add -e x=VALUE', 'mine.yml:3:43: error: this'],
    ],
    [
      'an undefined variable in the last stage',
      runbook('  - {stage: a, note: n}\n  - {stage: b, note: "to {{ no_such }}"}\n'),
      ['mine'],
      ['DIR/playbooks/mine.yml:5:29: error: variable no_such is not defined'],
    ],
    [
      'a gate that cannot be asked',
      runbook('  - stage: a\n    gate:\n      - {command: {container: hat_api, argv: ["true"]}}\n'),
      ['mine'],
      ['mine.yml:6:31: error: gate: there is no container hat_api', 'mean heat_api?'],
    ],
    ['no terminal', runbook('  - {stage: a, verb: upgrade}\n'), ['mine'], ['stage a changes nodes', 'add --yes']],
    ['--from nowhere', runbook('  - {stage: a, note: n}\n'), ['mine', '--from', 'b'], ['--from b: the runbook has no']],
    [
      '--approve of nothing',
      runbook('  - {stage: upgrade, note: n}\n'),
      ['mine', '--approve', 'upgrad'],
      ['--approve upgrad: the runbook has no such stage', 'mean upgrade?'],
    ],
  ])('%s', async (_, files, args, says) => {
    site.write(files);
    const { code, err } = await site.run(['run', ...args]);
    for (const line of says) expect(err).toContain(line.replaceAll('DIR', site.directory));
    expect(err).not.toMatch(/^\s+at |bug in deploy/m);
    expect(code).toBe(3);
    expect(site.connections()).toBe(0);
    expect(records()).toEqual([]);
  });
});

describe('a runbook that is interrupted', { timeout: 30_000 }, () => {
  /** The second stage fails: no node of this site can be talked to. */
  const stages = '  - {stage: first, note: one}\n  - {stage: second, verb: status}\n  - {stage: third, note: three}\n';

  it('goes on where it stood, and wants to know where to start once it was edited', async () => {
    site.write(runbook(stages));
    const failed = await site.run(['run', 'mine']);
    expect(failed.code).toBe(4);
    expect(failed.out).toContain('stage first (1 of 3)\n  one\n');
    expect(failed.out).toContain('> deploy status\nstage second FAILED\n');
    expect(failed.err).toContain('stopped at stage second; to go on: deploy run mine\n');
    expect(records()).toHaveLength(1);

    const again = await site.run(['run', 'mine']);
    expect(again.err).toContain('stage first was finished by an earlier run (give --from first to do them again)');
    expect(again.out).not.toContain('stage first');
    expect(again.code).toBe(4);

    const others = await site.run(['run', 'mine', '-e', 'a=1']);
    expect(others.err).toContain('the variables are others since stage first was finished');
    expect(others.code).toBe(3);

    site.write(runbook(stages.replace('three', '"3"')));
    const edited = await site.run(['run', 'mine']);
    expect(edited.err).toContain('error: the runbook was edited since stage first was finished by an earlier run');
    expect(edited.err).toContain('--from first to begin anew, --from second to go on');
    expect(edited.code).toBe(3);

    const rest = await site.run(['run', 'mine', '--from', 'third']);
    expect(rest.out).toContain('stage third (3 of 3)\n  3\n');
    expect(rest.out).toContain('runbook mine is finished after ');
    expect(rest.code).toBe(0);
    expect(records()).toEqual([]);
  });

  it('waits at a pause that nobody can be asked about, and goes on when it is approved', async () => {
    site.write(
      runbook('  - {stage: first, note: one}\n  - {stage: second, pause: "is {{ openstack_release }} meant?"}\n'),
    );
    const waiting = await site.run(['run', 'mine', '--yes']);
    expect(waiting.err).toContain('mine.yml:5:13: error: stage second waits for approval: is zed meant?');
    expect(waiting.err).toContain('to approve: deploy run mine --yes --approve second\n');
    expect(waiting.code).toBe(3);
    const approved = await site.run(['run', 'mine', '--yes', '--approve', 'second']);
    expect(approved.out).not.toContain('stage first');
    expect(approved.code).toBe(0);
  });

  it('says for programs what happened', async () => {
    site.write(runbook(stages));
    const { out } = await site.run(['run', 'mine', '--json']);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { event: 'stage-started', stage: 'first', number: 1, of: 3 },
      { event: 'stage-finished', stage: 'first' },
      { event: 'stage-started', stage: 'second' },
      { event: 'command', stage: 'second', command: 'deploy status' },
      { event: 'stage-failed', stage: 'second' },
      { event: 'runbook', runbook: 'mine', code: 4, stoppedAt: 'second' },
    ]);
  });

  it('a plan of stages that only say something needs no node', async () => {
    site.write(runbook('  - {stage: a, note: n}\n  - {stage: b, when: "{{ false }}", verb: upgrade}\n'));
    const before = site.connections();
    const { code, out } = await site.run(['run', 'mine', '--plan']);
    expect(out).toBe('runbook mine: s\n\nstage a (1 of 2)\n  n\n\nstage b (2 of 2): skipped, its condition is false\n');
    expect(code).toBe(0);
    expect(site.connections()).toBe(before);
    expect(records()).toEqual([]);
  });

  it('a variable nearly spelled like one of the runbook is pointed out', async () => {
    site.write(
      runbook('  - {stage: a, note: "x is {{ template }}"}\n', 'variables: {template: {summary: s, default: none}}\n'),
    );
    const { out, err } = await site.run(['run', 'mine', '-e', 'templat=1 openstack_release=zed']);
    expect(err).toContain('-e:1:9: warning: nothing uses the variable templat\n    did you mean template?\n');
    expect(err).not.toContain('openstack_release');
    expect(out).toContain('x is none');
    expect((await site.run(['run', 'mine', '-e', 'template=1'])).out).toContain('x is 1');
  });

  it('what is to be built is planned with the registry alone', async () => {
    const server = createServer((_, answer) => void answer.writeHead(404).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const own = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    site.write(runbook('  - {stage: a, build: {images: [memcached], push: true}}\n'));
    const builders = {
      inventory: `${readFileSync(join(site.directory, 'inventory'), 'utf8')}[container-image-builders]\nalpha\n`,
    };
    site.write({ ...runbook('  - {stage: a, build: {images: [memcached], push: true}}\n'), ...builders });
    const before = site.connections();
    const args = ['run', 'mine', '--plan', '-e', `docker_registry=${own} docker_registry_insecure=yes`];
    const { code, out } = await site.run(args);
    expect(out).toContain(`> deploy build memcached --push\n  ${own}/test/memcached:zed-debian-bookworm`);
    expect(code).toBe(2);
    expect(site.connections()).toBe(before);
    await new Promise((resolve) => server.close(resolve));
  });

  it('a path is found from everywhere, and secrets in a note are not shown', async () => {
    site.write(runbook('  - {stage: a, note: "{{ keystone_admin_password }}"}\n'));
    const { code, out } = await site.run(['run', 'playbooks/mine.yml']);
    expect(out).toContain('stage a (1 of 1)\n  ‹secret›\n');
    expect(code).toBe(0);
  });
});
