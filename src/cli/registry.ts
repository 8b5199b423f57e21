import type { ImageRef } from '../core/desired/model.ts';
import { DeployError, type Diagnostic, exitCode } from '../core/model/diagnostic.ts';
import { imageName } from '../core/model/node.ts';
import { Secret } from '../core/model/secret.ts';
import type { Scope } from '../core/site/variables.ts';
import { type MissingImage, MissingImages } from '../edge/registry/missing-images.ts';
import type { Registry } from '../edge/registry/registry.ts';

/** The site's registry as its variables describe it. `note` is told what is waited for, each sentence once. */
export async function openSiteRegistry(scope: Scope, note?: (text: string) => void): Promise<Registry> {
  const { openRegistry } = await import('../edge/registry/registry.ts');
  const registry = String(scope.get('docker_registry'));
  const at = { file: 'globals.yml', line: 1, column: 1 };
  const insecure = scope.has('docker_registry_insecure') && scope.boolean(scope.get('docker_registry_insecure'), at);
  const username = scope.has('docker_registry_username') ? scope.get('docker_registry_username') : undefined;
  const password = scope.has('docker_registry_password') ? scope.get('docker_registry_password') : undefined;
  const credentials =
    username && password
      ? new Map([[registry, { username: String(username), password: new Secret(String(password)) }]])
      : new Map();
  const told = new Set<string>();
  const onWait = (text: string): void => {
    // Many images are asked for at once, and all of them wait for the same.
    if (!told.has(text)) note?.(text);
    told.add(text);
  };
  return openRegistry({ insecure: insecure ? [registry] : [], credentials, onWait });
}

/** Each tag to its digest, asked once; a tag that does not exist is reported once, with all images it lacks. */
export async function resolveDigests(
  registry: Registry,
  images: readonly ImageRef[],
): Promise<ReadonlyMap<string, string>> {
  const results = await Promise.allSettled(
    images.map(async (image) => [imageName(image), await registry.resolveDigest(image)] as const),
  );
  const missing: MissingImage[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const result of results) {
    if (result.status === 'fulfilled') continue;
    if (!(result.reason instanceof DeployError)) throw result.reason;
    if (result.reason instanceof MissingImages) missing.push(...result.reason.missing);
    else diagnostics.push(...result.reason.diagnostics);
  }
  if (missing.length > 0) diagnostics.push(...new MissingImages(missing).diagnostics);
  if (diagnostics.length > 0) {
    // A registry that is down is one problem, not one for each image.
    const distinct = [...new Map(diagnostics.map((d) => [d.message, d])).values()];
    throw new DeployError(distinct, exitCode.nodeNotUsable);
  }
  return new Map(results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])));
}
