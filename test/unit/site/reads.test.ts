import { describe, expect, it } from 'vitest';
import { parseInventory } from '../../../src/core/schema/inventory.ts';
import { parseYaml } from '../../../src/core/schema/yaml.ts';
import { mergeInventory } from '../../../src/core/site/inventory.ts';
import { documentEntries } from '../../../src/core/site/layers.ts';
import { type ReadVariable, withTheirReads } from '../../../src/core/site/reads.ts';
import { createScopes } from '../../../src/core/site/variables.ts';

const at = { file: 'here.yml', line: 1, column: 1 };

const globals = `
port: 5672
address: "{{ ip }}:{{ port }}"
url: "tcp://{{ address }}"
all: "{% for host in groups['control'] %}{{ hostvars[host].address }} {% endfor %}"
maybe: "{{ nowhere | default('x') }}"
either: "{{ port if flag else ip }}"
flag: yes
unused: "{{ port }}"
twice: "{{ url }}{{ url }}"
`;

function scopes() {
  const file = parseInventory('[control]\nnode1 ip=10.0.0.1\nnode2 ip=10.0.0.2\n', 'hosts');
  const document = parseYaml(globals, 'globals.yml');
  if (!file.ok || !document.ok) throw new Error('the fixture is broken');
  const inventory = mergeInventory([file.value], { groupVars: [], hostVars: [] });
  if (!inventory.ok) throw new Error('the fixture is broken');
  const layer = { name: 'globals.yml', values: documentEntries(document.value) };
  return createScopes({
    inventory: inventory.value,
    layersFor: (host) => [...(inventory.value.hosts.get(host)?.vars ?? []), layer],
  });
}

const names = (variables: Iterable<ReadVariable>) => [...variables].map(({ host, name }) => `${name}@${host}`).sort();

function readBy(text: string, prepare: readonly string[] = []) {
  const scope = scopes().scope('node1');
  for (const name of prepare) scope.get(name);
  const { reads } = scope.used(() => scope.evaluate(text, at));
  return { direct: names(reads), all: names(withTheirReads(reads)) };
}

describe('what a piece of work reads', () => {
  it('is what its expressions name, and behind that what those were made from', () => {
    const wanted = { direct: ['url@node1'], all: ['address@node1', 'ip@node1', 'port@node1', 'url@node1'] };
    expect(readBy('{{ url }}')).toEqual(wanted);
    expect(readBy('{{ twice }}').all).toEqual([...wanted.all, 'twice@node1'].sort());
  });

  it('is the same when the values were worked out before, for others', () => {
    for (const text of ['{{ url }}', '{{ all }}', '{{ maybe }}'])
      expect(readBy(text, ['unused', 'all', 'url', 'twice', 'maybe'])).toEqual(readBy(text));
  });

  it('counts variables of other hosts as theirs', () => {
    expect(readBy('{{ all }}').all).toEqual(
      ['address', 'ip', 'port']
        .flatMap((name) => [`${name}@node1`, `${name}@node2`])
        .concat('all@node1', 'groups@node1')
        .sort(),
    );
  });

  it('counts a name without value, which somebody may set one day', () => {
    expect(readBy('{{ maybe }}').all).toEqual(['maybe@node1', 'nowhere@node1']);
    expect(readBy('{{ gone is defined }}').direct).toEqual(['gone@node1']);
  });

  it('counts both branches of a condition', () => {
    expect(readBy('{{ either }}').all).toEqual(['either@node1', 'flag@node1', 'ip@node1', 'port@node1']);
  });

  it('leaves out what is known to this text alone, and what work inside it reads for itself', () => {
    const scope = scopes().scope('node1');
    expect(names(scope.used(() => scope.evaluate('{{ port }}', at, { port: 1 })).reads)).toEqual([]);
    const outer = scope.used(() => {
      scope.get('flag');
      return names(scope.used(() => scope.get('port')).reads);
    });
    expect(outer.value).toEqual(['port@node1']);
    expect(names(outer.reads)).toEqual(['flag@node1']);
  });

  it('goes on being noted after an error', () => {
    const scope = scopes().scope('node1');
    const { reads } = scope.used(() => {
      expect(() => scope.evaluate('{{ no_such }}', at)).toThrow('no_such');
      return scope.get('port');
    });
    expect(names(reads)).toEqual(['no_such@node1', 'port@node1']);
  });
});
