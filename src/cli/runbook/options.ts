import { DeployError, type Diagnostic, error, exitCode } from '../../core/model/diagnostic.ts';
import { didYouMean } from '../../core/model/suggest.ts';
import { maxFailText } from '../../core/plan/max-fail.ts';
import type { Stage } from '../../core/runbook/stage.ts';
import { quote } from '../../edge/ssh/quote.ts';
import { commands } from '../commands/registry.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import type { ChangeOptions } from '../options.ts';

export interface RunOptions extends ChangeOptions {
  /** As the operator named it. */
  readonly runbook: string;
  readonly plan: boolean;
  readonly from: string | undefined;
  readonly approve: readonly string[];
  readonly approveAll: boolean;
}

export function runOptions({ args, options }: Invocation): RunOptions {
  return {
    ...changeOptions(options),
    runbook: args[0] ?? '',
    plan: options.plan === true,
    from: typeof options.from === 'string' ? options.from : undefined,
    approve: Array.isArray(options.approve) ? options.approve.map(String) : [],
    approveAll: options.approveAll === true,
  };
}

/** The command line that does the same from a stage on, or goes on where this one stopped. */
export function commandLine(options: RunOptions, more: readonly string[] = []): string {
  const site = [
    ...(options.configdir === (process.env.KOLLA_CONFIG_PATH ?? '/etc/kolla')
      ? []
      : ['--configdir', options.configdir]),
    ...(options.inventory.join() === (process.env.DEPLOY_INVENTORY ?? '')
      ? []
      : options.inventory.flatMap((path) => ['-i', path])),
    ...options.extraVars.flatMap((vars) => ['-e', vars]),
  ];
  const consent = [
    ...(options.yes ? ['--yes'] : []),
    ...(options.skipUnreachable ? ['--skip-unreachable'] : []),
    ...(options.maxFail ? maxFailText(options.maxFail).split(' ') : []),
    ...(options.approveAll ? ['--approve-all'] : options.approve.flatMap((stage) => ['--approve', stage])),
  ];
  return quote(['deploy', 'run', options.runbook, ...site, ...consent, ...more]);
}

/** Approvals of stages that do not exist, and a missing `--yes`, told before the first stage starts. */
export function checkApprovals(stages: readonly Stage[], options: RunOptions, terminal: boolean): void {
  const names = stages.map(({ name }) => name);
  const problems: Diagnostic[] = options.approve
    .filter((name) => !names.includes(name))
    .map((name) => {
      const hint = didYouMean(name, names) ?? `its stages: ${names.join(', ')}`;
      return error('unknown-stage', `--approve ${name}: the runbook has no such stage`, { hint });
    });
  const changing = stages.find((stage) => !stage.skipped && (stage.pull || changes(stage.verb?.command)));
  if (changing !== undefined && !options.yes && !terminal) {
    const message = `there is no terminal to ask on, and stage ${changing.name} changes nodes`;
    const hint = 'add --yes to carry out the plans of all stages; pauses are approved with --approve STAGE';
    problems.push(error('needs-confirmation', message, { hint }));
  }
  if (problems.length > 0) throw new DeployError(problems, exitCode.badInput);
}

/** Whether a command changes nodes, as the table of commands has it. */
export function changes(command: string | undefined): boolean {
  return commands.some(({ name, mutating }) => name === command && mutating);
}
