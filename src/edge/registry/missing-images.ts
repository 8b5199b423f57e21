import { DeployError, type Diagnostic, error, exitCode } from '../../core/model/diagnostic.ts';
import { nearest } from '../../core/model/suggest.ts';

export interface MissingImage {
  readonly registry: string;
  /** `deploy/magnum-api` */
  readonly path: string;
  readonly tag: string;
  /** Every tag there is of it; none when there is no such image at all. */
  readonly known: readonly string[];
}

/** More names than these are counted, so that a message stays readable. */
const namesShown = 12;
const tagsShown = 5;

/** Images or tags the registry does not have: one problem for each tag that is missing, however many images want it. */
export class MissingImages extends DeployError {
  readonly missing: readonly MissingImage[];

  constructor(missing: readonly MissingImage[]) {
    super([...groups(missing).values()].map(describe), exitCode.nodeNotUsable);
    this.missing = missing;
  }
}

function groups(missing: readonly MissingImage[]): Map<string, MissingImage[]> {
  const found = new Map<string, MissingImage[]>();
  for (const one of missing) {
    // Without any tag it does not matter which one was wanted.
    const key = JSON.stringify([one.registry, one.known.length > 0 ? one.tag : '']);
    found.set(key, [...(found.get(key) ?? []), one]);
  }
  return found;
}

function describe(group: readonly MissingImage[]): Diagnostic {
  const [first] = group;
  if (first === undefined) throw new Error('a group has at least one member');
  const { registry, tag, known } = first;
  const paths = [...new Set(group.map(({ path }) => path))].sort();
  const images = paths.map((path) => path.slice(path.lastIndexOf('/') + 1));
  const one = paths.length === 1;
  const build = `deploy build ${images.join(' ')} --push makes ${one ? 'it' : 'them'}`;
  if (known.length === 0) {
    const message = `there is no image ${listed(paths)} in the registry ${registry}`;
    return error('no-such-image', message, { hint: build });
  }
  const shared = known.filter((candidate) => group.every((image) => image.known.includes(candidate)));
  const near = [...new Set([...nearest(tag, shared), ...[...shared].sort().reverse()])].slice(0, tagsShown);
  const tags = near.length > 0 ? `known tags: ${near.join(', ')}` : 'they have no other tag in common';
  const message = `there is no tag ${tag} of ${listed(paths)} in the registry ${registry}; ${tags}`;
  const variable = one ? 'the tag variable of this container' : 'openstack_tag or the tag variables of these services';
  return error('no-such-tag', message, { hint: `set ${variable} to one of them, or ${build}` });
}

function listed(names: readonly string[]): string {
  if (names.length <= namesShown) return names.join(', ');
  return `${names.slice(0, namesShown).join(', ')} and ${names.length - namesShown} others`;
}
