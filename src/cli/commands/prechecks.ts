import { DeployError, type Diagnostic, type ExitCode, error, exitCode } from '../../core/model/diagnostic.ts';
import { imagesToResolve } from '../../core/plan/policy.ts';
import { precheck } from '../../core/plan/prechecks.ts';
import { requiredServices } from '../../core/plan/required.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { closeAll } from '../nodes.ts';
import type { Output } from '../output.ts';
import { openSiteRegistry, resolveDigests } from '../registry.ts';
import { hostClaims, type Survey, takeSurvey } from '../survey.ts';
import { foreignVip } from '../vip.ts';

/** Everything that would be in the way of `deploy`, found in one look and reported together. */
export async function run({ options: raw, output }: Invocation): Promise<ExitCode> {
  const options = changeOptions(raw);
  const survey = await takeSurvey(options, output, { images: true, listening: true });
  try {
    const found = [
      ...precheck(survey.desired, survey.observed, hostClaims(survey)),
      ...requiredServices(survey.desired, survey.observed),
      ...(await missingImages(survey, output)),
      ...(await foreignVip(survey)),
    ];
    if (output.json) output.data({ problems: found });
    const errors = found.filter((d) => d.severity === 'error');
    if (errors.length > 0) throw new DeployError(found, exitCode.nodeNotUsable);
    output.diagnostics(found);
    if (!output.json) output.line(`prechecks passed on ${survey.target.hosts.join(', ')}`);
    return exitCode.ok;
  } finally {
    await closeAll(survey.nodes);
  }
}

async function missingImages(survey: Survey, output: Output): Promise<readonly Diagnostic[]> {
  const images = imagesToResolve('deploy', survey.desired, survey.observed);
  const [host] = survey.target.hosts;
  if (images.length === 0 || host === undefined) return [];
  try {
    const registry = await openSiteRegistry(survey.loaded.site.scope(host), (text) => output.note(text));
    await resolveDigests(registry, images);
    return [];
  } catch (cause) {
    if (cause instanceof DeployError) return cause.diagnostics;
    return [error('registry', cause instanceof Error ? cause.message : String(cause))];
  }
}
