import { describe, expect, it } from 'vitest';
import { parseInventory } from '../../../src/core/schema/inventory.ts';
import { parseYaml } from '../../../src/core/schema/yaml.ts';
import { matchHosts } from '../../../src/core/site/host-pattern.ts';
import { type Inventory, mergeInventory } from '../../../src/core/site/inventory.ts';

function yaml(text: string, file: string) {
  const document = parseYaml(text, file);
  if (!document.ok) throw new Error(JSON.stringify(document.diagnostics));
  return document.value;
}

function merge(texts: string[], groupVars: Record<string, string> = {}, hostVars: Record<string, string> = {}) {
  const files = texts.map((text, i) => {
    const file = parseInventory(text, `hosts${i}`);
    if (!file.ok) throw new Error(JSON.stringify(file.diagnostics));
    return file.value;
  });
  return mergeInventory(files, {
    groupVars: Object.entries(groupVars).map(([group, text]) => ({
      group,
      document: yaml(text, `group_vars/${group}`),
    })),
    hostVars: Object.entries(hostVars).map(([host, text]) => ({ host, document: yaml(text, `host_vars/${host}`) })),
  });
}

function inventoryOf(text: string): Inventory {
  const merged = merge([text]);
  if (!merged.ok) throw new Error(JSON.stringify(merged.diagnostics));
  return merged.value;
}

describe('inventories', () => {
  it('resolves descendants, in inventory order', () => {
    const inventory = inventoryOf('n2\n[b]\nn3\nn1\n[a]\nn1\nn2\n[both:children]\na\nb\n');
    expect(inventory.groups.get('both')?.hosts).toEqual(['n2', 'n3', 'n1']);
    expect(inventory.groups.get('all')?.hosts).toEqual(['n2', 'n3', 'n1']);
    expect(inventory.groups.get('ungrouped')?.hosts).toEqual([]);
    expect(inventory.groups.get('a')?.parents).toEqual(['both']);
    expect(inventory.hosts.get('n1')?.groups).toEqual(['all', 'both', 'a', 'b']);
  });

  it('orders layers as Ansible does: all, groups by depth and name, host', () => {
    const merged = merge(
      [
        '[child]\nn1 v=host\n[parent:children]\nchild\n[zz]\nn1\n[all:vars]\nv=allsection\n[child:vars]\nv=childsection\n',
      ],
      { all: 'v: allfile\n', parent: 'v: parentfile\n', zz: 'v: zzfile\n' },
      { n1: 'v: hostfile\n' },
    );
    if (!merged.ok) throw new Error('merge');
    expect(merged.value.hosts.get('n1')?.vars.map(({ values }) => values.get('v')?.value)).toEqual([
      'allsection',
      'allfile',
      'childsection',
      'parentfile',
      'zzfile',
      'host',
      'hostfile',
    ]);
  });

  it('takes several files as one', () => {
    const merged = merge(['[a]\nn1 x=1\n', '[a]\nn2\nn1 x=2\n']);
    if (!merged.ok) throw new Error('merge');
    expect(merged.value.groups.get('a')?.hosts).toEqual(['n1', 'n2']);
    expect(merged.value.hosts.get('n1')?.vars[0]?.values.get('x')?.value).toBe(2);
  });

  it('reports a cycle with its chain, and variables of nobody', () => {
    const cycle = merge(['[a:children]\nb\n[b:children]\nc\n[c:children]\na\n']);
    expect(cycle.diagnostics.map(({ message }) => message)).toEqual(['groups contain each other: a → b → c → a']);
    const unused = merge(['[a]\nn1\n'], { aa: 'x: 1\n' });
    expect(unused.diagnostics[0]).toMatchObject({ severity: 'warning', at: { file: 'group_vars/aa' } });
  });
});

describe('--limit', () => {
  const inventory = inventoryOf(
    '[control]\nnode1\nnode2\nnode3\n[compute]\nc[01:04]\n[site:children]\ncontrol\ncompute\n',
  );
  it.each([
    ['node2', 'node2'],
    ['control', 'node1 node2 node3'],
    ['all:!compute', 'node1 node2 node3'],
    ['node*', 'node1 node2 node3'],
    ['c0?', 'c01 c02 c03 c04'],
    ['node3,node1', 'node1 node3'],
    ['site:&control:!node2', 'node1 node3'],
    ['!control', 'c01 c02 c03 c04'],
    ['comp*:!c01', 'c02 c03 c04'],
  ])('%s', (pattern, expected) => {
    const found = matchHosts(pattern, inventory);
    expect(found.ok && found.value.join(' ')).toBe(expected);
  });

  it.each([
    ['nod1', 'no host or group matches nod1', 'did you mean node1'],
    ['control:contrl', 'no host or group matches contrl', 'did you mean control?'],
    ['x*', 'no host or group matches x*', ''],
    ['control:!control', 'leaves no host', ''],
    ['', 'leaves no host', ''],
    ['control:!nobody', 'no host or group matches nobody', ''],
  ])('%s is an error', (pattern, message, hint) => {
    const [problem] = matchHosts(pattern, inventory).diagnostics;
    expect(problem?.message).toContain(message);
    expect(problem?.hint).toContain(hint);
  });
});
