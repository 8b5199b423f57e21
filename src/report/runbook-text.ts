import { commandText, type Stage, type StageCommand, type StageGate } from '../core/runbook/stage.ts';

type Event =
  | { readonly event: 'stage-started' | 'stage-skipped'; readonly stage: Stage }
  | { readonly event: 'command'; readonly stage: Stage; readonly command: StageCommand }
  | { readonly event: 'gate-passed'; readonly stage: Stage; readonly gate: StageGate; readonly ms: number }
  | { readonly event: 'stage-finished'; readonly stage: Stage; readonly ms: number }
  | { readonly event: 'stage-failed'; readonly stage: Stage };

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

export function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`.trimEnd())
    .join('\n');
}

export function stageHeading(stage: Stage, stages: number): string {
  const heading = `stage ${stage.name} (${stage.number} of ${stages})`;
  if (stage.skipped) return `${heading}: skipped, its condition is false`;
  return stage.note === undefined ? heading : `${heading}\n${indented(stage.note)}`;
}

/** What a runbook does, for people; the output of the commands stands between. */
export function runbookEventText(event: Event, stages: number): string {
  switch (event.event) {
    case 'stage-started':
    case 'stage-skipped':
      return `\n${stageHeading(event.stage, stages)}`;
    case 'command':
      return `> ${commandText(event.command)}`;
    case 'gate-passed':
      return `gate '${event.gate.name}' passed after ${seconds(event.ms)}`;
    case 'stage-finished':
      return `stage ${event.stage.name} is finished after ${seconds(event.ms)}`;
    case 'stage-failed':
      return `stage ${event.stage.name} FAILED`;
  }
}

/** The same for programs. Gates are given by their names: they may hold secrets. */
export function runbookEventJson(event: Event, stages: number): unknown {
  const { event: name, stage } = event;
  return {
    event: name,
    stage: stage.name,
    number: stage.number,
    of: stages,
    ...('command' in event ? { command: commandText(event.command) } : {}),
    ...('gate' in event ? { gate: event.gate.name } : {}),
    ...('ms' in event ? { seconds: Math.round(event.ms / 100) / 10 } : {}),
  };
}
