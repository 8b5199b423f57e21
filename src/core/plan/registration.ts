import type { DatabaseWish, DesiredService, IdentityWish, MessagingWish } from '../desired/model.ts';
import { hashOf } from '../hash.ts';
import type { Marker } from '../model/marker.ts';
import { isSecret } from '../model/secret.ts';
import type { Observed } from './policy.ts';
import type { PlanBuilder, StepId } from './steps.ts';

type Registration = 'databases' | 'identity' | 'messaging';

/**
 * What a service needs in other services. The nodes cannot show that it is done, so a marker there holds the hash of
 * what was ensured last; ensuring is safe to repeat.
 */
export function planRegistration(
  plan: PlanBuilder,
  service: DesiredService,
  kind: Registration,
  observed: Observed,
  needs: readonly StepId[],
): StepId[] {
  const wish = service.whole ? service[kind] : undefined;
  if (wish === undefined || !observed.has(wish.host)) return [];
  const marker = registrationMarker(kind, service.name, wish);
  const values = [...observed.values()].map((node) => node.markers[marker.key]).filter((value) => value !== undefined);
  if (values.includes(marker.value)) return [];
  const base = {
    service: service.name,
    host: wish.host,
    needs,
    reason: values.length > 0 ? 'what is to be registered has changed' : 'not yet registered',
    impact: 'none',
  } as const;
  return [plan.add(base, actionFor(kind, wish, marker), service.name)];
}

function actionFor(kind: Registration, wish: DatabaseWish | IdentityWish | MessagingWish, marker: Marker) {
  if ('databases' in wish) return { kind: 'databases', wish, marker } as const;
  if ('authUrl' in wish) return { kind: 'identity', wish, marker } as const;
  if (kind === 'messaging') return { kind, wish, marker } as const;
  throw new Error(`no action registers ${kind}`);
}

export function registrationMarker(kind: Registration, service: string, wish: { readonly host: string }): Marker {
  // Where it is done from does not change what is done.
  const { host: _host, ...content } = wish;
  return { key: `${kind}.${service}`, value: hashOf(revealed(content)) };
}

/** Secrets count into the hash; the hash shows none of them. */
function revealed(value: unknown): unknown {
  if (isSecret(value)) return value.reveal();
  if (Array.isArray(value)) return value.map(revealed);
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, revealed(member)]));
  }
  return value;
}
