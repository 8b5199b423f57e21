import type { Plan } from '../core/plan/steps.ts';
import { commandText, type Stage, stageCommands } from '../core/runbook/stage.ts';
import { planJson, planText } from './plan-text.ts';
import { indented, stageHeading } from './runbook-text.ts';

export interface PlannedBuild {
  readonly reference: string;
  /** The registry does not hold it with this content. */
  readonly needed: boolean;
  /** Not asked for, only what others are built upon. */
  readonly parent: boolean;
}

/** A pull or the verb of a stage. */
export interface PlannedPart {
  readonly command: string;
  readonly verb: string;
  /** Absent for what only looks, for what is planned when the stage begins, and with `problems`. */
  readonly plan?: Plan | undefined;
  /** Earlier stages that change what this plan was made from. */
  readonly after: readonly string[];
  /** `magnum-api:v2 after stage build`: images that are not in the registry yet. */
  readonly awaited: readonly string[];
  /** Why it cannot be planned before the stages `after` have run. */
  readonly problems?: readonly string[] | undefined;
  /** Changes nodes. */
  readonly changing: boolean;
}

export interface PlannedStage {
  readonly stage: Stage;
  readonly builds: readonly PlannedBuild[];
  readonly parts: readonly PlannedPart[];
  /** Carrying it out would change something. */
  readonly pending: boolean;
}

export function plannedStageText(planned: PlannedStage, stages: number): string {
  const { stage } = planned;
  const lines = ['', stageHeading(stage, stages)];
  if (stage.skipped) return lines.join('\n');
  const { build, pull, verb } = stageCommands(stage);
  if (build) lines.push(`> ${commandText(build)}`, ...buildLines(planned.builds));
  const commands = [pull, verb].filter((command) => command !== undefined);
  for (const [i, part] of planned.parts.entries()) {
    const command = commands[i];
    if (command) lines.push(`> ${commandText(command)}`);
    lines.push(indented(partText(part)));
  }
  if (stage.mustBeEmpty) lines.push('  this plan must be empty when the stage begins');
  if (stage.pause !== undefined) lines.push(`pause: ${stage.pause}`);
  for (const gate of stage.gates) lines.push(`gate '${gate.name}' from ${gate.host}, within ${gate.within} s`);
  return lines.join('\n');
}

function buildLines(builds: readonly PlannedBuild[]): string[] {
  return builds
    .filter(({ needed, parent }) => needed || !parent)
    .map(({ reference, needed }) => `  ${reference}${needed ? '' : ': the registry has it already'}`);
}

function partText(part: PlannedPart): string {
  const lines: string[] = [];
  if (part.awaited.length > 0) lines.push(`not built yet: ${part.awaited.join(', ')}`);
  if (part.problems !== undefined) {
    return [...lines, `cannot be planned before ${stagesText(part.after)}:`, ...part.problems].join('\n');
  }
  if (part.after.length > 0 && part.plan) lines.push(`as it would be now, before ${stagesText(part.after)}`);
  if (part.plan) lines.push(planText(part.plan));
  else lines.push(part.changing ? 'planned when the stage begins' : 'only looks');
  return lines.join('\n');
}

function stagesText(names: readonly string[]): string {
  return `${names.length === 1 ? 'stage' : 'stages'} ${names.join(', ')}`;
}

/** One object for each stage. */
export function plannedStageJson({ stage, builds, parts, pending }: PlannedStage): unknown {
  return {
    stage: stage.name,
    number: stage.number,
    skipped: stage.skipped,
    pending,
    note: stage.note,
    build: builds.filter(({ needed, parent }) => needed || !parent),
    parts: parts.map(({ plan, ...part }) => ({ ...part, ...(plan && { plan: planJson(plan) }) })),
    mustBeEmpty: stage.mustBeEmpty,
    pause: stage.pause,
    gates: stage.gates.map(({ name, host, within }) => ({ name, host, within })),
  };
}
