import type { Keystone, Listed, WantedIdentity } from './keystone-model.ts';

type WantedService = WantedIdentity['services'][number];

/** Services by name and type; of each the internal and the public endpoint in the region. Others are left alone. */
export async function ensureCatalog(keystone: Keystone, wanted: readonly WantedService[]): Promise<void> {
  if (wanted.length === 0) return;
  const region = encodeURIComponent(keystone.region);
  const [services, endpoints] = await Promise.all([
    keystone.list('/services', 'services'),
    keystone.list(`/endpoints?region_id=${region}`, 'endpoints'),
  ]);
  // Endpoints in a region prove that it exists.
  if (endpoints.length === 0) await ensureRegion(keystone);
  for (const service of wanted) {
    const found = await ensureService(keystone, service, services);
    await ensureEndpoint(keystone, service, found, 'internal', endpoints);
    await ensureEndpoint(keystone, service, found, 'public', endpoints);
  }
}

async function ensureRegion(keystone: Keystone): Promise<void> {
  const regions = await keystone.list('/regions', 'regions');
  if (regions.some((r) => r.id === keystone.region)) return;
  await keystone.write('POST', '/regions', { region: { id: keystone.region } });
  keystone.changes.push(`created region ${keystone.region}`);
}

async function ensureService(keystone: Keystone, wanted: WantedService, present: readonly Listed[]): Promise<Listed> {
  const { name, type, description } = wanted;
  const found = present.find((s) => s.name === name && s.type === type);
  if (!found) {
    const created = await keystone.write('POST', '/services', { service: { name, type, description, enabled: true } });
    keystone.changes.push(`created service ${name} (${type})`);
    return created;
  }
  const differs = description !== '' && found.description !== description;
  if (differs || found.enabled === false) {
    const service = { enabled: true, ...(differs ? { description } : {}) };
    await keystone.write('PATCH', `/services/${found.id}`, { service });
    keystone.changes.push(
      found.enabled === false ? `enabled service ${name}` : `changed description of service ${name}`,
    );
  }
  return found;
}

async function ensureEndpoint(
  keystone: Keystone,
  wanted: WantedService,
  service: Listed,
  face: 'internal' | 'public',
  present: readonly Listed[],
): Promise<void> {
  const url = wanted.endpoints[face];
  const mine = present.filter((e) => e.service_id === service.id && e.interface === face);
  if (mine.some((e) => e.url === url && e.enabled !== false)) return;
  const [first] = mine;
  if (first) {
    await keystone.write('PATCH', `/endpoints/${first.id}`, { endpoint: { url, enabled: true } });
    keystone.changes.push(`changed ${face} endpoint of ${wanted.name} to ${url}`);
    return;
  }
  const endpoint = { service_id: service.id, interface: face, url, region_id: keystone.region, enabled: true };
  await keystone.write('POST', '/endpoints', { endpoint });
  keystone.changes.push(`created ${face} endpoint of ${wanted.name}`);
}
