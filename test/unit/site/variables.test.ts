import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInventory } from '../../../src/core/schema/inventory.ts';
import { parseYaml } from '../../../src/core/schema/yaml.ts';
import { type Inventory, mergeInventory } from '../../../src/core/site/inventory.ts';
import { documentEntries, type VariableLayer } from '../../../src/core/site/layers.ts';
import { VariableError } from '../../../src/core/site/variable-error.ts';
import { createScopes, type Scope } from '../../../src/core/site/variables.ts';

const at = { file: 'here.yml', line: 1, column: 1 };

function inventoryOf(text: string): Inventory {
  const file = parseInventory(text, 'hosts');
  if (!file.ok) throw new Error(JSON.stringify(file.diagnostics));
  const merged = mergeInventory([file.value], { groupVars: [], hostVars: [] });
  if (!merged.ok) throw new Error(JSON.stringify(merged.diagnostics));
  return merged.value;
}

const threeNodes = inventoryOf(
  '[control]\nnode1 rack=1 ip=10.0.0.1\nnode2 rack=2\nnode3 rack=3\n[magnum:children]\ncontrol\n',
);

function layer(name: string, text: string): VariableLayer {
  const document = parseYaml(text, name);
  if (!document.ok) throw new Error(JSON.stringify(document.diagnostics));
  return { name, values: documentEntries(document.value) };
}

function scopeWith(text: string, host = 'node1', secrets: readonly string[] = []): Scope {
  const globals = layer('globals.yml', text);
  return createScopes({
    inventory: threeNodes,
    layersFor: (name) => [...(threeNodes.hosts.get(name)?.vars ?? []), globals],
    secretValues: () => secrets,
  }).scope(host);
}

function problemOf(run: () => unknown): string {
  try {
    const value = run();
    return `no problem: ${JSON.stringify(value)}`;
  } catch (cause) {
    if (!(cause instanceof VariableError)) throw cause;
    const { at: place, message, hint } = cause.diagnostic;
    return `${place?.file}:${place?.line}:${place?.column} ${message}${hint ? ` (${hint})` : ''}`;
  }
}

const variables = `
a: 1
spoken: "yes"
flag: true
off: no
text: word
list: [1, 2, x]
map: {z: 1, k: {inner: deep}, ref: "{{ text }}"}
nothing: null
alias: "{{ map }}"
address: 10.0.0.1
six: fd00::1
`;

describe('expressions', () => {
  const table: [string, unknown][] = [
    ['plain', 'plain'],
    ['{ not: a template }', '{ not: a template }'],
    ['{{ a }}', 1],
    ['{{ flag }}', true],
    ['{{ list }}', [1, 2, 'x']],
    ['{{ map.k.inner }}', 'deep'],
    ["{{ map['k']['inner'] }}", 'deep'],
    ['{{ list[2] }}', 'x'],
    ['{{ alias.ref }}', 'word'],
    ['{{ nothing }}', null],
    ['{{ none }}', null],
    ['{{ a + 1 }}', 2],
    ['{{ a == 1 }}', true],
    ['{{ a }}-{{ flag }}-{{ nothing }}', '1-True-None'],
    ['{{ text ~ "/" ~ a }}', 'word/1'],
    ['{{ missing | default("d") }}', 'd'],
    ['{{ missing.deep.er | default("d") }}', 'd'],
    ['{{ (missing) | default("d") }}', 'd'],
    ['{{ map.none_such | default("d") }}', 'd'],
    ['{{ missing is defined }}', false],
    ['{{ missing is not defined }}', true],
    ['{{ a if missing is defined else "other" }}', 'other'],
    ['{{ a if flag else missing }}', 1],
    ['{{ "yes" if spoken | bool else "no" }}', 'yes'],
    ['{{ "5" | int + 1 }}', 6],
    ['{{ "x" | int(7) }}', 7],
    ['{{ text | upper }}', 'WORD'],
    ['{{ list | join(",") }}', '1,2,x'],
    ['{{ [true, false] | join(" ") }}', 'True False'],
    ['{{ {"a": [1, true]} | to_json }}', '{"a": [1, true]}'],
    ['{{ \'{"a": {"b": 1}}\' | from_json }}', { a: { b: 1 } }],
    ['{{ "node-01" | regex_replace("^node-(\\\\d+)$", "n\\\\1") }}', 'n01'],
    ['{{ "héllo" | b64encode | b64decode }}', 'héllo'],
    ['{{ "a,b" | split(",") }}', ['a', 'b']],
    ['{{ flag | ternary("on", "off") }}', 'on'],
    ['{{ {"a": {"x": 1}} | combine({"a": {"y": 2}}, recursive=True) }}', { a: { x: 1, y: 2 } }],
    ['{{ {"a": {"x": 1}} | combine({"a": {"y": 2}}) }}', { a: { y: 2 } }],
    ['{{ [3, 1, 3] | unique | list }}', [3, 1]],
    ['{{ [1, 2, 3] | difference([2]) }}', [1, 3]],
    ['{{ six | put_address_in_context("url") }}', '[fd00::1]'],
    ['{{ address | put_address_in_context("url") }}', '10.0.0.1'],
    ['{{ "x" in list }}', true],
    ['{{ 4 not in list }}', true],
    ['{{ text is match("wo") }}', true],
    ['{{ [{"n": 1}, {"n": 2}] | map(attribute="n") | list }}', [1, 2]],
    ['{% if flag %}on{% else %}{{ missing }}{% endif %}', 'on'],
    ['{% for x in list %}{{ x }};{% endfor %}', '1;2;x;'],
    ['{% set b = a + 1 %}{{ b }}{{ flag }}', '2True'],
    ['{% raw %}{{ a }}{% endraw %}', '{{ a }}'],
    ['a {# comment #}b', 'a b'],
    ['x {{- a -}} y', 'x1y'],
    ["{{ '}}' }}", '}}'],
    ['{{ inventory_hostname }}/{{ ansible_host }}', 'node1/node1'],
    ['{{ group_names }}', ['control', 'magnum']],
    ['{{ groups["magnum"] }}', ['node1', 'node2', 'node3']],
    ['{{ groups["control"] | length }}', 3],
    ['{{ groups["control"][0] == inventory_hostname }}', true],
    ['{{ hostvars["node2"].rack }}', 2],
    ['{{ hostvars[inventory_hostname]["rack"] }}', 1],
    ['{{ hostvars[groups["control"][1]].rack }}', 2],
    ['{{ groups["control"] | map("extract", hostvars, "rack") | list }}', [1, 2, 3]],
    ['{% for h in groups["control"] %}{{ hostvars[h].rack }}{% if not loop.last %},{% endif %}{% endfor %}', '1,2,3'],
    ['{{ "%s-%s" | format(a, text) }}', '1-word'],
    ['{{ text.upper() }}', 'WORD'],
    ['{{ map.get("zz", "d") }}', 'd'],
    ['line\n{{ a }}\n', 'line\n1\n'],
  ];
  const scope = scopeWith(variables);
  it.each(table)('%s', (text, expected) => {
    expect(scope.evaluate(text, at)).toEqual(expected);
  });

  it('keeps the order of keys and goes into lists and maps', () => {
    expect(Object.keys(scope.get('alias') as object)).toEqual(['z', 'k', 'ref']);
    expect(scope.evaluate([{ x: ['{{ a }}', 'n{{ a }}'] }], at)).toEqual([{ x: [1, 'n1'] }]);
  });
});

describe('errors', () => {
  const table: [string, string][] = [
    ['{{ tex }}', 'here.yml:1:4 variable tex is not defined (did you mean text?)'],
    ['ab\n  {{ tex }}', 'here.yml:2:6 variable tex is not defined (did you mean text?)'],
    ['{{ "a" ~ tex }}', 'here.yml:1:10 variable tex is not defined (did you mean text?)'],
    ['{{ [tex] }}', 'here.yml:1:5 variable tex is not defined (did you mean text?)'],
    ['{{ tex | upper }}', 'here.yml:1:4 variable tex is not defined (did you mean text?)'],
    ['{{ tex | string }}', 'here.yml:1:4 variable tex is not defined (did you mean text?)'],
    ['{{ "x" if tex else "y" }}', 'here.yml:1:11 variable tex is not defined (did you mean text?)'],
    ['{{ map.zz ~ "" }}', 'here.yml:1:4 map.zz is not defined (map is defined, but has nothing of that name)'],
    ['{% if flag %}{{ tex }}{% endif %}', 'here.yml:1:17 variable tex is not defined (did you mean text?)'],
    ['{{ a', 'here.yml:1:1 malformed expression: {{ is not closed with }}'],
    ['{{ }}', 'here.yml:1:1 malformed expression: an empty expression'],
    ['{{ "a }}', 'here.yml:1:4 malformed expression: unexpected quote'],
    ['{{ a $ b }}', 'here.yml:1:6 malformed expression: unexpected $'],
  ];
  it.each(table)('%s', (text, expected) => {
    expect(problemOf(() => scopeWith(variables).evaluate(text, at))).toBe(expected);
  });

  it.each(['{{ a b }}', '{{ a | nofilter }}', '{{ nofunction() }}', '{{ a is nonsense }}', '{{ a + }}', '{% if %}'])(
    'words of the engine: %s',
    (text) => {
      expect(problemOf(() => scopeWith(variables).evaluate(text, at))).toMatch(
        /^here\.yml:1:\d+ the expression cannot/,
      );
    },
  );

  it.each([
    '{{ "x" | from_json }}',
    '{{ "?" | b64decode }}',
    '{{ 1 | combine({}) }}',
    '{{ "a" | regex_replace("(", "") }}',
  ])('a filter that cannot is an error and the engine lives on: %s', (text) => {
    const scope = scopeWith(variables);
    expect(problemOf(() => scope.evaluate(text, at))).toMatch(/filter \w+/);
    expect(scope.evaluate('{{ a + 1 }}', at)).toBe(2);
  });

  it('names the chain of a cycle', () => {
    const scope = scopeWith('x: "{{ y }}"\ny: "{{ z }}/1"\nz: "{{ x }}"\n');
    expect(problemOf(() => scope.get('x'))).toBe('globals.yml:1:5 variables need each other: x → y → z → x');
    expect(problemOf(() => scope.get('z'))).toBe('globals.yml:3:5 variables need each other: z → x → y → z');
  });

  it('does not mind a cycle in a branch that is not taken', () => {
    const scope = scopeWith('x: "{{ 1 if true else y }}"\ny: "{{ x + 1 }}"\n');
    expect(scope.get('x')).toBe(1);
    expect(scope.get('y')).toBe(2);
  });

  it('gives the place of the name that is missing, however far away it was asked for', () => {
    const scope = scopeWith('top: "{{ middle }}"\nmiddle: >-\n  some\n  {{ nowhere }}\n');
    expect(problemOf(() => scope.get('top'))).toBe(
      'globals.yml:3:11 variable nowhere is not defined (set nowhere in globals.yml)',
    );
    expect(problemOf(() => scope.get('nothing_here', at))).toBe(
      'here.yml:1:1 variable nothing_here is not defined (set nothing_here in globals.yml)',
    );
  });

  it('default is for missing names, not for broken ones', () => {
    const scope = scopeWith('broken: "{{ 1 + }}"\nunset: "{{ nowhere }}"\n');
    expect(scope.evaluate('{{ unset | default(1) }}', at)).toBe(1);
    expect(problemOf(() => scope.evaluate('{{ broken | default(1) }}', at))).toMatch(/^globals\.yml:1:/);
  });

  it('a chain of variables that is too long is an error, not a crash', () => {
    const lines = Array.from({ length: 3000 }, (_, i) => `v${i}: "{{ v${i + 1} }}"`);
    expect(problemOf(() => scopeWith(`${lines.join('\n')}\nv3000: 1\n`).get('v0'))).toContain(
      'too many other variables',
    );
    const long = `{{ a${' | upper'.repeat(5000)} }}`;
    expect(problemOf(() => scopeWith(variables).evaluate(long, at))).toContain('more than');
  });

  it('a result that is too large breaks nothing else', () => {
    const scope = scopeWith(variables);
    expect(problemOf(() => scope.evaluate('{{ "a" * 1000000000 }}', at))).toContain(
      'too complex, or its result too large',
    );
    expect(scope.evaluate('{{ a + 1 }}', at)).toBe(2);
  });

  it('knows names of one value alone', () => {
    const scope = scopeWith(variables);
    expect(scope.evaluate('{{ name }}-{{ a }}', at, { name: 'x', a: 'local' })).toBe('x-local');
  });

  it('never says a secret', () => {
    const scope = scopeWith('p: s3cr3t\nbad: "{{ lookup(\'s3cr3t\') }}{{ unknown_s3cr3t() }}"\n', 'node1', ['s3cr3t']);
    expect(problemOf(() => scope.get('bad'))).not.toContain('s3cr3t');
    expect(problemOf(() => scope.boolean('{{ p }}', at))).toBe(
      'globals.yml:1:4 p must be yes or no, not another text (write true or false (yes, no, on, off are understood too))',
    );
  });
});

describe('scope', () => {
  it('does not render a result again', () => {
    const scope = scopeWith('a: !unsafe "{{ b }}"\nc: "{{ a }}"\nd: "x{{ a }}"\ne: "{{ [a] | first }}"\n');
    expect([scope.get('a'), scope.get('c'), scope.get('d'), scope.get('e')]).toEqual([
      '{{ b }}',
      '{{ b }}',
      'x{{ b }}',
      '{{ b }}',
    ]);
  });

  it('is per host', () => {
    expect(scopeWith('r: "rack{{ rack }}"', 'node3').get('r')).toBe('rack3');
  });

  it.each([
    ['yes', true],
    ['No', false],
    ['on', true],
    ['{{ flag }}', true],
    [true, true],
    [0, false],
    ['False', false],
  ])('boolean %s', (value, expected) => {
    expect(scopeWith(variables).boolean(value, at)).toBe(expected);
  });

  it('tells every layer that set a name', () => {
    const scope = scopeWith('rack: 9\n');
    expect(scope.get('rack')).toBe(9);
    expect(scope.origin('rack')).toMatchObject({
      at: { file: 'globals.yml', line: 1, column: 7 },
      layers: [
        { name: 'inventory host node1', value: 1 },
        { name: 'globals.yml', value: 9 },
      ],
    });
    expect(scope.origin('no')).toBeUndefined();
    expect(scope.names()).toContain('group_names');
  });
});

describe('properties', () => {
  it('text without braces is itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!/\{[{%#]/.test(text));
        expect(scopeWith('').evaluate(text, at)).toBe(text);
      }),
    );
  });

  it('any text goes through a variable unchanged, whatever it looks like', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const scope = createScopes({
          inventory: threeNodes,
          layersFor: () => [{ name: 'x', values: new Map([['v', { value: text, at, isPlain: () => true }]]) }],
        }).scope('node1');
        expect(scope.evaluate('{{ v }}', at)).toBe(text);
        expect(scope.evaluate('<{{ v }}>', at)).toBe(`<${text}>`);
        expect(scope.evaluate('{{ [v] | first }}', at)).toBe(text);
      }),
      { numRuns: 50 },
    );
  });

  it('random expressions give a value or a VariableError with a place', () => {
    const scope = scopeWith(variables);
    const word = fc.constantFrom(
      ...'a text list map missing ( ) [ ] { } | ~ + - * / . , : == if else and or not in is defined default upper join "x" \'y\' 1 2 0 %} {% }} for set hostvars groups'.split(
        ' ',
      ),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), fc.boolean(), (words, statement) => {
        const text = statement ? `{% ${words.join(' ')} %}{{ a }}` : `{{ ${words.join(' ')} }}`;
        try {
          scope.evaluate(text, at);
        } catch (cause) {
          expect(cause).toBeInstanceOf(VariableError);
          expect((cause as VariableError).diagnostic.at).toBeDefined();
        }
        expect(scope.evaluate('{{ a + 1 }}', at)).toBe(2);
      }),
      { numRuns: 1000 },
    );
  });
});
