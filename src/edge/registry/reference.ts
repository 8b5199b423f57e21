export interface RegistryPath {
  /** Host with port, as written: `172.31.77.1:5000`, `quay.io`. */
  readonly registry: string;
  /** `deploy/magnum-api` */
  readonly path: string;
}

/**
 * Splits a repository as the engine does: the first part is a registry when it holds a dot or a colon or is
 * `localhost`; everything else lives in the engine's default registry.
 */
export function parseRepository(repository: string): RegistryPath {
  const slash = repository.indexOf('/');
  const first = repository.slice(0, Math.max(slash, 0));
  if (/[.:]/.test(first) || first === 'localhost') return { registry: first, path: repository.slice(slash + 1) };
  return { registry: 'docker.io', path: slash < 0 ? `library/${repository}` : repository };
}

/** Where the registry's API is, which for the default registry is another host than its name. */
export function apiBase(registry: string, insecure: boolean): string {
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  return `${insecure ? 'http' : 'https'}://${host}/v2`;
}
