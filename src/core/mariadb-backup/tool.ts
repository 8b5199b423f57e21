import type { GaleraMember } from '../galera/member.ts';
import type { RecoveryMember } from '../galera/recover-plan.ts';
import { type HostName, label } from '../model/node.ts';
import { Secret } from '../model/secret.ts';
import { compareFiles } from '../plan/compare.ts';
import { labelsFor } from '../plan/replace.ts';
import type { PlanBuilder, StepId } from '../plan/steps.ts';
import { buildConfigJson } from '../render/config-json.ts';

/** What the operator has set for backups, and the program that takes them. */
export interface BackupSettings {
  readonly site: string;
  /** Name of the volume on each node. */
  readonly volume: string;
  readonly user: string;
  readonly password: Secret;
  /** Full backups that are kept. */
  readonly keep: number;
  /** Text of `backup/backup.sh` of the service. */
  readonly script: string;
}

/** The container in which backups are taken and prepared, by the name it has in Kolla-Ansible. */
export const toolContainer = 'mariabackup';

const configDirectory = '/var/lib/kolla/config_files';
const dataDirectory = '/var/lib/mysql';
const storeDirectory = '/backup';
const program = '/usr/local/bin/backup.sh';
const defaults = '/etc/mysql/backup.cnf';

/** Data of any size may take its time. */
const timeoutSeconds = 24 * 3600;

/** Our images hand on by themselves what Kolla's own need to be told to. */
const setUp = `{ sudo kolla_set_configs || sudo -E kolla_set_configs; } >/dev/null 2>&1 && exec bash ${program} "$@"`;

/** What the program is to do, and why. */
interface ToolStep {
  readonly what: string;
  readonly args: readonly string[];
  readonly needs: readonly StepId[];
  readonly reason: string;
  /** It reads the member's data directory. */
  readonly data?: boolean | undefined;
}

/** A step that runs the program of the backups beside a member, with the image that member runs. */
export function toolStep(plan: PlanBuilder, settings: BackupSettings, member: RecoveryMember, step: ToolStep): StepId {
  const { container, image, place } = member;
  const { host, service } = container;
  const change = { container, image, files: compareFiles(container.directory, [], [], new Set<string>()) };
  const labels = { ...labelsFor(settings.site, change), [label.container]: toolContainer };
  const action = {
    kind: 'task',
    what: step.what,
    name: toolContainer,
    spec: specFor(settings, member, step),
    labels,
    directory: configDirectory,
    files: [
      { name: 'config.json', content: config },
      { name: 'backup.sh', content: settings.script },
      { name: 'backup.cnf', content: clientFile(place.server, settings) },
    ],
    timeoutSeconds,
  } as const;
  return plan.add(
    { service, host, needs: step.needs, reason: step.reason, impact: 'none' },
    action,
    step.args.join('-'),
  );
}

/** The member's own form, with another configuration in the place of its own, and its data only to be read. */
function specFor(settings: BackupSettings, { container, image, place }: RecoveryMember, { args, data }: ToolStep) {
  const kept = container.spec.volumes.filter((bind) => !isAt(bind, configDirectory) && !isAt(bind, dataDirectory));
  return {
    ...container.spec,
    image,
    name: toolContainer,
    command: ['bash', '-c', setUp, 'sh', ...args],
    volumes: [
      ...kept,
      ...(data ? [`${place.volume}:${dataDirectory}:ro`] : []),
      `${settings.volume}:${storeDirectory}`,
    ],
    restart: 'no' as const,
    healthcheck: undefined,
  };
}

function isAt(bind: string, path: string): boolean {
  return bind.split(':')[1]?.replace(/\/$/, '') === path;
}

const config = buildConfigJson({
  command: program,
  files: [
    { name: 'backup.sh', dest: program, owner: 'mysql', perm: '0700' },
    { name: 'backup.cnf', dest: defaults, owner: 'mysql', perm: '0600' },
  ],
  directories: [],
  // Also of what was brought back from elsewhere.
  permissions: [{ path: storeDirectory, owner: 'mysql:mysql', recurse: true }],
});

/** Where the program finds the server, and its password. */
function clientFile({ address, port }: GaleraMember['server'], { user, password }: BackupSettings): Secret {
  const quoted = password.reveal().replaceAll('\\', '\\\\');
  return new Secret(`[client]\nhost=${address}\nport=${port}\nuser=${user}\npassword="${quoted}"\n`);
}

/** The member of a host, which must have been looked at. */
export function memberOf(members: readonly RecoveryMember[], host: HostName): RecoveryMember {
  const found = members.find(({ place }) => place.host === host);
  if (found === undefined) throw new Error(`${host} was decided about but not looked at`);
  return found;
}
