import { describe, expect, it } from 'vitest';
import { parseIni } from '../../../src/core/render/ini.ts';
import { must, read, shippedSite } from './shipped-site.ts';

const globals = 'kolla_internal_vip_address: 192.0.2.250\nenable_magnum: yes\n';
const overrides = {
  'heat.conf': '[DEFAULT]\nmax_stacks_per_tenant = 7\n',
  'heat/heat-engine.conf': '[DEFAULT]\nnum_engine_workers = 9\n',
  'heat/control02/heat.conf': '[DEFAULT]\ndebug = true\n',
  'magnum/policy.yaml': '"certificate:create": "role:member"\n',
};
const site = shippedSite(globals, overrides);

describe('INI files', () => {
  const iniFiles = site.desired.services.flatMap((service) =>
    service.containers.flatMap((c) => c.files.filter(({ path }) => /\.(conf|ini|cnf)$/.test(path))),
  );

  it('name every section once', () => {
    for (const { path, content } of iniFiles) {
      const sections = content.split('\n').filter((line) => /^\[.*\]$/.test(line));
      expect(new Set(sections).size, path).toBe(sections.length);
    }
  });

  it('can be read back', () => {
    const openstack = iniFiles.filter(({ path }) => /(heat|magnum|keystone|glance-api)\.conf$|uwsgi\.ini$/.test(path));
    expect(openstack.length).toBeGreaterThan(20);
    for (const { path, content } of openstack) must(parseIni(content, path));
  });

  it('take overrides for all, for one container and for one host', () => {
    expect(site.file('heat_api', 'heat.conf')).toContain('max_stacks_per_tenant = 7');
    expect(site.file('heat_engine', 'heat.conf')).toContain('num_engine_workers = 9');
    expect(site.file('heat_api', 'heat.conf')).not.toContain('num_engine_workers');
    expect(site.file('heat_api', 'heat.conf', 'control02')).toContain('debug = true');
    expect(site.file('heat_api', 'heat.conf', 'control01')).toContain('debug = false');
  });

  it('a policy goes where every release reads it last, and only when there is one', () => {
    expect(site.file('magnum_api', 'config.json')).toContain('/etc/magnum/policy.d/99-site.yaml');
    expect(site.file('heat_api', 'config.json')).not.toContain('policy.d');
  });

  it('magnum: what belongs to the API is not in the conductor, and the other way round', () => {
    expect(site.file('magnum_api', 'magnum.conf')).toMatch(/\[api\]\nport = 9511\nhost = 192\.0\.2\.11/);
    expect(site.file('magnum_api', 'magnum.conf')).not.toContain('[conductor]');
    expect(site.file('magnum_conductor', 'magnum.conf')).not.toContain('[api]');
    expect(site.file('magnum_conductor', 'magnum.conf')).toMatch(/\[cinder_client\]\nregion_name = RegionOne/);
  });
});

describe('what a service needs to know of the others', () => {
  it('all members of the message queue, with user and password for each', () => {
    const member = (n: number) => `openstack:rabbitmq_password-value@192.0.2.1${n}:5672`;
    expect(site.file('keystone', 'keystone.conf')).toContain(`rabbit://${member(1)},${member(2)},${member(3)}//\n`);
  });

  it('all caches, and the database at the VIP', () => {
    const conf = site.file('heat_engine', 'heat.conf');
    expect(conf).toContain('memcached_servers = 192.0.2.11:11211,192.0.2.12:11211,192.0.2.13:11211\n');
    expect(conf).toContain('mysql+pymysql://heat:heat_database_password-value@192.0.2.250:3306/heat\n');
  });

  it('one Fernet key more than are in use at once', () => {
    expect(site.file('keystone', 'keystone.conf')).toContain('max_active_keys = 3\n');
  });

  it('each API listens on its own host through its own script', () => {
    const ini = site.file('heat_api_cfn', 'heat-api-cfn-uwsgi.ini', 'control03');
    expect(ini).toContain('http-socket = 192.0.2.13:8000\n');
    expect(ini).toContain('wsgi-file = /usr/local/lib/kolla/wsgi/heat-api-cfn\n');
  });
});

describe('clusters', () => {
  it('Galera names every member; a single one names none, or it would wait for itself', () => {
    expect(site.file('mariadb', 'galera.cnf')).toContain(
      'wsrep_cluster_address = gcomm://192.0.2.11:4567,192.0.2.12:4567,192.0.2.13:4567\n',
    );
    const one = shippedSite(globals, {}, read('inventory/all-in-one'));
    expect(one.file('mariadb', 'galera.cnf', 'node1')).toContain('wsrep_cluster_address = gcomm://\n');
  });

  it('RabbitMQ knows its members by name and address', () => {
    expect(site.file('rabbitmq', 'rabbitmq.conf')).toContain('classic_config.nodes.3 = rabbit@control03\n');
    expect(site.file('rabbitmq', 'erl_inetrc')).toContain('{host, { 192,0,2,12 }, ["control02"]}.\n');
    expect(site.file('rabbitmq', 'erlang.cookie')).toBe('rabbitmq_cluster_cookie-value');
  });

  it('RabbitMQ definitions are JSON, whatever is in a password', () => {
    const odd = shippedSite(`${globals}rabbitmq_user: 'a"b\\c'\n`);
    const definitions: { users: { name: string }[] } = JSON.parse(odd.file('rabbitmq', 'definitions.json'));
    expect(definitions.users.map(({ name }) => name)).toEqual(['a"b\\c', 'openstack-monitoring']);
  });

  it('Glance runs on one host on the default volume, on all with a shared directory', () => {
    const hosts = (s: typeof site) =>
      s.desired.services.flatMap((service) =>
        service.containers.filter((c) => c.name === 'glance_api').map((c) => c.host),
      );
    expect(hosts(site)).toEqual(['control01']);
    const shared = shippedSite(`${globals}glance_file_datadir_volume: /srv/glance\n`);
    expect(hosts(shared)).toEqual(['control01', 'control02', 'control03']);
    expect(shared.container('glance_api').spec.volumes).toContain('/srv/glance:/var/lib/glance/');
  });
});

describe('load balancer', () => {
  const fragment = (name: string) => site.file('haproxy', `services.d/${name}.cfg`);

  it('one fragment per container with entries', () => {
    const names = site
      .container('haproxy')
      .files.flatMap(({ path }) => /services\.d\/(.*)\.cfg$/.exec(path)?.[1] ?? [])
      .sort();
    expect(names).toEqual(['glance-api', 'heat-api', 'heat-api-cfn', 'keystone', 'magnum-api', 'mariadb', 'rabbitmq']);
  });

  it('an API: checked by its health page, bound also where the VIP is not', () => {
    expect(fragment('magnum-api')).toBe(
      [
        'frontend magnum_api_front',
        '    mode http',
        '    http-request del-header X-Forwarded-Proto',
        '    option httplog',
        "    # After a reload, a client's idle connection is closed with its next answer and not while it sends a request.",
        '    option idle-close-on-response',
        '    option forwardfor',
        '    http-request set-header X-Forwarded-Proto https if { ssl_fc }',
        '    bind 192.0.2.250:9511 transparent',
        '    default_backend magnum_api_back',
        '',
        'backend magnum_api_back',
        '    mode http',
        '    option httpchk',
        '    http-check send meth GET uri /healthcheck',
        '    http-check expect status 200',
        '    server control01 192.0.2.11:9511 check inter 2000 rise 2 fall 5',
        '    server control02 192.0.2.12:9511 check inter 2000 rise 2 fall 5',
        '    server control03 192.0.2.13:9511 check inter 2000 rise 2 fall 5',
        '',
        '',
      ].join('\n'),
    );
  });

  it('the database: one writer, sessions leave it when it goes down', () => {
    const servers = fragment('mariadb')
      .split('\n')
      .filter((line) => /^ {4}server /.test(line));
    expect(servers.map((line) => line.endsWith(' backup'))).toEqual([false, true, true]);
    expect(servers.every((line) => line.includes('on-marked-down shutdown-sessions'))).toBe(true);
    expect(fragment('mariadb')).toContain('timeout server 3600s');
  });

  it('an external VIP of its own gets the APIs, not the database', () => {
    const two = shippedSite(`${globals}kolla_external_vip_address: 198.51.100.9\n`);
    expect(two.file('haproxy', 'services.d/heat-api.cfg')).toContain('bind 198.51.100.9:8004 transparent');
    expect(two.file('haproxy', 'services.d/mariadb.cfg')).not.toContain('198.51.100.9');
    expect(two.file('keepalived', 'keepalived.conf')).toContain('198.51.100.9 dev eth0');
  });

  it('the socket lets the program take servers out', () => {
    expect(site.file('haproxy', 'haproxy.cfg')).toMatch(
      /stats socket .*haproxy\.sock group kolla mode 660 level admin/,
    );
  });

  it('keepalived: another priority on each host', () => {
    const priorities = ['control01', 'control02', 'control03'].map(
      (host) => /priority (\d+)/.exec(site.file('keepalived', 'keepalived.conf', host))?.[1],
    );
    expect(priorities).toEqual(['1', '2', '3']);
  });

  it('keepalived: peers by address where there is no multicast', () => {
    const unicast = shippedSite(`${globals}keepalived_traffic_mode: unicast\n`);
    const conf = unicast.file('keepalived', 'keepalived.conf', 'control02');
    expect(conf).toContain('unicast_src_ip 192.0.2.12');
    expect(conf).toMatch(/unicast_peer \{\n {8}192\.0\.2\.11\n {8}192\.0\.2\.13\n {4}\}/);
  });

  it('without a load balancer nothing of it is left', () => {
    const none = shippedSite(`${globals}enable_haproxy: no\n`);
    expect(none.desired.services.map(({ name }) => name)).not.toContain('loadbalancer');
    expect(none.desired.services.flatMap(({ fragments }) => fragments)).toEqual([]);
  });
});

describe('images', () => {
  it('one project from another release, all others as before', () => {
    const mixed = shippedSite(
      `${globals}docker_registry: "r:5000"\ndocker_namespace: n\nmagnum_tag: 2025.1-debian-trixie\n`,
    );
    expect(mixed.container('magnum_api').image).toEqual({
      repository: 'r:5000/n/magnum-api',
      tag: '2025.1-debian-trixie',
    });
    expect(mixed.container('heat_api').image).toEqual({ repository: 'r:5000/n/heat-api', tag: 'zed-debian-bookworm' });
  });

  it('limits for all and for one container', () => {
    const limited = shippedSite(
      `${globals}default_container_dimensions: {mem_limit: 2g}\nheat_engine_dimensions: {mem_limit: 1g}\n`,
    );
    expect(limited.container('heat_api').spec.dimensions).toEqual({ mem_limit: '2g' });
    expect(limited.container('heat_engine').spec.dimensions).toEqual({ mem_limit: '1g' });
  });
});
