import { type Diagnostic, error } from '../core/model/diagnostic.ts';
import type { HostName } from '../core/model/node.ts';
import type { Observed } from '../core/plan/policy.ts';
import type { NodePort } from '../run/ports.ts';
import type { LoadedSite, Target } from './site.ts';

interface Looked {
  readonly loaded: LoadedSite;
  readonly target: Target;
  readonly observed: Observed;
  readonly nodes: ReadonlyMap<HostName, Pick<NodePort, 'connect'>>;
  readonly skipped?: readonly unknown[] | undefined;
}

/** A port nothing listens on: an address that is in use refuses it at once, one that is free never answers. */
const unusedPort = 1;
const patienceMs = 3_000;

/**
 * The VIP must be held by one of our nodes or by nobody. When nobody we looked at holds it, one node tries to reach
 * it: any answer, a refusal included, means that somebody else has it, unless one of ours does not answer itself.
 */
export async function foreignVip(survey: Looked): Promise<readonly Diagnostic[]> {
  const [first] = survey.target.hosts;
  const node = first === undefined ? undefined : survey.nodes.get(first);
  if (first === undefined || node === undefined || !survey.target.selection.has('loadbalancer')) return [];
  if (survey.skipped !== undefined && survey.skipped.length > 0) return [];
  const vip = String(survey.loaded.site.scope(first).get('kolla_internal_vip_address'));
  if ([...survey.observed.values()].some((n) => n.addresses.includes(vip))) return [];
  const answer = await reach(node, vip);
  if (!answer) return [];
  return [
    error('vip-taken', `${vip} (kolla_internal_vip_address) answers already, and none of the nodes holds it`, {
      host: first,
      hint: 'choose an address nobody uses',
    }),
  ];
}

async function reach(
  node: { connect(address: string, port: number): Promise<{ destroy(): void }> },
  vip: string,
): Promise<boolean> {
  const silence = new Promise<false>((resolve) => {
    setTimeout(() => resolve(false), patienceMs).unref();
  });
  const attempt = node.connect(vip, unusedPort).then(
    (stream) => {
      stream.destroy();
      return true;
    },
    (cause: unknown) => /refused/i.test(cause instanceof Error ? cause.message : String(cause)),
  );
  return Promise.race([attempt, silence]);
}
