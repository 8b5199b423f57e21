import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatSources, machineCodename, readMachineSources, translateSources } from './apt-sources.ts';
import { LabError, lastLines, must, run } from './command.ts';
import { outerDocker, tryOuterDocker } from './engine.ts';
import { unmountBelow } from './mounts.ts';
import { registryHas } from './registry.ts';
import { paths, REGISTRY, type Suite } from './settings.ts';

const REPOSITORY = 'lab/debian';
const LABEL = 'deploy-lab.recipe';

/** Full name of a base image in the lab's registry. */
export function baseImageName(suite: Suite): string {
  return `${REGISTRY}/${REPOSITORY}:${suite}`;
}

/**
 * Makes sure that the outer engine and the registry hold the base image of a suite. The root file system is made by
 * debootstrap once and kept as a tarball; a change of the machine's apt sources makes a new one.
 */
export async function ensureBaseImage(suite: Suite, note: (text: string) => void): Promise<void> {
  const recipe = baseRecipe(suite);
  const label = await tryOuterDocker([
    ...['image', 'inspect', '--format', `{{index .Config.Labels "${LABEL}"}}`, baseImageName(suite)],
  ]);
  const local = label.code === 0 && label.stdout.trim() === recipe.id;
  if (!local) {
    const tarball = await ensureTarball(suite, recipe, note);
    await outerDocker([
      ...['import', '--change', 'CMD ["bash"]', '--change', `LABEL ${LABEL}=${recipe.id}`],
      ...[tarball, baseImageName(suite)],
    ]);
    note('imported');
  }
  if (local && (await registryHas(REPOSITORY, suite))) return;
  await outerDocker(['push', '--quiet', baseImageName(suite)]);
  note('pushed');
}

interface BaseRecipe {
  /** Content of sources.list; empty where the machine's own sources name no archive of Debian's. */
  readonly sources: string;
  /** Archive for debootstrap; undefined means its default one. */
  readonly mirror: string | undefined;
  readonly id: string;
}

function baseRecipe(suite: Suite): BaseRecipe {
  const sources = translateSources(readMachineSources(), machineCodename(), suite);
  const text = formatSources(sources);
  const mirror = sources.find((source) => source.suite === suite)?.uri;
  const id = createHash('sha256').update(`1\n${suite}\n${text}`).digest('hex').slice(0, 16);
  return { sources: text, mirror, id };
}

async function ensureTarball(suite: Suite, recipe: BaseRecipe, note: (text: string) => void): Promise<string> {
  mkdirSync(paths.cache, { recursive: true });
  const tarball = join(paths.cache, `debian-${suite}-${recipe.id}.tar`);
  if (existsSync(tarball)) return tarball;
  const root = join(paths.cache, `root-${suite}`);
  await removeTree(root);
  await bootstrap(suite, recipe, root);
  if (recipe.sources !== '') writeFileSync(join(root, 'etc/apt/sources.list'), recipe.sources);
  rmSync(join(root, 'var/cache/apt/archives'), { recursive: true, force: true });
  mkdirSync(join(root, 'var/cache/apt/archives/partial'), { recursive: true });
  await must('tar', ['--numeric-owner', '--exclude=./dev/*', '-C', root, '-cf', `${tarball}.part`, '.']);
  renameSync(`${tarball}.part`, tarball);
  await removeTree(root);
  for (const old of readdirSync(paths.cache)) {
    if (old.startsWith(`debian-${suite}-`) && join(paths.cache, old) !== tarball) rmSync(join(paths.cache, old));
  }
  note('made by debootstrap');
  return tarball;
}

async function bootstrap(suite: Suite, recipe: BaseRecipe, root: string): Promise<void> {
  // Archives reached by https need the certificates inside the image as well.
  const include = recipe.sources.includes('https://') ? ['--include=ca-certificates'] : [];
  const args = ['--variant=minbase', ...include, suite, root, ...(recipe.mirror === undefined ? [] : [recipe.mirror])];
  const result = await run('debootstrap', args, { timeoutMs: 900_000 });
  if (result.code === 0) return;
  await removeTree(root);
  throw new LabError(
    `debootstrap of Debian ${suite} failed:\n${lastLines(`${result.stdout}\n${result.stderr}`, 8)}`,
    'the lab fetches Debian packages from the archive named in /etc/apt: check that "apt-get update" works',
  );
}

/** Removes a root file system in which a killed debootstrap may have left mounts. */
async function removeTree(root: string): Promise<void> {
  await unmountBelow(root);
  rmSync(root, { recursive: true, force: true });
}
