export interface Case {
  readonly of: string;
  readonly args?: readonly string[];
  readonly files?: Readonly<Record<string, string | undefined>>;
  /** Added to a file that is in order. */
  readonly add?: Readonly<Record<string, string>>;
  /** Every line that must appear; DIR stands for the configuration directory. */
  readonly says: readonly string[];
  /** How many problems are told; as many as `says` names without it. */
  readonly errors?: number;
}

export const plan = ['plan', 'reconfigure', '--tags', 'memcached'];

const ownService = `service: echo
summary: Says what it hears
enabled: true
requires: [common]
containers:
  echo:
    group: memcached
    image: echo
    tag: "1"
    command: sleep 1
    files:
      - template: echo.conf.hbs
        dest: /etc/echo.conf
`;

function own(service: string, template = 'x\n'): Readonly<Record<string, string>> {
  return { 'services/echo/service.yml': service, 'services/echo/templates/echo.conf.hbs': template };
}

const echo = ['plan', 'reconfigure', '--tags', 'echo'];

export const commandLine: readonly Case[] = [
  { of: 'unknown command', args: ['depoly'], says: ['error: there is no command depoly', 'did you mean deploy?'] },
  { of: 'unknown command of help', args: ['help', 'staus'], says: ['there is no command staus', 'status?'] },
  { of: 'unknown option', args: ['reconfigure', '--tagz', 'x'], says: ['there is no option --tagz', 'mean --tags?'] },
  { of: 'option without value', args: ['reconfigure', '--tags'], says: ['--tags <tags> needs a value'] },
  { of: 'option with a bad value', args: ['status', '--forks', 'x'], says: ['x is not a whole number from 1 on'] },
  {
    of: 'a limit of failing hosts that is none',
    args: ['upgrade', '--max-fail', '120%'],
    says: ['--max-fail <n>: 120% is not a whole number from 0 on, or a share: 10%'],
  },
  {
    of: 'skipping where nothing is chosen',
    args: ['apply', 'x', '--skip-unreachable'],
    says: ['no option --skip-unr'],
  },
  { of: 'too many arguments', args: ['deploy', 'heat'], says: ['deploy: too many arguments', '--tags'] },
  { of: 'plan without verb', args: ['plan'], says: ['plan: the argument VERB is missing'] },
  { of: 'plan of an unknown verb', args: ['plan', 'upgrad'], says: ['there is no verb upgrad', 'mean upgrade?'] },
  { of: 'a verb that does not prune', args: ['plan', 'upgrade', '--prune'], says: ['upgrade takes no --prune'] },
  {
    of: 'unknown tag',
    args: ['plan', 'upgrade', '--tags', 'magnm'],
    says: ['--tags magnm: no service', 'mean magnum?'],
  },
  { of: 'unknown tag to skip', args: ['status', '--skip-tags', 'hat'], says: ['--skip-tags hat: no service'] },
  { of: 'unknown host', args: ['status', '--limit', 'alpa'], says: ['no host or group matches alpa', 'mean alpha?'] },
  { of: 'a limit that leaves nothing', args: ['status', '--limit', 'alpha:!alpha'], says: ['leaves no host'] },
  {
    of: 'unknown variable',
    args: ['config', 'get', 'heat_tagg'],
    says: ['variable heat_tagg is not', 'mean heat_tag'],
  },
  {
    of: 'unknown host of a variable',
    args: ['config', 'get', 'heat_tag', '--host', 'alpa'],
    says: ['host alpa is not in the inventory', 'mean alpha?'],
  },
  { of: 'config of something else', args: ['config', 'set', 'x'], says: ['config: there is no set'] },
  { of: 'config get of nothing', args: ['config', 'get'], says: ['the argument VARIABLE is missing'] },
  { of: 'unknown image', args: ['build', 'nosuch'], says: ['no image or service matches nosuch'] },
  { of: '-e without value', args: [...plan, '-e', 'x'], says: ['-e:1:1: error: an extra variable is not name=value'] },
  { of: '-e with broken JSON', args: [...plan, '-e', '{a: '], says: ['-e:1:5: error: '] },
  {
    of: '-e of a missing file',
    args: [...plan, '-e', '@DIR/no.yml'],
    says: ['DIR/no.yml:1:1: error: the file does not'],
  },
  {
    of: 'missing inventory',
    args: [...plan, '-i', 'DIR/no'],
    says: ['DIR/no:1:1: error: the file does not', '-i FILE'],
  },
  {
    of: 'missing directory',
    args: ['status', '--configdir', 'DIR/no', '-i', 'DIR/inventory'],
    says: [
      'DIR/no/globals.yml:1:1: error: the file does not exist',
      'DIR/no/passwords.yml:1:1: error: the file does not',
    ],
    errors: 2,
  },
  { of: 'apply without a file', args: ['apply'], says: ['apply: the argument FILE is missing'] },
  {
    of: 'apply of a missing file',
    args: ['apply', 'DIR/no.plan'],
    says: ['DIR/no.plan:1:1: error: the file does not exist'],
  },
  {
    of: 'apply of what is no plan',
    args: ['apply', 'DIR/globals.yml'],
    says: ['DIR/globals.yml:1:1: error: not a saved plan: the file is not JSON', '--out FILE makes one'],
  },
  {
    of: 'a plan to be saved nowhere',
    args: [...plan, '--out', 'DIR/no/x.plan'],
    says: ['error: the directory DIR/no does not exist'],
  },
  {
    of: 'genpwd nowhere',
    args: ['genpwd', '--configdir', 'DIR/no'],
    says: ['error: the directory DIR/no does not exist'],
  },
];

export const files: readonly Case[] = [
  { of: 'malformed globals.yml', add: { 'globals.yml': 'a: [1\n' }, says: ['DIR/globals.yml:9:1: error: '] },
  { of: 'a tab', add: { 'globals.yml': 'a:\n\tb: 1\n' }, says: ['DIR/globals.yml:9:1: error: a tab is used'] },
  {
    of: 'a key twice',
    add: { 'globals.yml': 'network_interface: eth1\n' },
    says: ['DIR/globals.yml:8:1: error: key network_interface appears twice; the first is in line 3'],
  },
  {
    of: 'a list for variables',
    files: { 'globals.yml': '- a\n' },
    says: ['DIR/globals.yml:1:1: error: the file must be a map'],
  },
  {
    of: 'a slip in a switch',
    add: { 'globals.yml': 'enable_heat: maybe\n' },
    says: ['DIR/globals.yml:8:14: error: ', 'enable_heat must be yes or no'],
  },
  {
    of: 'no passwords',
    args: ['plan', 'reconfigure', '--tags', 'keystone,glance'],
    files: { 'passwords.yml': '' },
    says: [
      'DIR/passwords.yml:1:1: error: these passwords are empty: ',
      'glance_keystone_password',
      'run deploy genpwd',
    ],
  },
  {
    of: 'an undefined variable',
    add: { 'globals.yml': 'memcached_tag: "{{ no_such }}"\n' },
    says: ['DIR/globals.yml:8:20: error: alpha, beta: variable no_such is not defined', 'set no_such in globals.yml'],
  },
  {
    of: 'what every service needs',
    args: ['plan', 'reconfigure', '--tags', 'keystone,memcached'],
    files: { 'globals.yml': 'network_interface: eth0\n' },
    says: ['variable kolla_internal_vip_address is not defined', 'set kolla_internal_vip_address in globals.yml'],
  },
  {
    of: 'a cycle of variables',
    add: { 'globals.yml': 'memcached_tag: "{{ a }}"\na: "{{ b }}"\nb: "{{ a }}"\n' },
    says: ['DIR/globals.yml:9:5: error: alpha, beta: variables need each other: a → b → a'],
  },
  {
    of: 'a malformed expression',
    add: { 'globals.yml': 'memcached_tag: "{{ a "\n' },
    says: ['DIR/globals.yml:8:17: error: alpha, beta: malformed expression: {{ is not closed with }}'],
  },
  {
    of: 'a port that is none',
    add: { 'globals.yml': 'memcached_port: abc\n' },
    says: ['DIR/globals.yml:8:17: error: memcached_port must be a whole number, not "abc"'],
  },
  {
    of: 'a malformed section',
    add: { inventory: '[control\n' },
    says: ['DIR/inventory:', 'malformed section [control'],
  },
  {
    of: 'an undefined group',
    add: { inventory: '[x:children]\nnosuch\n' },
    says: ['group nosuch is not defined', '[nosuch]'],
  },
  { of: 'a cycle of groups', add: { inventory: '[control:children]\ncron\n' }, says: ['groups contain each other'] },
  {
    of: 'an empty inventory',
    files: { inventory: '' },
    says: ['DIR/inventory:1:1: error: the inventory has no hosts'],
  },
  {
    of: 'a port of ssh that is none',
    add: { inventory: '[all:vars]\nansible_port=x\n', 'host_vars/alpha.yml': 'ansible_port: 99999\n' },
    says: ['DIR/host_vars/alpha.yml:1:15: error: alpha: ansible_port must be a port from 1 to 65535, not 99999'],
  },
  {
    of: 'a way to the nodes that cannot be gone',
    add: { 'group_vars/all.yml': `ansible_ssh_common_args: -o ProxyCommand="ssh -W %h:%p hop"\n` },
    says: [
      'DIR/group_vars/all.yml:1:26: error: alpha, beta: ansible_ssh_common_args: ProxyCommand is not',
      'ProxyJump=HOST',
    ],
  },
  {
    of: 'malformed host_vars',
    add: { 'host_vars/alpha.yml': 'a: [\n' },
    says: ['DIR/host_vars/alpha.yml:2:1: error: '],
  },
  {
    of: 'a service whose group is missing',
    files: { inventory: 'alpha ansible_host=127.0.0.1\n[memcachd]\nalpha\n[cron]\nalpha\n' },
    says: [
      'DIR/inventory:1:1: error: the inventory has no group memcached, which memcached of service memcached belongs to',
      'did you mean memcachd?',
    ],
  },
  {
    of: 'a malformed override',
    args: ['plan', 'reconfigure', '--tags', 'heat_api'],
    files: { 'config/heat/heat-api.conf': '[DEFAULT]\nfoo\n= x\n[bad\n' },
    says: [
      'DIR/config/heat/heat-api.conf:2:1: error: expected "key = value"',
      'DIR/config/heat/heat-api.conf:3:1: error: the key before "=" is missing',
      'DIR/config/heat/heat-api.conf:4:5: error: the section header has no closing bracket',
    ],
    errors: 3,
  },
  {
    of: 'an undefined variable in an override',
    args: ['plan', 'reconfigure', '--tags', 'heat_api'],
    files: { 'config/heat.conf': '[DEFAULT]\nx = {{ no_such }}\n' },
    says: ['DIR/config/heat.conf:2:8: error: alpha, beta: variable no_such is not defined'],
  },
];

export const services: readonly Case[] = [
  {
    of: 'a key that is misspelled',
    files: own(ownService.replace('image:', 'imag:')),
    says: [
      'echo/service.yml:6:3: error: containers.echo.image: is missing',
      ':8:5: error: unknown key imag',
      'mean image?',
    ],
    errors: 2,
  },
  {
    of: 'another name than its folder',
    files: own(ownService.replace('echo', 'ech')),
    says: ['service ech lies in the folder'],
  },
  {
    of: 'required services that do not exist',
    files: own(ownService.replace('[common]', '[comon, nosuch]')),
    says: ['service.yml:4:12: error: service comon is not', 'mean common?', 'service.yml:4:19: error: service nosuch'],
    errors: 2,
  },
  {
    of: 'a cycle of services',
    files: own(ownService.replace('common', 'echo')),
    says: ['services require each other: echo → echo'],
  },
  {
    of: 'a container of another service',
    files: own(ownService.replace('  echo:', '  memcached:')),
    says: ['service.yml:6:3: error: container memcached is defined'],
  },
  {
    of: 'a group nobody has',
    args: echo,
    files: own(ownService.replace('group: memcached', 'group: echoes')),
    says: ['error: the inventory has no group echoes, which echo of service echo belongs to'],
  },
  {
    of: 'an unfinished template',
    args: echo,
    files: own(ownService, 'x\n{{ memcached_port\n'),
    says: ['echo.conf.hbs:2:18: error: the template ends inside an unfinished'],
  },
  {
    of: 'a variable misspelled in a template',
    args: echo,
    files: own(ownService, 'x\n{{ memcached_prt }}\n'),
    says: ['echo.conf.hbs:2:4: error: variable memcached_prt is not defined', 'did you mean memcached_port'],
  },
  {
    of: 'a helper nobody has',
    args: echo,
    files: own(ownService, '{{nosuch "a" 1}}'),
    says: ['echo.conf.hbs:1:1: error: there is no helper "nosuch"'],
  },
  {
    of: 'a missing template',
    args: echo,
    files: { 'services/echo/service.yml': ownService },
    says: ['there is no template echo.conf.hbs'],
  },
];
