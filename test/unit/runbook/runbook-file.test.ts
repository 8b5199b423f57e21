import { describe, expect, it } from 'vitest';
import { stageVocabulary } from '../../../src/cli/runbook/load.ts';
import { formatDiagnostic } from '../../../src/core/model/diagnostic.ts';
import { parseRunbook } from '../../../src/core/runbook/runbook-file.ts';

const vocabulary = { verbs: ['pull', 'upgrade', 'reconfigure', 'status'], planned: ['pull', 'upgrade', 'reconfigure'] };

function problems(text: string): string[] {
  const parsed = parseRunbook(text, 'r.yml', vocabulary);
  return parsed.ok ? [] : parsed.diagnostics.map(formatDiagnostic);
}

const head = 'runbook: r\nsummary: s\nstages:\n';

describe('parseRunbook', () => {
  it('accepts every key, and gives what was left out', () => {
    const text = `${head}  - stage: a
    note: n
    when: "{{ x }}"
    build: {images: [magnum], push: true}
    pull: true
    verb: upgrade
    tags: [magnum]
    skip_tags: common
    limit: node1
    pause: sure?
    gate: [{tcp: {address: a, port: 1}}]
  - {stage: b, verb: plan upgrade, expect: empty}
`;
    const parsed = parseRunbook(text, 'r.yml', vocabulary);
    expect(parsed.ok && parsed.value.definition.stages[1]).toEqual({
      stage: 'b',
      when: true,
      pull: false,
      verb: 'plan upgrade',
      tags: [],
      skip_tags: [],
      expect: 'empty',
      gate: [],
    });
  });

  it('tells every unknown key with its place and the nearest known one', () => {
    const found = problems(`${head}  - stage: a\n    verb: upgrade\n    tag: [x]\n  - stage: b\n    gates: []\n`);
    expect(found).toEqual([
      'r.yml:6:5: error: unknown key tag in stages[0]\n    did you mean tags or stage or skip_tags?',
      'r.yml:8:5: error: unknown key gates in stages[1]\n    did you mean gate?',
    ]);
  });

  it('tells every slip in the stages at once', () => {
    const found = problems(`${head}  - {stage: a, verb: upgrad}
  - {stage: a, verb: plan stop}
  - {stage: b, verb: destroy}
  - {stage: c, verb: upgrade --tags x}
  - {stage: d, tags: [x], note: n}
  - {stage: e}
  - {stage: f, verb: status, expect: empty}
`);
    expect(found).toEqual([
      'r.yml:4:22: error: verb: a stage cannot upgrad\n    did you mean upgrade?',
      'r.yml:5:13: error: there is a stage a already, in line 4',
      'r.yml:5:22: error: verb: a stage cannot plan stop\n    one of pull, upgrade, reconfigure',
      'r.yml:6:22: error: verb: a stage cannot destroy\n    one of pull, upgrade, reconfigure, status, plan',
      'r.yml:7:22: error: verb: only upgrade, without --tags x\n    tags, skip_tags and limit are keys of the stage',
      'r.yml:8:16: error: tags selects for a verb or a pull, and stage d has neither',
      'r.yml:9:13: error: stage e does nothing\n    give it a verb, build, pull, gate, pause or note',
      'r.yml:10:30: error: expect belongs to a verb that begins with plan',
    ]);
  });

  it.each([
    ['a gate that asks nothing', '  - {stage: a, gate: [{within: 5}]}\n', 'says nothing to check'],
    ['a gate that is two', '  - {stage: a, gate: [{tcp: {address: a, port: 1}, sql: {query: q}}]}\n', 'at once'],
    ['a name that is none', '  - {stage: a b, note: n}\n', 'letters, digits, _, . and -'],
    ['no stages', '  []\n', 'stages: must be at least 1'],
  ])('%s is refused', (_, stages, says) => {
    const [first] = problems(`${head}${stages}`);
    expect(first).toContain(says);
    expect(first).toMatch(/^r\.yml:\d+:\d+: error: /);
  });
});

describe('stageVocabulary', () => {
  it('is what the table of commands has, without what takes things away', () => {
    const { verbs, planned } = stageVocabulary();
    expect(verbs).toEqual(expect.arrayContaining(['pull', 'deploy', 'reconfigure', 'upgrade', 'prechecks', 'status']));
    for (const name of ['stop', 'destroy', 'run', 'genpwd', 'build']) expect(verbs).not.toContain(name);
    expect(planned).toContain('reconfigure');
  });
});
