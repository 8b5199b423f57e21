import { describe, expect, it } from 'vitest';
import { error, formatDiagnostic, warning } from '../../../src/core/model/diagnostic.ts';
import { condense } from '../../../src/report/diagnostics.ts';

const at = (file: string, line = 1) => ({ file, line, column: 1 });

function shown(...list: Parameters<typeof condense>[0][number][]): string[] {
  return condense(list).map(formatDiagnostic);
}

describe('condense', () => {
  it('names the hosts of one problem together, whatever lies between', () => {
    const key = (host: string) => error('key-file', 'no key', { host, hint: 'name one' });
    expect(shown(key('b'), error('x', 'other', { host: 'a' }), key('a'))).toEqual([
      'error: a, b: no key\n    name one',
      'error: a: other',
    ]);
  });

  it('counts hosts beyond the eighth', () => {
    const many = Array.from({ length: 30 }, (_, i) => error('x', 'no', { host: `n${String(i).padStart(2, '0')}` }));
    expect(shown(...many)).toEqual(['error: n00, n01, n02, n03, n04, n05, n06, n07 and 22 others: no']);
  });

  it('names the first place and counts the others; suggestions come from what knows the host', () => {
    const missing = (where: string, host?: string, hint?: string) =>
      error('undefined-variable', 'variable x is not defined', { at: at(where), host, hint });
    expect(
      shown(missing('a.hbs', undefined, 'did you mean y?'), missing('b', 'n1', 'set x'), missing('c', 'n2')),
    ).toEqual(['a.hbs:1:1: error: n1, n2: variable x is not defined (here and at 2 other places)\n    set x']);
  });

  it('keeps apart what differs in severity, message or hint', () => {
    expect(shown(error('x', 'm'), warning('x', 'm'), error('x', 'n'), error('x', 'm', { hint: 'h' }))).toHaveLength(4);
  });

  it('lists empty passwords once, without hosts', () => {
    const empty = (name: string, host: string) =>
      error('empty-password', `passwords.yml: ${name} is empty`, { at: at('p.yml'), host, hint: 'run deploy genpwd' });
    expect(
      shown(empty('b_password', 'n1'), error('x', 'm'), empty('a_password', 'n2'), empty('b_password', 'n2')),
    ).toEqual([
      'p.yml:1:1: error: these passwords are empty: a_password, b_password\n    run deploy genpwd',
      'error: m',
    ]);
  });
});
