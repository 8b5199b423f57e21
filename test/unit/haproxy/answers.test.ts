import { describe, expect, test } from 'vitest';
import { mergeStates, parseAnswers, parseInfo } from '../../../src/edge/haproxy/answers.ts';

const stat = [
  '# pxname,svname,qcur,scur,status,bck,check_status,last_chk,addr,',
  'a_front,FRONTEND,,3,OPEN,,,,,',
  'a_back,node1,1,2,UP,0,L7OK,,10.0.0.1:9511,',
  'a_back,node2,0,0,DOWN,1,* L4CON,"Refused, ""really""",10.0.0.2:9511,',
  'b_back,node1,0,4,no check,0,,,10.0.0.1:3306,',
  'a_back,BACKEND,0,2,UP,,,,,',
].join('\n');

const state = [
  '1',
  '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight',
  '3 a_back 1 node1 10.0.0.1 2 0 1',
  '3 a_back 2 node2 10.0.0.2 0 8 1',
  '4 b_back 1 node1 10.0.0.1 2 32 1',
].join('\n');

describe('parseAnswers', () => {
  test('joins both tables: a server that is down keeps what was asked of it', () => {
    const states = mergeStates(parseAnswers(`${state}\n\n${stat}\n\n`));
    expect(states.map((s) => [s.backend, s.server, s.admin, s.up, s.sessions, s.queued, s.backup])).toEqual([
      ['a_back', 'node1', 'ready', true, 2, 1, false],
      ['a_back', 'node2', 'drain', false, 0, 0, true],
      ['b_back', 'node1', 'maint', true, 4, 0, false],
    ]);
  });

  test('reads quoted fields and marks of running checks', () => {
    const [, second] = mergeStates(parseAnswers(stat));
    expect(second).toMatchObject({ check: 'L4CON', checkText: 'Refused, "really"', address: '10.0.0.2:9511' });
  });

  test('keeps complaints apart from tables and their version line', () => {
    const answers = parseAnswers(`${state}\n\n\nNo such server.\n\n`);
    expect(answers.state).toHaveLength(3);
    expect(answers.remarks).toEqual(['No such server.']);
  });

  test('an empty answer has nothing in it', () => {
    expect(parseAnswers('')).toEqual({ stat: [], state: [], remarks: [] });
  });
});

test('parseInfo takes the first colon of a line', () => {
  const info = parseInfo('Name: HAProxy\nVersion: 2.6.12\nnode: a:b\n\n');
  expect(info.get('Version')).toBe('2.6.12');
  expect(info.get('node')).toBe('a:b');
});
