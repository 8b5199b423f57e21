import type { DesiredOneShot, DesiredService } from '../desired/model.ts';
import { label } from '../model/node.ts';
import { compareFiles } from './compare.ts';
import { type Context, keptFragments, lookedAt, nodeOf, pullFor, wantedImage } from './context.ts';
import { verbPolicy } from './policy.ts';
import { type Change, labelsFor, writeFiles } from './replace.ts';
import type { StepId } from './steps.ts';

/** A migration or bootstrap, if this image has not had it yet. */
export function planOneShot(
  context: Context,
  service: DesiredService,
  oneShot: DesiredOneShot,
  needs: readonly StepId[],
): StepId[] {
  if (!verbPolicy[context.verb].oneShots) return [];
  const owner = service.containers.find((c) => c.name === oneShot.container && c.host === oneShot.host);
  if (owner === undefined) return [];
  const image = wantedImage(context, owner);
  const { on, per_image } = oneShot.definition;
  const done = (key: string) =>
    [...context.observed.values()].map((node) => node.markers[key]).filter((v) => v !== undefined);
  // The markers tell, not the containers: a database that was destroyed and made anew needs its first bootstrap again.
  const bootstrapped = [...service.oneShots.keys()].some((name) => done(oneShotMarkerKey(name)).length > 0);
  if (!on.includes(bootstrapped ? 'upgrade' : 'deploy')) return [];
  const ran = done(oneShotMarkerKey(oneShot.name));
  if (per_image ? ran.some((value) => value.startsWith(`${image.digest} `)) : ran.length > 0) return [];
  // What a first deployment did with this very image needs no upgrade.
  const siblings = [...service.oneShots.values()].filter(
    (o) => o.container === oneShot.container && o.definition.on.includes('deploy'),
  );
  const fresh = siblings.some((o) =>
    done(oneShotMarkerKey(o.name)).some((value) => value.startsWith(`${image.digest} `)),
  );
  if (!on.includes('deploy') && fresh) return [];
  const files = compareFiles(
    owner.directory,
    owner.files,
    nodeOf(context, owner.host)?.files ?? [],
    keptFragments(context, owner),
  );
  const change: Change = {
    container: owner,
    image,
    files,
    verdict: { kind: 'same' },
    node: lookedAt(context, owner.host),
  };
  const written = writeFiles(context.plan, change, needs, `${oneShot.name} reads them`);
  const pull = pullFor(context, owner, image);
  if (!oneShot.definition.way_back && ran.length + (bootstrapped ? 1 : 0) > 0)
    context.plan.notices.push(cannotBeUndone(oneShot));
  const reason = ran.length > 0 ? `not yet run with image ${image.tag}` : 'not yet run';
  return [
    context.plan.add(
      {
        service: service.name,
        host: oneShot.host,
        needs: [...needs, ...written, ...(pull ? [pull] : [])],
        reason,
        impact: 'none',
      },
      {
        kind: 'one-shot',
        name: oneShot.name,
        spec: { ...oneShot.spec, image },
        labels: { ...labelsFor(context.desired.site, change), [label.container]: oneShot.name },
        timeoutSeconds: oneShot.definition.timeout,
        marker: { key: oneShotMarkerKey(oneShot.name), value: `${image.digest} ${oneShot.contentHash}` },
      },
      oneShot.name,
    ),
  ];
}

/** Said in the plan before it runs. */
export function cannotBeUndone({ name, service }: DesiredOneShot): string {
  return `${name} cannot be undone: after it there is no automatic way back to the old version of ${service}`;
}

export function oneShotMarkerKey(name: string): string {
  return `run.${name}`;
}
