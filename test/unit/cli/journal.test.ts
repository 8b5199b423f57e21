import { expect, it } from 'vitest';
import { changeOptions } from '../../../src/cli/invocation.ts';
import { shownArguments } from '../../../src/cli/journal.ts';
import { holderOf } from '../../../src/cli/lock.ts';
import type { Survey } from '../../../src/cli/survey.ts';
import { SimulatedSite } from '../../sim/site.ts';

const survey = { loaded: new SimulatedSite().loaded } as unknown as Survey;

function shown(...extraVars: readonly string[]) {
  const argv = ['upgrade', '--tags', 'heat', ...extraVars.flatMap((one) => ['-e', one])];
  return shownArguments(survey, holderOf('run', 'upgrade', argv), { ...changeOptions({ extraVars }), argv });
}

it('a command line is kept as it was typed, unless it gives a secret: then no value of -e is', () => {
  expect(shown('heat_api_workers=2')).toEqual({
    argv: ['upgrade', '--tags', 'heat', '-e', 'heat_api_workers=2'],
    repeatable: true,
  });
  const secret = shown('heat_api_workers=2', 'heat_database_password=canary');
  expect(secret).toEqual({ argv: ['upgrade', '--tags', 'heat', '-e', '…', '-e', '…'], repeatable: false });
});
