import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandResult, must, run, sleep } from './command.ts';
import { allContainers, changedContainers, type RunningContainer } from './job/deploy-command.ts';
import { nodeExec } from './nodes.ts';
import { type Lab, raiseLab } from './raise.ts';
import { cloneRoot, NODES, SUBNET_PREFIX } from './settings.ts';

/** A service of the operator that no other test knows: it makes these tests independent of what is deployed. */
const echo = `service: echo
summary: Says what it hears
enabled: true
containers:
  echo:
    group: control
    image: debian
    tag: "{{ echo_tag | default('bookworm') }}"
    command: sleep infinity
    logs: false
    ports: ["{{ echo_port | default(7) }}"]
`;

/** The images it is made from are those every lab has. */
const own = ['--tags', 'echo', '-e', 'docker_namespace=lab'];

let lab: Lab;
let folder: string;
let before: { containers: ReadonlyMap<string, RunningContainer>; files: string };

beforeAll(async () => {
  lab = await raiseLab();
  folder = mkdtempSync(join(tmpdir(), 'bad-input-'));
  await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'stranger', '-f', join(folder, 'stranger')]);
  cpSync(lab.files.config, base(), { recursive: true });
  writeService(base());
  // The lab may be one that nothing was deployed on yet.
  const filled = await run(process.execPath, [program, 'genpwd', '--configdir', base()]);
  expect(filled.code, filled.stderr).toBe(0);
  before = await look();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = join(cloneRoot(), 'dist', 'cli', 'main.js');

function base(): string {
  return join(folder, 'base');
}

function writeService(config: string): void {
  const service = join(config, 'services/echo/service.yml');
  mkdirSync(dirname(service), { recursive: true });
  writeFileSync(service, echo);
}

async function look() {
  const digest = 'find /etc/kolla -type f 2>/dev/null -exec sha256sum {} + | sort | sha256sum';
  const files = await Promise.all(NODES.map(async ({ name }) => (await nodeExec(name, digest)).stdout));
  return { containers: await allContainers(), files: files.join('') };
}

interface Changes {
  readonly inventory?: (text: string) => string;
  readonly knownHosts?: (text: string) => string;
  readonly home?: string;
}

/** Runs the tool on copies of the lab's files, changed. */
async function deployed(args: readonly string[], changes: Changes = {}): Promise<CommandResult & { seconds: number }> {
  const [inventory, known] = [join(folder, 'inventory'), join(folder, 'known_hosts')];
  const same = (text: string): string => text;
  writeFileSync(inventory, (changes.inventory ?? same)(readFileSync(lab.files.inventory, 'utf8')));
  writeFileSync(known, (changes.knownHosts ?? same)(readFileSync(lab.files.knownHosts, 'utf8')));
  const env = {
    KOLLA_CONFIG_PATH: base(),
    DEPLOY_INVENTORY: inventory,
    DEPLOY_KNOWN_HOSTS: known,
    ...(changes.home === undefined ? {} : { HOME: changes.home }),
  };
  const started = performance.now();
  const result = await run(process.execPath, [program, ...args], { env, timeoutMs: 120_000 });
  return { ...result, seconds: (performance.now() - started) / 1000 };
}

interface Case extends Changes {
  readonly of: string;
  readonly args: readonly string[];
  readonly says: readonly string[];
  /** Problems told; any number without it. */
  readonly errors?: number;
  readonly never?: readonly string[];
  readonly code?: number;
}

function host(name: string, vars: string): (text: string) => string {
  return (text) => text.replace(new RegExp(`^${name} .*$`, 'm'), `${name} ${vars}`);
}

function key(file: () => string): (text: string) => string {
  return (text) => text.replace(/^(ansible_ssh_private_key_file)=.*$/m, (_, name: string) => `${name}=${file()}`);
}

const plan = ['plan', 'deploy', ...own];

const cases: readonly Case[] = [
  {
    of: 'hosts that cannot be reached, each with its cause',
    args: plan,
    inventory: (text) =>
      host(
        'node3',
        `ansible_host=${SUBNET_PREFIX}13 ansible_port=2`,
      )(host('node2', 'ansible_host=nosuch.invalid')(text)),
    says: [
      'error: node2: cannot reach nosuch.invalid port 22: its name cannot be resolved',
      `error: node3: cannot reach ${SUBNET_PREFIX}13 port 2: connection refused`,
      'error: nothing was changed: node2, node3 do not answer',
    ],
    errors: 3,
    never: ['node1'],
  },
  {
    of: 'an address nobody has',
    args: plan,
    inventory: host('node2', `ansible_host=${SUBNET_PREFIX}99`),
    says: [`error: node2: cannot reach ${SUBNET_PREFIX}99 port 22: no route to the host`, '--skip-unreachable'],
    errors: 2,
  },
  {
    of: 'a key the nodes do not know',
    args: plan,
    inventory: key(() => join(folder, 'stranger')),
    says: [`error: node1: root@${SUBNET_PREFIX}11 port 22 refused to log in: tried `, 'authorized_keys of root'],
    errors: 3,
  },
  {
    of: 'a key that does not exist',
    args: plan,
    inventory: key(() => '/nowhere/key'),
    says: ['error: node1, node2, node3: the private key /nowhere/key does not exist'],
    errors: 1,
  },
  {
    of: 'an unknown host key',
    args: plan,
    knownHosts: (text) => text.replace(/^172\.31\.77\.12.*\n/m, ''),
    says: [`error: node2: the host key of ${SUBNET_PREFIX}12 is not known: it offers SHA256:`, 'ssh-keyscan -p 22'],
    errors: 1,
    never: ['node1', 'node3'],
  },
  {
    of: 'a changed host key',
    args: plan,
    knownHosts: (text) => text.replace(/^(172\.31\.77\.12\S* \S+ ).*$/m, (_, name: string) => `${name}${stranger()}`),
    says: [
      `error: node2: the host key of ${SUBNET_PREFIX}12 has changed: it offers SHA256:`,
      'known_hosts:2)',
      'ssh-keygen -R',
    ],
    errors: 1,
    never: ['node1', 'node3'],
  },
  {
    of: 'a registry that is down',
    args: [...plan, '-e', `docker_registry=${SUBNET_PREFIX}1:5999`],
    says: [
      `error: the registry ${SUBNET_PREFIX}1:5999 cannot be used: the connection was refused`,
      'is the registry running?',
    ],
    errors: 1,
  },
  {
    of: 'a registry that has no certificate',
    args: [...plan, '-e', 'docker_registry_insecure=no'],
    says: ['cannot be used: it does not speak HTTPS', 'set docker_registry_insecure: true'],
    errors: 1,
  },
  {
    of: 'a tag the registry does not have',
    args: [...plan, '-e', 'echo_tag=nosuch'],
    says: ['error: there is no tag nosuch of lab/debian in the registry', 'known tags: '],
    errors: 1,
  },
  {
    of: 'a port that is taken',
    args: ['deploy', ...own, '-e', 'echo_port=22'],
    says: ['error: node1, node2, node3: port 22 is already taken; echo needs it', "ss -lntp 'sport = 22'"],
    errors: 1,
  },
  {
    of: 'a port that is taken, a tag that is missing: both at once',
    args: ['prechecks', ...own, '-e', 'echo_port=22', '-e', 'echo_tag=nosuch'],
    says: ['is already taken; echo needs it', 'there is no tag nosuch of lab/debian'],
  },
  {
    of: 'an address for the VIP that somebody has (prechecks)',
    args: ['prechecks', '--tags', 'loadbalancer', '-e', `kolla_internal_vip_address=${SUBNET_PREFIX}1`],
    says: [`${SUBNET_PREFIX}1 (kolla_internal_vip_address) answers already, and none of the nodes holds it`],
  },
  {
    of: 'an address for the VIP that somebody has (deploy)',
    args: ['deploy', '--tags', 'loadbalancer', '-e', `kolla_internal_vip_address=${SUBNET_PREFIX}1`],
    says: [`${SUBNET_PREFIX}1 (kolla_internal_vip_address) answers already, and none of the nodes holds it`],
  },
  {
    of: 'nobody to ask',
    args: ['deploy', ...own],
    says: ['error: there is no terminal to ask on', 'add --yes'],
    errors: 1,
    code: 3,
  },
];

function stranger(): string {
  return readFileSync(join(folder, 'stranger.pub'), 'utf8').split(' ')[1] ?? '';
}

describe('what is wrong with nodes, keys and registry', () => {
  it.each(cases)('$of', async ({ args, says, errors, never = [], code = 4, ...changes }) => {
    await refused(await deployed(args, changes), { says, errors, never, code });
  });

  it('a node without a Docker Engine', async () => {
    // An sshd of its own, in whose view of the node the engine's socket is dead; the engine itself is left alone.
    const hide = 'mount --bind /dev/null "$(readlink -f /var/run/docker.sock)"';
    const sshd = '/usr/sbin/sshd -p 2222 -o PidFile=/run/bad-input-sshd.pid';
    const started = await nodeExec('node3', `unshare -m sh -c '${hide} && ${sshd}'`);
    expect(started.code, started.stderr).toBe(0);
    await sleep(500);
    try {
      const result = await deployed(plan, {
        inventory: host('node3', `ansible_host=${SUBNET_PREFIX}13 ansible_port=2222`),
      });
      const says = ['error: node3: no Docker Engine answers at /var/run/docker.sock', 'is the engine installed'];
      await refused(result, { says, errors: 2, never: ['node1', 'node2'], code: 4 });
    } finally {
      await nodeExec('node3', 'kill "$(cat /run/bad-input-sshd.pid)"');
    }
  });

  it('nothing was changed by any of it', async () => {
    const after = await look();
    expect(changedContainers(before.containers, after.containers)).toEqual([]);
    expect(after.files).toBe(before.files);
  });
});

async function refused(
  result: CommandResult & { seconds: number },
  want: { says: readonly string[]; errors: number | undefined; never: readonly string[]; code: number },
): Promise<void> {
  const told = result.stderr;
  for (const text of want.says) expect(told).toContain(text);
  for (const text of [...want.never, '\n    at ', 'bug in deploy', ...secrets()]) expect(told).not.toContain(text);
  if (want.errors !== undefined) expect(told.match(/error: /g)).toHaveLength(want.errors);
  expect(result.code).toBe(want.code);
  expect(result.seconds).toBeLessThan(30);
}

function secrets(): string[] {
  const text = readFileSync(join(base(), 'passwords.yml'), 'utf8');
  return [...text.matchAll(/^\w+: "?([^"\s]{8,})"?$/gm)].map(([, value = '']) => value);
}

describe('the ssh configuration of the operator', () => {
  it('gives address, user, key and jump host when the inventory does not', async () => {
    const home = join(folder, 'home');
    mkdirSync(join(home, '.ssh'), { recursive: true });
    const all = `Host node*\n  User root\n  IdentityFile ${lab.files.privateKey}\n`;
    const hosts = NODES.map(({ name, address }) => `Host ${name}\n  HostName ${address}\n`).join('');
    appendFileSync(join(home, '.ssh', 'config'), `${all}${hosts}Host node2\n  ProxyJump node1\n`);
    const inventory = (text: string): string =>
      NODES.reduce(
        (lines, { name, address }) => host(name, `api_interface_address=${address}`)(lines),
        text.replace(/^ansible_(user|ssh_private_key_file)=.*\n/gm, ''),
      );
    const result = await deployed(['prechecks', ...own], { home, inventory });
    expect(result.stderr).toBe('');
    expect(result.stdout).toContain('prechecks passed on node1, node2, node3');
  });
});
