import { describe, expect, it } from 'vitest';
import { resolveTarget } from '../../../src/edge/ssh/ssh-config.ts';

const me = { name: 'me', home: '/home/me', agent: '/run/agent' };
const config = `
Host bastion
  HostName bastion.example
  User jumper
  Port 2200

Host 192.0.2.*
  User stack
  IdentityFile ~/.ssh/stack
  IdentityFile /keys/%h
  ProxyJump bastion
  UserKnownHostsFile ~/.ssh/known_hosts ~/.ssh/known_hosts_stack

Host direct
  ProxyJump none
  IdentityAgent none

Host *
  Port 2022
`;

describe('resolveTarget', () => {
  it('uses the configuration for what the inventory leaves open', () => {
    expect(resolveTarget({ host: 'node1', address: '192.0.2.7' }, config, me)).toEqual({
      host: 'node1',
      address: '192.0.2.7',
      port: 2022,
      user: 'stack',
      identityFile: ['/home/me/.ssh/stack', '/keys/192.0.2.7'],
      agent: '/run/agent',
      proxyJump: [{ host: 'bastion', address: 'bastion.example', port: 2200, user: 'jumper', agent: '/run/agent' }],
      knownHosts: ['/home/me/.ssh/known_hosts', '/home/me/.ssh/known_hosts_stack'],
    });
  });

  it('lets the inventory win', () => {
    const hints = {
      host: 'node1',
      address: '192.0.2.7',
      port: 22,
      user: 'root',
      identityFile: '~/id',
      proxyJump: 'a@one:1,two',
    };
    const target = resolveTarget(hints, config, me);
    expect(target).toMatchObject({ port: 22, user: 'root', identityFile: ['/home/me/id'] });
    expect(target.proxyJump?.map((hop) => [hop.address, hop.port, hop.user])).toEqual([
      ['one', 1, 'a'],
      ['two', 2022, 'me'],
    ]);
  });

  it('works without a configuration, and switches things off', () => {
    expect(resolveTarget({ host: 'n' }, '', { name: 'me', home: '/h' })).toEqual({
      host: 'n',
      address: 'n',
      port: 22,
      user: 'me',
    });
    const direct = resolveTarget({ host: 'direct' }, config, me);
    expect(direct.proxyJump).toBeUndefined();
    expect(direct.agent).toBeUndefined();
  });

  it('ends on hops that lead to each other', () => {
    const loop = 'Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n';
    expect(resolveTarget({ host: 'a' }, loop, me).proxyJump?.length).toBeLessThan(12);
  });
});
