import { describe, expect, it } from 'vitest';
import { DeployError, error, type Result } from '../../../src/core/model/diagnostic.ts';
import { Secret } from '../../../src/core/model/secret.ts';
import type { HelperTable } from '../../../src/core/render/helpers.ts';
import { compileTemplate, renderTemplate, type TemplateOptions } from '../../../src/core/render/template.ts';

function render(text: string, context: object = {}, helpers?: HelperTable, options?: TemplateOptions): Result<string> {
  const template = compileTemplate(text, 'services/x/templates/x.conf.hbs', options);
  return template.ok ? renderTemplate(template.value, context, helpers) : template;
}

function text(...args: Parameters<typeof render>): string {
  const result = render(...args);
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join('; '));
  return result.value;
}

function problem(...args: Parameters<typeof render>): string {
  const [first] = render(...args).diagnostics;
  return first
    ? `${first.at?.line}:${first.at?.column} ${first.message}${first.hint ? ` (${first.hint})` : ''}`
    : 'none';
}

describe('rendering', () => {
  it('does not escape', () => expect(text('{{a}}', { a: `<"&'>` })).toBe(`<"&'>`));
  it.each([
    ['{{eq a "1"}}', 'true'],
    ['{{ne a 1}}', 'false'],
    ['{{#if (and a b)}}y{{else}}n{{/if}}', 'n'],
    ['{{or b "default"}}', 'default'],
    ['{{not b}}', 'true'],
    ['{{bool yes}} {{bool no}}', 'true false'],
    ['{{join list ", "}}', 'x, y'],
    ['{{json map}}', '{"k":[1]}'],
    ['{{add a 2 "3"}}', '6'],
    ['{{concat "p" a (join list)}}', 'p1x,y'],
    ['{{#each list}}{{@index}}{{this}}{{#unless @last}};{{/unless}}{{/each}}', '0x;1y'],
    ['{{#each list as |item i|}}{{item}}{{i}}{{../a}}{{/each}}', 'x01y11'],
    ['{{#each map}}{{@key}}={{json this}}{{/each}}', 'k=[1]'],
    ['{{#with map}}{{k.[0]}}{{@root.a}}{{/with}}', '11'],
    ['{{list.length}}', '2'],
    ['{{empty}}.', '.'],
    ['{{#each empty}}{{else}}none{{/each}}', 'none'],
  ])('%s', (template, expected) => {
    const context = { a: 1, b: '', yes: 'Yes', no: 'no', list: ['x', 'y'], map: { k: [1] }, empty: null };
    expect(text(template, context)).toBe(expected);
  });

  it('evaluates getters only when they are used', () => {
    const seen: string[] = [];
    const context = {
      get a() {
        seen.push('a');
        return 1;
      },
      get b() {
        seen.push('b');
        return 2;
      },
    };
    expect(text('{{a}}{{#if false}}{{b}}{{/if}}', context)).toBe('1');
    expect(seen).toEqual(['a']);
  });

  it('calls the helpers of the caller', () => {
    expect(text('FROM {{parent "base"}}', {}, { parent: (name) => `r/${String(name)}:t` })).toBe('FROM r/base:t');
  });

  it('keeps helpers and variables of one name apart', () => {
    expect(text('{{join}} {{join list}}', { join: 'variable', list: [1] })).toBe('variable 1');
  });

  it('compiles a text once', () => {
    expect(compileTemplate('same {{a}}', 'f')).toBe(compileTemplate('same {{a}}', 'f'));
  });
});

describe('mistakes', () => {
  it.each([
    ['\n  {{magnum_prot}}', '2:5 variable magnum_prot is not defined (did you mean magnum_port?)'],
    ['{{#if missing}}{{/if}}', '1:7 variable missing is not defined'],
    ['{{eq missing 1}}', '1:6 variable missing is not defined'],
    ['{{#each missing}}{{/each}}', '1:9 variable missing is not defined'],
    ['{{map.n.x}}', '1:3 "map.n.x" is not defined: there is no "x" in a number'],
    [
      '{{#each list}}{{magnum_port}}{{/each}}',
      '1:17 "magnum_port" is not defined: there is no "magnum_port" in a string',
    ],
    ['{{joyn list}}', '1:1 there is no helper "joyn" (did you mean join?)'],
    ['{{eq list}}', '1:1 eq needs two values and got 1'],
    ['{{list}}', '1:1 a list cannot be written as text (use {{join list ","}} or {{json list}})'],
    ['{{#each magnum_port}}{{/each}}', '1:9 {{#each}} needs a list or a mapping, not a number'],
    ['{{#eq a 1}}{{/eq}}', '1:1 there is no block {{#eq}} (write {{#if (eq …)}})'],
    ['{{> part}}', '1:1 partials and decorators are not available here'],
    ['{{@nothing}}', '1:3 there is no @nothing (known are @root, @index, @key, @first, @last)'],
    ['{{json list indent=2}}', '1:13 named arguments (indent=…) are not available'],
    ['{{secret}}', '1:1 a secret that has not been revealed would be written here'],
    ['{{json holder}}', '1:1 json was given a secret that has not been revealed'],
    ['{{#if list}}\n{{/each}}', "1:4 if doesn't match each"],
  ])('%s', (template, expected) => {
    const secret = new Secret('hunter2');
    expect(problem(template, { magnum_port: 9511, list: ['x'], map: { n: 1 }, secret, holder: { secret } })).toBe(
      expected,
    );
  });

  it.each([
    ['a\nb {{c', 2],
    ['a\n{{#if x}}\n', 3],
    ['{{x}}\n{{x y)}}', 2],
  ])('%j is a syntax error on line %i', (template, line) => {
    const [first] = render(template, { x: 1 }).diagnostics;
    expect(first?.code).toBe('template-syntax');
    expect(first?.at?.line).toBe(line);
  });

  it.each(['__proto__', 'constructor', 'toString', 'map.constructor', 'map.hasOwnProperty'])(
    'never reads %s',
    (name) => {
      expect(problem(`{{${name}}}`, { map: {} })).toContain('is not defined');
    },
  );

  it('hands on diagnostics of getters unchanged', () => {
    const own = error('undefined-variable', 'no x', { at: { file: 'globals.yml', line: 3, column: 4 } });
    const failing = (thrown: unknown): object => ({
      get v() {
        throw thrown;
      },
    });
    expect(render('{{v}}', failing(new DeployError([own], 3))).diagnostics).toEqual([own]);
    expect(render('{{v}}', failing(Object.assign(new Error('x'), { diagnostic: own }))).diagnostics).toEqual([own]);
  });
});

describe('ini format', () => {
  it('makes a line break in a value a continuation', () => {
    expect(text('k = {{v}}\n', { v: 'a\r\n[section]\n\nx = 1\n' }, {}, { format: 'ini' })).toBe(
      'k = a\n    [section]\n    x = 1\n',
    );
  });
  it('inserts {{{ }}} as it is', () => expect(text('{{{v}}}', { v: 'a\nb' }, {}, { format: 'ini' })).toBe('a\nb'));
});
