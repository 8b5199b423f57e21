import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IniFile, mergeIni, parseIni, writeIni } from '../../../src/core/render/ini.ts';

function parsed(text: string): IniFile {
  const result = parseIni(text, 'x.conf');
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join('; '));
  return result.value;
}

/** Plain form for comparisons: [section, key, values…]. */
function flat(ini: IniFile): string[][] {
  return ini.sections.flatMap((s) => s.options.map((o) => [s.name, o.key, ...o.values]));
}

function merged(...texts: string[]): string {
  const result = mergeIni(texts.map((text, index) => ({ text, file: `${index}.conf` })));
  if (!result.ok) throw new Error('cannot be merged');
  return writeIni(result.value);
}

describe('parseIni', () => {
  it.each<[string, string, string[][]]>([
    [
      'colon or equals, whichever is first',
      'a: b=c\nd = e:f',
      [
        ['', 'a', 'b=c'],
        ['', 'd', 'e:f'],
      ],
    ],
    [
      'quotes',
      `a = "x y"\nb = 'z'\nc = "x'\nd = "a", "b"`,
      [
        ['', 'a', 'x y'],
        ['', 'b', 'z'],
        ['', 'c', `"x'`],
        ['', 'd', 'a", "b'],
      ],
    ],
    [
      'continuation',
      '[s]\na = x\n  y\n\tz\nb =\n  w',
      [
        ['s', 'a', 'x\ny\nz'],
        ['s', 'b', '\nw'],
      ],
    ],
    [
      'repeated keys and sections',
      '[s]\na = 1\n[t]\nb = 2\n[s]\na = 3',
      [
        ['s', 'a', '1', '3'],
        ['t', 'b', '2'],
      ],
    ],
    ['comments', '# x\n; y\na = b # c', [['', 'a', 'b # c']]],
    ['byte order mark and CRLF', '\uFEFF[s]\r\na = 1\r\n', [['s', 'a', '1']]],
  ])('%s', (_name, text, expected) => expect(flat(parsed(text))).toEqual(expected));

  it('reports every error of the file at its place', () => {
    const result = parseIni('  stray\n[open\n[]\nnonsense\n  more\n= x\n[ok]\na = 1\n\n  late', 'x.conf');
    expect(result.diagnostics.map((d) => `${d.at?.file}:${d.at?.line}:${d.at?.column} ${d.message}`)).toEqual([
      'x.conf:1:3 an indented line with no key above it to continue',
      'x.conf:2:6 the section header has no closing bracket',
      'x.conf:3:1 the section header has no name',
      'x.conf:4:1 expected "key = value"',
      'x.conf:6:1 the key before "=" is missing',
      'x.conf:10:3 an indented line with no key above it to continue',
    ]);
  });
});

describe('mergeIni and writeIni', () => {
  it('replaces the whole list of a key and keeps the order of first appearance', () => {
    const template = 'top = 1\n[DEFAULT]\ndebug = False\nurl = a\nurl = b\n[database]\nconnection = x\n  y\n';
    const override = '[new]\nk =\n[DEFAULT]\nurl = c\nextra = 1\n';
    expect(merged(template, override)).toBe(
      'top = 1\n\n[DEFAULT]\ndebug = False\nurl = c\nextra = 1\n\n[database]\nconnection = x\n             y\n\n[new]\nk =\n\n',
    );
  });

  it('reports errors of all files', () => {
    const result = mergeIni([
      { text: 'bad', file: 'a' },
      { text: 'worse', file: 'b' },
    ]);
    expect(result.diagnostics.map((d) => d.at?.file)).toEqual(['a', 'b']);
  });

  const key = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,12}$/);
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_:. -]{0,12}$/).filter((s) => s.trim() === s);
  const line = fc.string({ unit: 'grapheme' }).filter((s) => !/[\r\n]/.test(s));
  const awkward = fc.oneof(line, fc.constantFrom('"', `'`, '""', `"a"`, ' a ', '[s]', '# c', 'a = b', '=', ''));
  const file: fc.Arbitrary<IniFile> = fc
    .uniqueArray(
      fc.record({
        name,
        options: fc.uniqueArray(fc.record({ key, values: fc.array(awkward, { minLength: 1, maxLength: 3 }) }), {
          selector: (o) => o.key,
        }),
      }),
      { selector: (s) => s.name, maxLength: 4 },
    )
    .map((sections) => ({ sections }));

  it('reads back exactly what it wrote', () => {
    fc.assert(
      fc.property(file, (ini) => {
        expect(parsed(writeIni(ini))).toEqual(ini);
      }),
    );
  });

  it('is stable: writing what was read from its own output changes nothing', () => {
    fc.assert(
      fc.property(file, (ini) => {
        expect(merged(writeIni(ini))).toBe(writeIni(ini));
      }),
    );
  });

  it('never lets a value start a key or a section', () => {
    const hostile = fc
      .array(fc.oneof(awkward, fc.constantFrom('\n', '\r', '\r\n', '\n[x]\n', '\nk = v')))
      .map((p) => p.join(''));
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 3 }), (values) => {
        const ini = parsed(writeIni({ sections: [{ name: 's', options: [{ key: 'k', values }] }] }));
        expect(ini.sections.map((s) => s.name)).toEqual(['s']);
        expect(ini.sections[0]?.options.map((o) => o.key)).toEqual(['k']);
        expect(ini.sections[0]?.options[0]?.values).toHaveLength(values.length);
      }),
    );
  });

  it('merging a file with itself is the file', () => {
    fc.assert(
      fc.property(file, (ini) => {
        expect(merged(writeIni(ini), writeIni(ini))).toBe(writeIni(ini));
      }),
    );
  });

  it.each(['a=b', '[x', '#c', 'a\nb', '', ' a'])('refuses the key %j', (bad) => {
    expect(() => writeIni({ sections: [{ name: '', options: [{ key: bad, values: [''] }] }] })).toThrow(
      'cannot be a key',
    );
  });
});
