import { describe, expect, test } from 'vitest';
import { formatDiagnostic } from '../../../src/core/model/diagnostic.ts';
import { gatesSchema } from '../../../src/core/schema/gate.ts';
import { parseWith } from '../../../src/core/schema/parse.ts';
import { parseYaml } from '../../../src/core/schema/yaml.ts';

function parse(text: string) {
  const document = parseYaml(text, 'gates.yml');
  if (!document.ok) throw new Error('not YAML');
  return parseWith(gatesSchema, document.value);
}

function complaints(text: string): string[] {
  const result = parse(text);
  return result.ok ? [] : result.diagnostics.map(formatDiagnostic);
}

describe('the schema of gates', () => {
  test('fills in what a gate leaves out', () => {
    const result = parse(
      '- http: {url: "http://{{ api }}:9511/"}\n- {tcp: {address: a, port: "{{ p }}"}, within: 5}\n',
    );
    expect(result.ok && result.value).toEqual([
      {
        http: { url: 'http://{{ api }}:9511/', method: 'GET', status: 200, headers: {}, timeout: 10 },
        within: 30,
        passes: 1,
      },
      { tcp: { address: 'a', port: '{{ p }}' }, within: 5, passes: 1 },
    ]);
  });

  test('takes lists of statuses, what a query should answer and the exit code of a command', () => {
    const result = parse(`
- {name: open, http: {url: u, status: [200, 300], auth: keystone, contains: id, headers: {Accept: json}}}
- sql: {query: SELECT 1, expect: 1, database: magnum}
- command: {container: magnum_api, argv: ["true"], exit: 1}
`);
    expect(result.ok && result.value).toMatchObject([
      { name: 'open', http: { status: [200, 300], auth: 'keystone', contains: 'id', headers: { Accept: 'json' } } },
      { sql: { query: 'SELECT 1', expect: 1, database: 'magnum' } },
      { command: { container: 'magnum_api', argv: ['true'], exit: 1 } },
    ]);
  });

  test.each([
    ['- htpp: {url: u}', 'gates.yml:1:3: error: unknown key htpp in [0]\n    did you mean http?'],
    ['- {http: {url: u}, tcp: {address: a, port: 1}}', 'has http and tcp at once: a gate is one check'],
    ['- {name: empty}', 'gates.yml:1:3: error: [0]: says nothing to check: give one of http, tcp, sql or command'],
    ['- tcp: {address: a, prt: 1}', 'gates.yml:1:3: error: [0].tcp.port: is missing'],
    ['- tcp: {address: a, prt: 1}', 'did you mean port?'],
    ['- http: {url: u, auth: basic}', '[0].http.auth: must be keystone'],
    ['- {tcp: {address: a, port: 1}, within: 0}', '[0].within'],
    ['- command: {container: c, argv: []}', '[0].command.argv: must be at least 1'],
    ['http: {url: u}', 'the file: must be a list, not a map'],
  ])('says what is wrong with %s', (text, expected) => {
    expect(complaints(text).join('\n')).toContain(expected);
  });
});
