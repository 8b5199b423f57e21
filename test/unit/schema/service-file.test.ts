import { describe, expect, it } from 'vitest';
import { parseServiceFile } from '../../../src/core/schema/service-file.ts';

const good = `service: demo
summary: A demonstration
containers:
  demo_api:
    group: demo
    image: demo-api
    tag: "{{ demo_tag }}"
    command: demo --run
    files:
      - {template: demo.conf.hbs, format: ini, dest: /etc/demo.conf}
    loadbalancer:
      demo_api: {port: 80}
one_shots:
  bootstrap_demo: {container: demo_api, on: [deploy]}
phases: [databases, {run: bootstrap_demo}, {replace: [demo_api]}]
x-note: mine
`;

function problems(text: string): string[] {
  return parseServiceFile(text, 'services/demo/service.yml').diagnostics.map(
    (d) => `${d.at?.line}:${d.at?.column} ${d.message}${d.hint ? ` (${d.hint})` : ''}`,
  );
}

describe('service files', () => {
  it('is the definition and where it stands', () => {
    const result = parseServiceFile(good, 'services/demo/service.yml');
    if (!result.ok) throw new Error(problems(good).join('\n'));
    expect(result.value.definition.containers.demo_api?.files[0]?.perm).toBe('0600');
    expect(result.value.definition.one_shots.bootstrap_demo?.on).toEqual(['deploy']);
    expect(result.value.directory).toBe('services/demo');
    expect(result.value.span(['containers', 'demo_api', 'image'])).toMatchObject({ line: 6, column: 12 });
  });

  it.each<[string, (text: string) => string, string[]]>([
    [
      'unknown key',
      (t) => t.replace('image:', 'imag:'),
      [
        '4:3 containers.demo_api.image: is missing',
        '6:5 unknown key imag in containers.demo_api (did you mean image?)',
      ],
    ],
    [
      'unknown key at the top',
      (t) => t.replace('summary', 'sumary'),
      ['1:1 summary: is missing', '2:1 unknown key sumary (did you mean summary?)'],
    ],
    [
      'wrong type',
      (t) => t.replace('group: demo', 'group: [demo]'),
      ['5:12 containers.demo_api.group: must be text, not a list'],
    ],
    [
      'wrong name',
      (t) => t.replace('service: demo', 'service: Demo'),
      ['1:10 service: must be lower case letters, digits and dashes'],
    ],
    [
      'bad mode',
      (t) => t.replace('format: ini', 'perm: 600'),
      ['10:41 containers.demo_api.files[0].perm: must be text, not a number'],
    ],
    [
      'bad choice',
      (t) => t.replace('format: ini', 'format: in'),
      ['10:43 containers.demo_api.files[0].format: must be ini or text'],
    ],
    [
      'phase names nothing',
      (t) => t.replace('{run: bootstrap_demo}', '{run: bootstrap_dmo}'),
      ['15:27 one-shot bootstrap_dmo is not defined in this service (did you mean bootstrap_demo?)'],
    ],
    [
      'phase with unknown key',
      (t) => t.replace('{run: bootstrap_demo}', '{rum: bootstrap_demo}'),
      ['15:22 unknown key rum in phases[1] (did you mean run?)'],
    ],
    [
      'one-shot of nothing',
      (t) => t.replace('container: demo_api', 'container: demo'),
      ['14:31 container demo is not defined in this service (did you mean demo_api?)'],
    ],
    [
      'cluster secret of nothing',
      (t) => t.replace('demo --run', 'demo --run\n    rollout: {cluster_secret: {password: demo_key, file: dem.conf}}'),
      [
        '9:42 password demo_key is not defined in this service',
        '9:58 file dem.conf is not defined in this service (did you mean demo.conf?)',
      ],
    ],
    ['not a map', () => '- 1\n', ['1:1 the file: must be a map, not a list']],
    ['nothing', () => '', ['1:1 the file: must be a map, not nothing']],
  ])('%s', (_, change, expected) => {
    const found = problems(change(good));
    for (const message of expected) expect(found).toContain(message);
  });

  it('two files of a container must not share a name, and stay inside its directory', () => {
    const two = good.replace(
      'files:\n',
      'files:\n      - {template: a/demo.conf.hbs}\n      - {name: ../x}\n      - {dest: /nowhere}\n',
    );
    expect(problems(two).join('\n')).toMatch(/two files named demo\.conf[\s\S]*/);
    expect(problems(two).join('\n')).toMatch(/\.\.\/x: a file's name must stay/);
    expect(problems(two).join('\n')).toMatch(/neither template nor name/);
  });
});
