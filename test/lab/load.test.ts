import { beforeAll, describe, expect, it } from 'vitest';
import { loadKinds } from '../load/kinds.ts';
import { measure, type Setting } from '../load/measure.ts';
import { shipped } from '../load/product.ts';
import { type ScenarioName, scenarios } from '../load/scenarios.ts';
import { deployedLab } from './job/deployed.ts';
import { printingReport } from './report.ts';

/** Authenticated requests a second; less than half of what a machine with two processors bears. */
const rate = 2;

/** One run of each change; `npm run test:load` measures the machine first and does thousands of requests of each. */
describe('changes under a load through the virtual address', () => {
  let setting: Setting;

  beforeAll(async () => {
    const lab = await deployedLab(printingReport());
    setting = { lab, kinds: await loadKinds(lab), rate, print: (line) => console.log(line) };
  });

  for (const name of Object.keys(scenarios) as ScenarioName[]) {
    it(`loses no request: ${scenarios[name].title}`, async () => {
      const measured = await measure(setting, shipped(), scenarios[name], { authenticated: 0, versions: 0, runs: 1 });
      expect(measured.authenticated.requests).toBeGreaterThan(10);
      expect(measured.versions.requests).toBeGreaterThan(400);
      expect(measured.failed).toBe(0);
    });
  }
});
