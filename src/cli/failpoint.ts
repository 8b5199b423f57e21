import { DeployError, error, exitCode } from '../core/model/diagnostic.ts';
import type { Step } from '../core/plan/steps.ts';

export type Failpoint = (step: Step, when: 'before' | 'after') => Promise<void>;

const form = /^([a-z-]+|[\w./@#-]+\/[\w./@#-]+):(before|after):(\d+)=(kill|throw|hang)$/;

/**
 * A place where a run is made to fail, for tests: `DEPLOY_FAILPOINT=stop:after:2=kill` ends this process without
 * warning after the second `stop` (`*` stands for any kind; the id of a step, as journals have it, for that one), `hang`
 * stands still until SIGCONT. Refused unless `DEPLOY_TEST=1`, so that no operator's run fails because of what a test
 * left in the environment.
 */
export function failpointOf(
  environment: Readonly<Record<string, string | undefined>>,
  say: (text: string) => void = () => undefined,
): Failpoint | undefined {
  const text = environment.DEPLOY_FAILPOINT;
  if (text === undefined || text === '') return undefined;
  if (environment.DEPLOY_TEST !== '1')
    throw refused('DEPLOY_FAILPOINT is for tests only', 'unset it, or set DEPLOY_TEST=1');
  const [, kind, when, number, how] = form.exec(text.replace(/^\*/, 'any')) ?? [];
  if (kind === undefined) {
    throw refused(`DEPLOY_FAILPOINT is not understood: ${text}`, 'KIND:before|after:NUMBER=kill|throw|hang');
  }
  let left = Number(number);
  return async (step, at) => {
    if (at !== when || (kind !== 'any' && step.kind !== kind && step.id !== kind)) return;
    left -= 1;
    if (left !== 0) return;
    if (how === 'kill') process.kill(process.pid, 'SIGKILL');
    if (how === 'throw') throw new Error(`failpoint ${text}`);
    say(`failpoint ${text}: standing still`);
    await new Promise<void>((resolve) => {
      const standing = setInterval(() => undefined, 60_000);
      process.once('SIGCONT', () => {
        clearInterval(standing);
        resolve();
      });
    });
  };
}

function refused(message: string, hint: string): DeployError {
  return new DeployError([error('failpoint', message, { hint })], exitCode.badInput);
}
