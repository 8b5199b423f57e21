import { DeployError, error, exitCode, warning } from '../core/model/diagnostic.ts';
import type { StepOf } from '../core/plan/steps.ts';
import type { StepContext } from './step-context.ts';

export async function runHook(step: StepOf<'hook'>, { hooks, progress }: StepContext): Promise<undefined> {
  const { hook, name, path, service } = step;
  const outcome = await hooks.run({ path, when: hook, service }, progress);
  if (outcome.ok) return undefined;
  const message = `hook ${name} ${outcome.said}`;
  const diagnostic =
    hook === 'pre-service'
      ? error('hook-failed', message, { hint: `${service} and what needs it were not touched: see ${path}` })
      : warning('hook-failed', message, { hint: `${service} itself is done and stays so: see ${path}` });
  throw new DeployError([diagnostic], exitCode.failed);
}
