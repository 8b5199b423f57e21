import { label } from '../model/node.ts';
import { type Change, labelsFor } from '../plan/replace.ts';
import type { StepAction } from '../plan/steps.ts';
import type { OwnData } from './decision.ts';
import { copyingMarker } from './kept-data.ts';

type Action<K extends StepAction['kind']> = Extract<StepAction, { kind: K }>;

/** Short-lived, beside the member's own container, which does not run then. */
export const positionContainer = 'mariadb_wsrep_recovery';
export const copyContainer = 'mariadb_copy_data';
export const clearContainer = 'mariadb_clear_data';

const positionSeconds = 3600;
const copySeconds = 24 * 3600;

/** The image's own data directory, because an empty volume takes over whose that is. */
const copyInto = '/var/lib/mysql';
const copySource = '/source';

/** Our images hand on by themselves what Kolla's own need to be told to. */
const prepared = '{ sudo kolla_set_configs || sudo -E kolla_set_configs; }';
const positionCommand = `${prepared} && exec mariadbd --wsrep-recover --skip-log-error`;
const copyCommand = `${prepared} && find ${copyInto} -mindepth 1 -delete && cp -a --reflink=auto ${copySource}/. ${copyInto}/ && sync ${copyInto}`;

const clearCommand = `${prepared} && find ${copyInto} -mindepth 1 -delete`;

/** Its server says how far its data goes, and ends. */
export function positionAction(change: Change, site: string): Action<'galera-position'> {
  const { container, image } = change;
  const name = positionContainer;
  const alone = { name, command: ['bash', '-c', positionCommand], restart: 'no', healthcheck: undefined } as const;
  const labels = { ...labelsFor(site, change), [label.container]: name };
  const spec = { ...container.spec, ...alone, image };
  return { kind: 'galera-position', name, spec, labels, timeoutSeconds: positionSeconds };
}

/** All of a member's data is copied beside it. */
export function copyAction(change: Change, site: string, volume: string, own: OwnData): Action<'galera-copy'> {
  const { container, image, node } = change;
  const name = copyContainer;
  const others = container.spec.volumes.filter((bind) => bind.split(':')[0] !== volume);
  const alone = { name, command: ['bash', '-c', copyCommand], restart: 'no', healthcheck: undefined } as const;
  const spec = { ...container.spec, ...alone, image, volumes: [...others, `${volume}:${copySource}:ro`] };
  const labels = { ...labelsFor(site, change), [label.container]: name };
  const begun = node.markers[copyingMarker];
  return { kind: 'galera-copy', name, spec, labels, into: copyInto, timeoutSeconds: copySeconds, volume, own, begun };
}

/** What a state transfer would replace is removed before, where no server starts to ask for one. */
export function clearAction(change: Change, site: string, volume: string): Action<'galera-clear'> {
  const { container, image } = change;
  const name = clearContainer;
  const alone = { name, command: ['bash', '-c', clearCommand], restart: 'no', healthcheck: undefined } as const;
  const labels = { ...labelsFor(site, change), [label.container]: name };
  const spec = { ...container.spec, ...alone, image };
  return { kind: 'galera-clear', name, spec, labels, timeoutSeconds: positionSeconds, volume };
}
