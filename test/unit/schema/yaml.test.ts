import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../../src/core/model/diagnostic.ts';
import { parseYaml, type YamlDocument } from '../../../src/core/schema/yaml.ts';

function read(text: string): YamlDocument {
  const result = parseYaml(text, 'a.yml');
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnostic).join('\n'));
  return result.value;
}

function problems(text: string): string[] {
  return parseYaml(text, 'a.yml').diagnostics.map((d) => `${d.at?.line}:${d.at?.column} ${d.message}`);
}

describe('values as Ansible reads them', () => {
  it.each([
    ['yes', true],
    ['Off', false],
    ['"no"', 'no'],
    ['y', 'y'],
    ['0644', 0o644],
    ['0899', '0899'],
    ['10:30', '10:30'],
    ['2025-01-01', '2025-01-01'],
    ['2025.1', 2025.1],
    ['1e3', '1e3'],
    ['12345678901234567890', '12345678901234567890'],
    ['~', null],
    ['', null],
    ['-0x10', -16],
    ['!unsafe "{{ x }}"', '{{ x }}'],
  ])('%s', (text, expected) => {
    expect(read(`a: ${text}\n`).value).toEqual({ a: expected });
  });

  it('keys stay as written, merges and aliases work', () => {
    expect(read('on: 1\nyes: 2\n1: 3\n').value).toEqual({ on: 1, yes: 2, '1': 3 });
    expect(read('a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n').value).toEqual({
      a: { x: 1, y: 2 },
      b: { x: 1, y: 3 },
      c: { x: 1, y: 2 },
    });
  });

  it('takes BOM and CRLF, and nothing at all', () => {
    expect(read('\uFEFFa: 1\r\nb: x\r\n').value).toEqual({ a: 1, b: 'x' });
    expect([read('').value, read('# only\n---\n').value]).toEqual([null, null]);
  });
});

describe('places', () => {
  const document = read('a: 1\nb:\n  - x: "quoted"\n  - |\n    block\n  - &n plain\nc: *n\n');
  it.each([
    [['a'], '1:4', '1:1', '1:4'],
    [['b', 0, 'x'], '3:8', '3:5', '3:9'],
    [['b', 1], '4:5', '4:5', '5:5'],
    [['c'], '7:4', '7:1', '7:4'],
    [['b', 0, 'nothing'], '3:5', '3:5', '3:5'],
  ] as const)('%j', (path, value, key, text) => {
    const format = (at: { line: number; column: number }) => `${at.line}:${at.column}`;
    expect([document.spanAt(path), document.keyAt(path), document.textAt(path)].map(format)).toEqual([
      value,
      key,
      text,
    ]);
  });
});

describe('malformed', () => {
  it.each([
    ['a: 1\na: 2\n', ['2:1 key a appears twice; the first is in line 1']],
    ['a: [1\nb: 2\n', 1],
    ['a:\n\t- 1\n', 1],
    ['a: "x\n', 1],
    ['a: *nowhere\n', 1],
    ['a: 1\n---\nb: 2\n', 1],
    ['a: !vault |\n  $ANSIBLE_VAULT;1.1\n', ['1:11 a: values encrypted with !vault are not supported']],
    ['a: !other x\n', ['1:11 a: tag !other is not known']],
    ['? [1, 2]\n: 3\n', ['1:3 a key must be plain text']],
    ['a: &a [*a]\n', 1],
    ['"a": 1\nb: 2\n"a": 3\nb: 4\n', 2],
  ] as [string, string[] | number][])('%j', (text, expected) => {
    const found = problems(text);
    if (typeof expected === 'number') expect(found.length).toBeGreaterThanOrEqual(expected);
    else expect(found).toEqual(expected);
  });

  it('stops alias bombs, deep nesting and huge files', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`,
    );
    expect(problems(`l0: &l0 x\n${levels.join('\n')}\n`).join()).toMatch(/alias bomb/);
    expect(problems('['.repeat(200) + ']'.repeat(200)).join()).toMatch(/nested/);
    expect(problems('['.repeat(50_000)).join()).toMatch(/nested|Flow/);
    expect(problems('x'.repeat(5_000_000)).join()).toMatch(/characters/);
  });

  it('any text gives a value or problems with places', () => {
    const piece = fc.constantFrom(
      'a',
      ': ',
      '\n',
      '  ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '&x',
      '*x',
      '|',
      '!t ',
      '#',
      ',',
      '\t',
      '<<: ',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((parts) => parts.join('')),
        ),
        (text) => {
          const result = parseYaml(text, 'f');
          for (const d of result.diagnostics) expect(d.at?.line).toBeGreaterThan(0);
          expect(result.ok || result.diagnostics.length > 0).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});
