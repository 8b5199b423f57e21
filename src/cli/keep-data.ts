import type { Decision } from '../core/galera/decision.ts';
import { type Copies, copiesFor } from '../core/galera/kept-data.ts';
import type { RecoveryMember } from '../core/galera/recover-plan.ts';
import { DeployError, exitCode } from '../core/model/diagnostic.ts';
import type { Survey } from './survey.ts';

const none: Copies = { hosts: [], notices: [], problems: [] };

/**
 * Which members' data is copied before the decision is carried out, after a look at the room there is. Throws
 * DeployError (exit 4) when there is none for data that nobody else may have.
 */
export async function copiesWanted(
  decision: Decision,
  members: readonly RecoveryMember[],
  survey: Survey,
  keepData: boolean,
): Promise<Copies> {
  if (!keepData || !('order' in decision)) return none;
  const joining = members.filter(({ place }) => decision.order.some(({ host }) => host === place.host));
  const sizes = await Promise.all(
    joining.map(
      async ({ place }) => [place.host, await survey.nodes.get(place.host)?.measureVolume(place.volume)] as const,
    ),
  );
  const copies = copiesFor(decision.order, new Map(sizes));
  if (copies.problems.length > 0) throw new DeployError([...copies.problems], exitCode.nodeNotUsable);
  return copies;
}
