import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoadedService } from '../../core/schema/service-file.ts';

/** Every template of the given services, by `<service>/<name>`. A service without a templates folder has none. */
export async function readTemplates(
  services: readonly LoadedService[],
): Promise<ReadonlyMap<string, { readonly text: string; readonly file: string }>> {
  const found = await Promise.all(
    services.map(async (service) => {
      const folder = join(service.directory, 'templates');
      const names = await templateNames(folder);
      return Promise.all(
        names.map(async (name) => {
          const file = join(folder, name);
          return [`${service.definition.service}/${name}`, { text: await readFile(file, 'utf8'), file }] as const;
        }),
      );
    }),
  );
  return new Map(found.flat());
}

async function templateNames(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true });
    return entries.filter((name) => name.endsWith('.hbs'));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw cause;
  }
}
