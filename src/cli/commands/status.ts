import { type ExitCode, exitCode } from '../../core/model/diagnostic.ts';
import { containerStatus, type StatusRow } from '../../core/plan/status.ts';
import { statusText } from '../../report/status-text.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { closeAll } from '../nodes.ts';
import { type Survey, takeSurvey } from '../survey.ts';

/** Exit 0 when every container that should be there runs and is healthy, else 1. */
export async function run({ options: raw, output }: Invocation): Promise<ExitCode> {
  const options = changeOptions(raw);
  if (raw.drift === true) return (await import('./drift.ts')).showDrift(options, output);
  const survey = await takeSurvey(options, output, {}, false);
  try {
    const rows = await Promise.all(containerStatus(survey.desired, survey.observed).map((row) => settled(row, survey)));
    if (output.json) output.data({ containers: rows });
    else output.line(statusText(rows));
    return rows.every((row) => row.good) ? exitCode.ok : exitCode.failed;
  } finally {
    await closeAll(survey.nodes);
  }
}

/** The engine's first check comes 30 s after the start; until then the check is run here, so that nobody has to wait. */
async function settled(row: StatusRow, survey: Survey): Promise<StatusRow> {
  const node = survey.nodes.get(row.host);
  if (row.health !== 'starting' || row.test === undefined || node === undefined) return row;
  const result = await node.exec(row.container, ['/bin/sh', '-c', row.test], { timeoutMs: 30_000 });
  return result.code === 0 ? { ...row, health: 'healthy', good: true } : row;
}
