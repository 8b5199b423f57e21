import { DeployError, type Diagnostic, type ExitCode, error, exitCode, warning } from '../core/model/diagnostic.ts';
import { controlHost, type HookName, type Hooks } from '../core/model/hook.ts';
import type { Plan } from '../core/plan/steps.ts';
import type { HookOutcome, HooksPort } from '../run/ports.ts';
import type { Output } from './output.ts';
import type { LoadedSite, Target } from './site.ts';

export interface HookSettings {
  readonly hooks: Hooks;
  /** Seconds one hook may take. */
  readonly timeout: number;
  readonly runId: string;
  readonly configdir: string;
  readonly tags: readonly string[];
}

/** How the work between the hooks ended. */
export interface Finished {
  readonly exit: ExitCode;
  readonly failedSteps: readonly string[];
}

type Facts = Readonly<Record<`DEPLOY_${string}`, string | undefined>>;

/** The facts of a run that every hook finds in its environment; a name without a value is not set. */
function factsOf(plan: Plan, settings: HookSettings): Facts {
  const hosts = new Set(plan.steps.map((step) => step.host).filter((host) => host !== controlHost));
  return {
    DEPLOY_RUN: settings.runId,
    DEPLOY_VERB: plan.verb,
    DEPLOY_SITE: plan.site,
    DEPLOY_CONFIGDIR: settings.configdir,
    DEPLOY_TAGS: settings.tags.join(','),
    DEPLOY_HOSTS: [...hosts].join(','),
    DEPLOY_SERVICE: undefined,
    DEPLOY_OUTCOME: undefined,
    DEPLOY_EXIT: undefined,
    DEPLOY_FAILED_STEPS: undefined,
  };
}

async function runOne(
  path: string,
  when: HookName,
  facts: Facts,
  timeout: number,
  onLine: (line: string) => void,
): Promise<HookOutcome> {
  const { runHookProcess } = await import('../edge/hooks/run-hook.ts');
  const environment = { ...process.env, ...facts, DEPLOY_HOOK: when };
  return runHookProcess({ path, environment, timeoutMs: timeout * 1000 }, onLine);
}

/** Hooks of services, as steps of the plan run them. */
export function hooksPort(plan: Plan, settings: HookSettings): HooksPort {
  const facts = factsOf(plan, settings);
  return {
    run: ({ path, when, service }, onLine) =>
      runOne(path, when, { ...facts, DEPLOY_SERVICE: service }, settings.timeout, onLine),
  };
}

/**
 * Work with `pre-run` before it, `on-failure` after it unless all went well, and `post-run` at the end. A `pre-run`
 * that fails lets nothing begin; of the others a failure is a warning, and that of `post-run` makes the exit code 1.
 */
export async function amidHooks(
  plan: Plan,
  settings: HookSettings,
  output: Output,
  work: () => Promise<Finished>,
): Promise<ExitCode> {
  const run = surrounding(plan, settings, output);
  const [refused] = await run('pre-run', {});
  if (refused !== undefined) {
    const finished = { exit: exitCode.failed, failedSteps: [] };
    output.diagnostics(await run('on-failure', outcomeFacts(finished)));
    const hint = 'nothing was changed';
    throw new DeployError([{ ...refused, severity: 'error', hint }], exitCode.failed);
  }
  let failure: unknown;
  const finished = await work().catch((cause: unknown): Finished => {
    failure = cause;
    return { exit: cause instanceof DeployError ? cause.exit : exitCode.failed, failedSteps: [] };
  });
  const facts = outcomeFacts(finished);
  if (finished.exit !== exitCode.ok) output.diagnostics(await run('on-failure', facts));
  const afterwards = await run('post-run', facts);
  output.diagnostics(afterwards);
  if (failure !== undefined) throw failure;
  return finished.exit === exitCode.ok && afterwards.length > 0 ? exitCode.failed : finished.exit;
}

/** Runs the hooks of one name in order, up to the first that fails; gives the warnings. */
function surrounding(plan: Plan, settings: HookSettings, output: Output) {
  const facts = factsOf(plan, settings);
  return async (when: 'pre-run' | 'post-run' | 'on-failure', more: Facts): Promise<Diagnostic[]> => {
    for (const { name, path } of settings.hooks.get(when) ?? []) {
      output.note(`hook ${name}`);
      const onLine = (line: string) => output.note(`${name}: ${line}`);
      const outcome = await runOne(path, when, { ...facts, ...more }, settings.timeout, onLine);
      if (!outcome.ok) return [warning('hook-failed', `hook ${name} ${outcome.said}`, { hint: `see ${path}` })];
    }
    return [];
  };
}

const outcomes: Readonly<Partial<Record<ExitCode, string>>> = {
  [exitCode.ok]: 'ok',
  [exitCode.reverted]: 'reverted',
  [exitCode.hungUp]: 'interrupted',
  [exitCode.interrupted]: 'interrupted',
  [exitCode.terminated]: 'interrupted',
};

function outcomeFacts({ exit, failedSteps }: Finished): Facts {
  return {
    DEPLOY_OUTCOME: outcomes[exit] ?? 'failed',
    DEPLOY_EXIT: String(exit),
    DEPLOY_FAILED_STEPS: failedSteps.join(','),
  };
}

/** The variable `hook_timeout`, in seconds. */
export function hookSeconds({ site }: Pick<LoadedSite, 'site'>, { hosts: [host = ''] }: Pick<Target, 'hosts'>): number {
  const scope = site.scope(host);
  const seconds = Number(scope.get('hook_timeout'));
  if (seconds > 0 && Number.isFinite(seconds)) return seconds;
  const at = scope.placeIn('hook_timeout', []);
  throw new DeployError(
    [error('hook-timeout', 'hook_timeout must be a number of seconds above 0', { at })],
    exitCode.badInput,
  );
}
