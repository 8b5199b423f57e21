import { describe, expect, it } from 'vitest';
import { planJson, planText } from '../../src/report/plan-text.ts';
import { makeRedactor } from '../../src/report/redact.ts';
import { change, copyOf, emptyWorld, observe, planInDetail } from '../sim/scenario.ts';
import { must, passwordOf, SimulatedSite } from '../sim/site.ts';
import { readGolden } from './golden.ts';

const site = new SimulatedSite();
const empty = emptyWorld(site);
const fresh = must(site.plan('deploy', observe(empty)));
const deployed = emptyWorld(site);
await change(site, deployed, 'deploy');
const newer = new SimulatedSite({ globals: 'magnum_tag: 2025.1-debian-trixie\n' });
const upgrade = must(planInDetail(newer, deployed, 'upgrade', { tags: ['magnum'] }));
const tuned = new SimulatedSite({ overrides: { 'heat.conf': '[DEFAULT]\nmax_resources_per_stack = 7\n' } });
const reconfigure = must(planInDetail(tuned, deployed, 'reconfigure'));
const moved = new SimulatedSite({
  globals: 'openstack_logging_debug: true\nheat_api_port: 18004\nmagnum_tag: 2025.1-debian-trixie\n',
});
const everything = must(planInDetail(moved, deployed, 'upgrade', { tags: ['heat', 'magnum', 'loadbalancer'] }));

/** 300 hosts of which one lost a container; each has its own address in a file that changes. */
const hosts = Array.from({ length: 300 }, (_, i) => `cmp${String(i + 1).padStart(3, '0')}`);
const few = { tags: ['common', 'memcached'] };
const many = new SimulatedSite({ hosts });
const manyDeployed = emptyWorld(many);
for (const step of must(many.plan('deploy', observe(manyDeployed), few)).steps) {
  const node = manyDeployed.nodes.get(step.host);
  if (step.kind === 'pull') await node?.pull(step.image);
  if (step.kind === 'write') await node?.writeFiles(step.files, step.remove);
  if (step.kind === 'create') await node?.create(step.as, step.spec, step.labels);
  if (step.kind === 'start') await node?.start(step.container);
}
manyDeployed.nodes.get('cmp007')?.containers.delete('memcached');
const manyNewer = new SimulatedSite({
  hosts,
  globals: 'memcached_connection_limit: 6000\ncommon_tag: 2025.1-debian-trixie\ncron_logrotate_rotation_count: 9\n',
});

const adrift = copyOf(deployed);
for (const node of adrift.nodes.values()) {
  const engine = node.containers.get('heat_engine');
  if (engine) engine.state = 'exited';
  const api = node.containers.get('magnum_api');
  if (api && node.host !== 'node1') node.containers.set('magnum_api', { ...api, id: `by hand on ${node.host}` });
}
adrift.nodes.get('node2')?.files.set('/etc/kolla/keystone/keystone.conf', { content: '', mode: '0660', sha256: '' });
const withoutGlance = new SimulatedSite({ globals: 'enable_glance: false\n' });

describe('the text of a plan', () => {
  it.each([
    ['deploy-fresh', fresh],
    ['upgrade-magnum', upgrade],
    ['reconfigure-heat-override', reconfigure],
    ['upgrade-with-settings', everything],
    ['upgrade-300-hosts', must(planInDetail(manyNewer, manyDeployed, 'upgrade', few))],
    ['reconfigure-pending-upgrade', must(newer.plan('reconfigure', observe(deployed)))],
    ['reconcile-drift', must(withoutGlance.plan('reconcile', observe(adrift), { prune: true }))],
  ])('%s', (name, plan) => {
    const text = `${planText(plan)}\n`;
    expect(text).toBe(readGolden(name, text));
  });

  it('is the same bytes for nodes that were made and looked at anew', () => {
    const again = must(new SimulatedSite().plan('deploy', observe(copyOf(empty))));
    expect(planText(again)).toBe(planText(fresh));
  });
});

describe('secrets', () => {
  const secrets = site.loaded.site.secretValues();
  const forms = secrets.flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  ]);

  it('are in the files of the plan, so that looking for them means something', () => {
    const contents = fresh.steps.flatMap((s) => (s.kind === 'write' ? s.files.map((f) => f.content) : [])).join('\n');
    expect(secrets).toContain(passwordOf('keystone_database_password'));
    expect(secrets.filter((secret) => contents.includes(secret)).length).toBeGreaterThan(5);
  });

  it.each([
    ['deploy', fresh],
    ['upgrade', upgrade],
    ['reconfigure', reconfigure],
  ])('never appear in the output of %s, not even before it is redacted', (_, plan) => {
    const output = [planText(plan), JSON.stringify(planJson(plan)), JSON.stringify(planJson(plan), null, 2)].join('\n');
    expect(forms.filter((form) => output.includes(form))).toEqual([]);
    expect(output).not.toContain('cänary');
    for (const { content } of plan.steps.flatMap((s) => (s.kind === 'write' ? s.files : []))) {
      expect(output).not.toContain(content);
    }
  });

  it('stay out of labels, and are secrets wherever a container gets them as environment', () => {
    for (const step of fresh.steps) {
      if (step.kind !== 'create' && step.kind !== 'one-shot') continue;
      const visible = JSON.stringify([step.labels, step.spec]);
      expect(forms.filter((form) => visible.includes(form))).toEqual([]);
    }
    const bootstrap = fresh.steps.find((s) => s.kind === 'one-shot' && s.name === 'bootstrap_keystone_admin');
    expect(JSON.stringify(bootstrap)).toContain('"OS_BOOTSTRAP_PASSWORD":"‹secret›"');
  });

  it('are masked in every form by the last line of defence', () => {
    const redact = makeRedactor(secrets);
    for (const form of forms) {
      const masked = redact(`before ${form} after`);
      expect(masked).not.toContain(form);
      expect(masked).toMatch(/^before .*‹secret›.* after$/);
    }
  });
});
