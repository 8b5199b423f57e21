import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type InventoryFile, parseInventory } from '../../../src/core/schema/inventory.ts';
import { pythonLiteral } from '../../../src/core/schema/literal.ts';

function read(text: string): InventoryFile {
  const result = parseInventory(text, 'hosts');
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  return result.value;
}

function plain(vars: ReadonlyMap<string, { value: unknown }> | undefined): object {
  return Object.fromEntries([...(vars ?? [])].map(([key, { value }]) => [key, value]));
}

describe('literals', () => {
  it.each([
    ['1', 1],
    ['-2.5', -2.5],
    ['1e3', 1000],
    ['0x10', 16],
    ['0644', '0644'],
    ['10.0.0.1', '10.0.0.1'],
    ['True', true],
    ['true', 'true'],
    ['yes', 'yes'],
    ['None', null],
    ['"1"', '1'],
    ["['a', 2, {'k': True}]", ['a', 2, { k: true }]],
    ["('a',)", ['a']],
    ['[1, 2', '[1, 2'],
    ['[]', []],
    ['5 # five', 5],
    ['text # no comment', 'text # no comment'],
    ['12345678901234567890', '12345678901234567890'],
    ['', ''],
  ])('%j', (text, expected) => {
    expect(pythonLiteral(text)).toEqual(expected);
  });
});

describe('inventories', () => {
  it('reads hosts, groups, children, variables and ranges', () => {
    const file = read(`# comment
lonely ansible_host=10.0.0.9
[control]
node[01:03] rack=1 name="two words" flag=True port='"22"' # tail
db-[a:c:2].example.org:2222
; another
[all:vars]
ntp = ['a', 'b']
plain = some text
[site:children]
control
[control]
node04
[control:vars]
x=1
`);
    expect(file.hosts.map(({ name }) => name)).toEqual([
      'lonely',
      'node01',
      'node02',
      'node03',
      'db-a.example.org',
      'db-c.example.org',
      'node04',
    ]);
    expect(plain(file.hosts[1]?.vars)).toEqual({ rack: 1, name: 'two words', flag: true, port: '22' });
    expect(plain(file.hosts[4]?.vars)).toEqual({ ansible_port: 2222 });
    const groups = new Map(file.groups.map((group) => [group.name, group]));
    expect(groups.get('ungrouped')?.hosts).toEqual(['lonely']);
    expect(groups.get('control')?.hosts.at(-1)).toBe('node04');
    expect(plain(groups.get('all')?.vars)).toEqual({ ntp: ['a', 'b'], plain: 'some text' });
    expect(plain(groups.get('control')?.vars)).toEqual({ x: 1 });
    expect(groups.get('site')?.children.map(({ name }) => name)).toEqual(['control']);
    expect(file.hosts[1]?.vars.get('rack')?.at).toEqual({ file: 'hosts', line: 4, column: 18 });
  });

  it.each([
    ['[broken\n', '1:1 malformed section [broken'],
    ['[a:kids]\n', '1:1 section [a:kids]: kids is not known'],
    ['[a]\nnode x\n', '2:6 "x" is not key=value'],
    ['[a]\nnode x="1\n', '2:8 a quote is not closed'],
    ['[a]\nnode[3:1]\n', '2:1 host range [3:1] ends before it begins'],
    ['[a]\nnode[1:99999]\n', '2:1 host range [1:99999] makes more than 10000 hosts'],
    ['[a]\nkey=value\n', '2:1 key=… stands where a host name is expected'],
    ['[a]\n-bad\n', '2:1 "-bad" is not a host name'],
    ['[a:children]\nb\n', '2:1 [a:children]: group b is not defined'],
    ['[nobody:vars]\nx=1\n', '1:1 [nobody:vars]: group nobody is not defined'],
    ['[a:vars]\njust words\n', '2:1 "just words" is not key=value'],
    ['[a]\nn1\n[n1]\n', '2:1 n1 is the name of a host and of a group'],
  ])('%j', (text, expected) => {
    const found = parseInventory(text, 'hosts').diagnostics.map((d) => `${d.at?.line}:${d.at?.column} ${d.message}`);
    expect(found).toContain(expected);
  });

  it('never throws, and problems have places', () => {
    const piece = fc.constantFrom(
      '[',
      ']',
      ':',
      '=',
      '"',
      "'",
      '\\',
      ' ',
      '\n',
      'a',
      '1',
      'children',
      'vars',
      '#',
      '{',
      '(',
      ',',
      'node',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((parts) => parts.join('')),
        ),
        (text) => {
          for (const { at } of parseInventory(text, 'f').diagnostics) expect(at?.line).toBeGreaterThan(0);
        },
      ),
      { numRuns: 500 },
    );
  });
});
