import { hashOf } from '../hash.ts';
import { isSecret } from '../model/secret.ts';
import type { LoadedService } from '../schema/service-file.ts';
import type { FieldReader } from './evaluate.ts';
import { configDirectory, containerKey } from './input.ts';
import type { ImagelessSpec } from './model.ts';

/** A container's settings on one host, its expressions evaluated. */
export function specOf(service: LoadedService, name: string, reader: FieldReader): ImagelessSpec {
  const container = service.definition.containers[name];
  if (container === undefined) throw new Error(`${name} is not a container of ${service.definition.service}`);
  const at = (...path: (string | number)[]) => ['containers', name, ...path];
  const extra = reader.variable('default_extra_volumes');
  const environment = Object.entries(container.environment).map(
    ([key, value]) => [key, reader.guarded(value, at('environment', key))] as const,
  );
  const health = container.healthcheck;
  const dimensions = container.dimensions === undefined ? {} : reader.value(container.dimensions, at('dimensions'));
  return {
    name,
    environment: {
      KOLLA_CONFIG_STRATEGY: 'COPY_ALWAYS',
      KOLLA_SERVICE_NAME: containerKey(name),
      ...Object.fromEntries(environment),
    },
    volumes: [
      `${configDirectory(name)}:/var/lib/kolla/config_files/:ro`,
      ...(container.logs ? ['kolla_logs:/var/log/kolla/'] : []),
      ...(Array.isArray(extra) ? extra.map(String) : []),
      ...container.volumes.map((volume, i) => reader.text(volume, at('volumes', i))),
    ].filter((volume) => volume !== ''),
    privileged: container.privileged,
    capAdd: container.cap_add,
    pidMode: container.pid_mode,
    ipcMode: container.ipc_mode,
    healthcheck: health && {
      test: reader.text(health.test, at('healthcheck', 'test')),
      interval: health.interval,
      timeout: health.timeout,
      retries: health.retries,
      startPeriod: health.start_period,
    },
    dimensions: isRecord(dimensions) ? dimensions : {},
    restart: 'unless-stopped',
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Secrets count into the hash; the hash shows none of them. */
export function specHashOf(spec: ImagelessSpec, extra: string): string {
  const environment = Object.entries(spec.environment).map(([key, value]) => [
    key,
    isSecret(value) ? value.reveal() : value,
  ]);
  return hashOf({ ...spec, environment, extra });
}
