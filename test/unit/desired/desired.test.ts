import { describe, expect, it } from 'vitest';
import { DeployError } from '../../../src/core/model/diagnostic.ts';
import { isSecret } from '../../../src/core/model/secret.ts';
import { type Choice, SimulatedSite, type SiteSettings } from '../../sim/site.ts';

const site = new SimulatedSite();

function containers(of: SimulatedSite, choice: Choice = {}) {
  return of.desired(choice).desired.services.flatMap((service) => service.containers);
}

function hashes(of: SimulatedSite): Map<string, string> {
  return new Map(containers(of).map((c) => [`${c.name} ${c.host}`, `${c.specHash} ${c.files.map((f) => f.sha256)}`]));
}

function differing(settings: SiteSettings): string[] {
  const [before, after] = [hashes(site), hashes(new SimulatedSite(settings))];
  return [
    ...new Set([...before].filter(([key, hash]) => after.get(key) !== hash).map(([key]) => key.split(' ')[0] ?? '')),
  ];
}

function problems(work: () => unknown) {
  try {
    work();
  } catch (cause) {
    if (cause instanceof DeployError) return cause.diagnostics;
    throw cause;
  }
  throw new Error('no problem was found');
}

describe('what the nodes should hold', () => {
  it('is the same every time', () => {
    expect(hashes(new SimulatedSite())).toEqual(hashes(site));
  });

  it('places each container on the hosts of its group, and one of a file store on the first alone', () => {
    const hosts = (name: string) =>
      containers(site)
        .filter((c) => c.name === name)
        .map((c) => c.host);
    expect(hosts('magnum_conductor')).toEqual(['node1', 'node2', 'node3']);
    expect(hosts('glance_api')).toEqual(['node1']);
  });

  it('changes with an override exactly where it is read', () => {
    expect(differing({ overrides: { 'heat/heat-engine.conf': '[DEFAULT]\nx = 1\n' } })).toEqual(['heat_engine']);
    expect(differing({ overrides: { 'magnum/policy.yaml': '"a": "b"\n' } })).toEqual([
      'magnum_conductor',
      'magnum_api',
    ]);
  });

  it('does not change with a tag: the image is not part of the settings', () => {
    expect(differing({ globals: 'openstack_tag: other\n' })).toEqual([]);
  });

  it('names an override that nothing reads, only when everything is selected', () => {
    const wrong = new SimulatedSite({ overrides: { 'heat/heat-engin.conf': '[DEFAULT]\nx = 1\n' } });
    expect(wrong.desired().diagnostics).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('heat-engin.conf') },
    ]);
    expect(wrong.desired({ tags: ['magnum'] }).diagnostics).toEqual([]);
  });

  it('reports every undefined variable of all services at once, and where it stands, none twice', () => {
    const broken = new SimulatedSite({
      globals: 'magnum_api_port: "{{ nowhere }}"\nheat_database_user: "{{ no_such }}"\n',
    });
    const found = problems(() => broken.desired());
    const messages = found.map((d) => `${d.host} ${d.message}`);
    expect(messages.join('\n')).toContain('nowhere');
    expect(messages.join('\n')).toContain('no_such');
    expect(new Set(messages).size).toBe(messages.length);
    for (const { at } of found) expect(at).toMatchObject({ file: 'globals.yml' });
  });

  it('types passwords in environments and registrations as secrets', () => {
    const keystone = site.desired().desired.services.find((s) => s.name === 'keystone');
    expect(isSecret(keystone?.oneShots.get('bootstrap_keystone_admin')?.spec.environment.OS_BOOTSTRAP_PASSWORD)).toBe(
      true,
    );
    expect(isSecret(keystone?.databases?.password)).toBe(true);
  });
});

describe('a part of the site', () => {
  it('keeps what belongs to a whole service out when only a container is named', () => {
    const [magnum] = site.desired({ tags: ['magnum_api'] }).desired.services;
    expect(magnum).toMatchObject({ whole: false, databases: undefined, identity: undefined, fragments: [] });
    expect(magnum?.containers.map((c) => c.name)).toEqual(['magnum_api', 'magnum_api', 'magnum_api']);
  });

  it('carries the load balancer entries of a service along, for the load balancers that are not selected', () => {
    const [heat] = site.desired({ tags: ['heat'] }).desired.services;
    expect(heat?.fragments.map((f) => `${f.host} ${f.file.path.split('/').pop()}`)).toEqual(
      ['heat-api.cfg', 'heat-api-cfn.cfg'].flatMap((file) => site.hosts.map((host) => `${host} ${file}`)),
    );
  });

  it('looks at the hosts of the load balancers too', () => {
    expect(site.desired({ tags: ['glance'] }).target.hosts).toEqual(['node1', 'node2', 'node3']);
    expect(site.desired({ tags: ['glance_api'] }).target.hosts.length).toBeGreaterThan(0);
  });

  it('does what concerns the whole service only from the first host of its group, where its markers lie', () => {
    const whole = site.desired({ tags: ['magnum'] }).desired.services[0];
    expect(whole?.oneShots.get('bootstrap_magnum')?.host).toBe('node1');
    expect(whole?.databases?.host).toBe('node1');
    const limited = site.desired({ tags: ['magnum'], limit: 'node2,node3' }).desired.services[0];
    expect(limited?.oneShots.size).toBe(0);
    expect([limited?.databases, limited?.identity]).toEqual([undefined, undefined]);
  });

  it('names the places of the services it requires', () => {
    const { desired } = site.desired({ tags: ['magnum'], limit: 'node2,node3' });
    expect(desired.required.map((r) => r.service).sort()).toEqual([
      'heat',
      'keystone',
      'loadbalancer',
      'mariadb',
      'memcached',
      'rabbitmq',
    ]);
  });

  it.each([
    [{ tags: ['magnun'] }, 'unknown-tag'],
    [{ tags: ['barbican'] }, 'unknown-tag'],
    [{ limit: 'node9' }, 'unknown-host'],
    [{ tags: ['glance_api'], limit: 'node3' }, undefined],
  ])('%j', (choice, code) => {
    if (code === undefined) expect(containers(site, choice)).toEqual([]);
    else expect(problems(() => site.desired(choice)).map((d) => d.code)).toEqual([code]);
  });
});
