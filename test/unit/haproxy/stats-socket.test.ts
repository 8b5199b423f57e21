import { expect, test } from 'vitest';
import { countOthers, drain, setStates, socatCommand } from '../../../src/edge/haproxy/stats-socket.ts';

const header = '1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state\n';

test('asks for the states before and gives the orders with one line', async () => {
  const sent: string[] = [];
  const send = async (command: string) => {
    sent.push(command);
    return `${header}3 a_back 1 node1 10.0.0.1 2 8\n3 b_back 1 node1 10.0.0.1 2 0\n\n\n\n`;
  };
  const servers = [
    { backend: 'a_back', server: 'node1' },
    { backend: 'b_back', server: 'node1' },
  ];
  expect(await setStates(send, servers, 'drain')).toEqual(['drained b_back/node1']);
  expect(sent).toEqual(['show servers state;set server a_back/node1 state drain;set server b_back/node1 state drain']);
  expect(await setStates(send, [], 'drain')).toEqual([]);
});

test('a name cannot smuggle a command in', async () => {
  const send = async () => '';
  await expect(drain(send, 'a_back', 'x;shutdown frontend a')).rejects.toThrow('cannot be the name');
  await expect(drain(send, 'a\nb', 'x')).rejects.toThrow('cannot be the name');
});

test('the shell sees command and path as arguments only', () => {
  expect(socatCommand('/run/s', 'show info').slice(3)).toEqual(['sh', 'show info', '/run/s', '5']);
});

test('other servers count that are up and were not taken out, in the backend that has fewest', () => {
  const of = (backend: string, server: string, up = true, admin: 'ready' | 'drain' = 'ready') => ({
    backend,
    server,
    admin,
    up,
    status: '',
    sessions: 0,
    queued: 0,
    check: '',
    checkText: '',
    address: '',
    backup: false,
  });
  const states = [
    of('a', 'n1'),
    of('a', 'n2'),
    of('a', 'n3', false),
    of('b', 'n1'),
    of('b', 'n2', true, 'drain'),
    of('b', 'n3'),
    of('c', 'n2'),
  ];
  expect(countOthers(states, [{ backend: 'a', server: 'n1' }])).toBe(1);
  expect(countOthers(states, [{ backend: 'b', server: 'n2' }])).toBe(2);
  expect(
    countOthers(states, [
      { backend: 'a', server: 'n3' },
      { backend: 'b', server: 'n3' },
    ]),
  ).toBe(1);
});
