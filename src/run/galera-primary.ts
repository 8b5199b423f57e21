import type { StepOf } from '../core/plan/steps.ts';
import { failed, type GaleraAnswer, type StepContext } from './step-context.ts';

const lookEveryMs = 500;
/** A group becomes Primary within a fraction of a second, or not at all by that order. */
const ordersAfterMs = 3_000;
/** Galera drops members that went away without a word within some 15 s. */
const patienceMs = 60_000;

/**
 * Makes the group in which a member runs the Primary component. An order that comes while the group still counts a
 * member that is gone is lost with that view, and nobody becomes Primary: it is given again as long as the member says
 * that it is in none. Where the group has become smaller than those it should form with, nothing is ordered: one that
 * runs elsewhere might become Primary too.
 */
export async function formPrimary(step: StepOf<'galera-primary'>, context: StepContext): Promise<string | undefined> {
  const { clients, clock, node, progress } = context;
  const until = clock.now() + patienceMs;
  let orders = 0;
  let ordered = Number.NEGATIVE_INFINITY;
  for (;;) {
    const found = stateOf(await clients.askGalera(node, [{ host: step.host, server: step.server }]));
    if (found.primary) return orders > 1 ? `at the ${orders}. order` : undefined;
    if (clock.now() >= until) {
      const hint = 'deploy mariadb status shows what each member sees; deploy mariadb recover decides anew';
      throw failed(step, `${step.container} is in no Primary component after ${orders} orders: ${found.words}`, hint);
    }
    if (found.members >= step.members && clock.now() - ordered >= ordersAfterMs) {
      if (orders > 0) progress(`not Primary yet (${found.words}): the order is given again`);
      await clients.formPrimary(node, step.server);
      ordered = clock.now();
      orders += 1;
    }
    await clock.sleep(lookEveryMs);
  }
}

interface Found {
  readonly primary: boolean;
  readonly members: number;
  readonly words: string;
}

function stateOf([answer]: readonly GaleraAnswer[]): Found {
  if (answer === undefined) return { primary: false, members: 0, words: 'it was not asked' };
  const { said } = answer;
  if ('why' in said) return { primary: false, members: 0, words: said.why };
  const { cluster, clusterSize: members } = said;
  return { primary: cluster === 'Primary', members, words: `${cluster}, ${members} in its group` };
}
