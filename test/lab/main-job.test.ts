import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { allContainers, changedContainers, deploy, inContainer } from './job/deploy-command.ts';
import { freshLab } from './job/fresh.ts';
import {
  bringUp,
  checkUpgrade,
  type JobState,
  mustDeploy,
  reconfigureAgain,
  reconfigureHeat,
  upgradeMagnum,
} from './job/main-job.ts';
import type { ClusterTemplate } from './job/openstack-client.ts';
import { nodeExec } from './nodes.ts';
import { raiseLab } from './raise.ts';
import { printingReport, silentReport } from './report.ts';

/** The main job on three real nodes, step by step; each step builds on the one before. */
describe('the main job', () => {
  let state: JobState;
  let template: ClusterTemplate;

  beforeAll(async () => {
    const report = printingReport();
    state = { lab: await freshLab(report), report };
  });

  it('raises a lab that is up again within seconds and changes nothing', async () => {
    const before = await allContainers();
    const started = performance.now();
    await raiseLab({ report: silentReport() });
    expect(performance.now() - started).toBeLessThan(60_000);
    expect(changedContainers(before, await allContainers())).toEqual([]);
  });

  it('plans a whole deployment without touching a node', async () => {
    await mustDeploy(state, 'genpwd');
    await mustDeploy(state, 'build', '--push');
    const before = await nodeExec('node1', 'docker ps -aq; docker volume ls -q; find /etc/kolla 2>/dev/null');
    const planned = await deploy(state.lab, ['plan', 'deploy']);
    expect(planned.code, planned.stderr).toBe(2);
    expect(planned.stdout).toContain('run bootstrap_mariadb');
    const after = await nodeExec('node1', 'docker ps -aq; docker volume ls -q; find /etc/kolla 2>/dev/null');
    expect(after.stdout).toBe(before.stdout);
  });

  it('brings the whole Zed control plane up, with an image and a cluster template in it', async () => {
    ({ template } = await bringUp(state));
  });

  it('finds nothing to do right after a deployment', async () => {
    const planned = await deploy(state.lab, ['plan', 'deploy']);
    expect(planned.code, planned.stdout + planned.stderr).toBe(0);
  });

  it('upgrades Magnum alone, migrating once and replacing nobody else', async () => {
    const seen = await upgradeMagnum(state);
    await checkUpgrade(state, seen, template);
  });

  it('reconfigures exactly the Heat containers whose files changed', async () => {
    await reconfigureHeat(state);
  });

  it('has nothing to do after that', async () => {
    await reconfigureAgain(state);
  });

  it('shows no secret in any output, label or process argument', async () => {
    const { readFileSync } = await import('node:fs');
    const passwords = readFileSync(join(state.lab.files.config, 'passwords.yml'), 'utf8');
    const secrets = [...passwords.matchAll(/^\w+: (\S{20,})$/gm)].map((match) => match[1] ?? '');
    expect(secrets.length).toBeGreaterThan(10);
    const plan = await deploy(state.lab, ['plan', 'reconfigure', '-e', 'heat_logging_debug=no', '--json']);
    const labels = await nodeExec('node1', "docker ps -aq | xargs docker inspect --format '{{json .Config.Labels}}'");
    const processes = await nodeExec('node1', 'ps axww -o args');
    for (const text of [plan.stdout, plan.stderr, labels.stdout, processes.stdout]) {
      for (const secret of secrets) expect(text.includes(secret)).toBe(false);
    }
  });

  it('heals a container removed by hand and one that was stopped, and nothing else', async () => {
    const before = await allContainers();
    await nodeExec('node3', 'docker rm -f memcached && docker stop heat_engine');
    const status = await deploy(state.lab, ['status']);
    expect(status.code).toBe(1);
    expect(status.stdout).toContain('2 of 37 containers are not healthy');
    await mustDeploy(state, 'reconfigure', '--yes');
    const changed = changedContainers(before, await allContainers());
    expect(changed).toEqual(['node3/heat_engine', 'node3/memcached']);
  });

  it('writes back a file that was edited on a node without restarting what did not read it', async () => {
    const before = await allContainers();
    await nodeExec('node2', 'echo "# by hand" >> /etc/kolla/heat-api/heat.conf; touch /etc/kolla/heat-api/stray.conf');
    await mustDeploy(state, 'reconfigure', '--yes');
    expect(changedContainers(before, await allContainers())).toEqual([]);
    const left = await nodeExec('node2', 'ls /etc/kolla/heat-api; grep -c "by hand" /etc/kolla/heat-api/heat.conf');
    expect(left.stdout.trim().split('\n')).toEqual(['config.json', 'heat-api-uwsgi.ini', 'heat.conf', '0']);
  });

  it('reloads the load balancer for a changed setting; every process stays', async () => {
    const before = await allContainers();
    for (const timeout of ['2m', '1m']) {
      const args = ['--tags', 'loadbalancer', '-e', `haproxy_client_timeout=${timeout}`, '--yes'];
      const changed = await mustDeploy(state, 'reconfigure', ...args);
      expect(changed.stdout).toContain('reload haproxy');
      const inside = await inContainer('node3', 'haproxy', 'grep "timeout client" /etc/haproxy/haproxy.cfg');
      expect(inside.trim()).toBe(`timeout client ${timeout}`);
      expect(changedContainers(before, await allContainers())).toEqual([]);
    }
  });

  it('adds a service that is only data, and takes it away again', async () => {
    const folder = join(state.lab.files.config, 'services', 'echo');
    mkdirSync(join(folder, 'templates'), { recursive: true });
    writeFileSync(join(folder, 'service.yml'), echoService);
    writeFileSync(
      join(folder, 'templates', 'greeting.conf.hbs'),
      'greeting = {{echo_greeting}} from {{node_hostname}}\n',
    );
    const before = await allContainers();
    await mustDeploy(state, 'deploy', '--tags', 'echo', '-e', 'echo_greeting=hello', '--yes');
    const greeting = await inContainer('node2', 'echo', 'cat /etc/echo/greeting.conf');
    expect(greeting).toBe('greeting = hello from node2');
    const answer = await fetch(`http://${state.lab.vip}:18080/greeting.conf`).then((r) => r.text());
    expect(answer).toMatch(/^greeting = hello from node[123]\n$/);
    await mustDeploy(state, 'destroy', '--tags', 'echo', '-e', 'echo_greeting=hello', '--yes');
    rmSync(folder, { recursive: true });
    await mustDeploy(state, 'reconfigure', '--yes');
    expect(changedContainers(before, await allContainers())).toEqual([]);
  });

  it('stops and starts a service again', async () => {
    const before = await allContainers();
    await mustDeploy(state, 'stop', '--tags', 'magnum', '--yes');
    const stopped = await allContainers();
    expect([...stopped].filter(([, c]) => !c.running).length).toBe(6);
    await mustDeploy(state, 'deploy', '--tags', 'magnum', '--yes');
    const after = await allContainers();
    expect([...after].every(([key, c]) => c.running && c.id === before.get(key)?.id)).toBe(true);
  });
});

/** Built from nothing but an image that is there already: a web server of one file behind the load balancer. */
const echoService = `
service: echo
summary: Says hello
requires: [loadbalancer]
variables:
  echo_greeting: hi
containers:
  echo:
    group: control
    image: openstack-base
    tag: "{{ openstack_tag }}"
    command: python3 -m http.server --bind {{ api_interface_address }} --directory /etc/echo 18080
    files:
      - {template: greeting.conf.hbs, dest: /etc/echo/greeting.conf, perm: "0644"}
    healthcheck: {test: "healthcheck_curl http://{{ api_interface_address }}:18080/greeting.conf"}
    ports: [18080]
    loadbalancer:
      echo: {port: 18080, check: /greeting.conf}
`;
