import type { DesiredOneShot, DesiredService } from '../desired/model.ts';
import { label, type PinnedImage } from '../model/node.ts';
import { compareFiles } from './compare.ts';
import { type Context, keptFragments, lookedAt, pullFor, wantedImage } from './context.ts';
import { type Observed, verbPolicy } from './policy.ts';
import { type Change, labelsFor, writeFiles } from './replace.ts';
import type { StepId } from './steps.ts';

/** A migration or bootstrap, if this image has not had it yet. */
export function planOneShot(
  context: Context,
  service: DesiredService,
  oneShot: DesiredOneShot,
  needs: readonly StepId[],
): StepId[] {
  const { plan, desired, observed, verb } = context;
  if (!verbPolicy[verb].oneShots) return [];
  const owner = service.containers.find((c) => c.name === oneShot.container && c.host === oneShot.host);
  if (owner === undefined) return [];
  const image = wantedImage(context, owner);
  const past = pastOf(observed, service, oneShot);
  if (!isDue(oneShot, past, image)) return [];
  const node = lookedAt(context, owner.host);
  const files = compareFiles(owner.directory, owner.files, node.files, keptFragments(context, owner));
  const change: Change = { container: owner, image, files, verdict: { kind: 'same' }, node };
  const written = writeFiles(plan, change, needs, `${oneShot.name} reads them`);
  const pull = pullFor(context, owner, image);
  if (!oneShot.definition.way_back && (past.ran.length > 0 || past.bootstrapped))
    plan.notices.push(cannotBeUndone(oneShot));
  const reason = past.ran.length > 0 ? `not yet run with image ${image.tag}` : 'not yet run';
  const all = [...needs, ...written, ...(pull ? [pull] : [])];
  return [
    plan.add(
      { service: service.name, host: oneShot.host, needs: all, reason, impact: 'none' },
      {
        kind: 'one-shot',
        name: oneShot.name,
        spec: { ...oneShot.spec, image },
        labels: { ...labelsFor(desired.site, change), [label.container]: oneShot.name },
        timeoutSeconds: oneShot.definition.timeout,
        marker: { key: oneShotMarkerKey(oneShot.name), value: `${image.digest} ${oneShot.contentHash}` },
      },
      oneShot.name,
    ),
  ];
}

/** What has run, by the values of its markers. */
interface Past {
  /** Of the one-shot itself. */
  readonly ran: readonly string[];
  /** Of those of the same container that a first deployment runs. */
  readonly first: readonly string[];
  /** Some one-shot of the service has run: this is no first deployment. */
  readonly bootstrapped: boolean;
}

/** The markers tell, not the containers: a database that was destroyed and made anew needs its first bootstrap again. */
function pastOf(observed: Observed, { oneShots }: DesiredService, { name, container }: DesiredOneShot): Past {
  const valuesOf = (one: string) =>
    [...observed.values()].flatMap(({ markers }) => markers[oneShotMarkerKey(one)] ?? []);
  const siblings = [...oneShots.values()].filter(
    (o) => o.container === container && o.definition.on.includes('deploy'),
  );
  return {
    ran: valuesOf(name),
    first: siblings.flatMap((o) => valuesOf(o.name)),
    bootstrapped: [...oneShots.keys()].some((one) => valuesOf(one).length > 0),
  };
}

function isDue({ definition: { on, per_image } }: DesiredOneShot, past: Past, { digest }: PinnedImage): boolean {
  if (!on.includes(past.bootstrapped ? 'upgrade' : 'deploy')) return false;
  const withImage = (values: readonly string[]) => values.some((value) => value.startsWith(`${digest} `));
  if (per_image ? withImage(past.ran) : past.ran.length > 0) return false;
  // What a first deployment did with this very image needs no upgrade.
  return on.includes('deploy') || !withImage(past.first);
}

/** Said in the plan before it runs. */
export function cannotBeUndone({ name, service }: DesiredOneShot): string {
  return `${name} cannot be undone: after it there is no automatic way back to the old version of ${service}`;
}

export function oneShotMarkerKey(name: string): string {
  return `run.${name}`;
}
