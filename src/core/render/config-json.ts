export interface ConfigJsonFile {
  /** Name in the container's config directory; a glob or a directory is allowed. */
  readonly name: string;
  /** A trailing `/` means into that directory. */
  readonly dest: string;
  readonly owner: string;
  /** Octal, `0600`. */
  readonly perm: string;
  readonly optional?: boolean | undefined;
}

export interface ConfigJsonInput {
  readonly command: string;
  readonly files: readonly ConfigJsonFile[];
  readonly directories: readonly { readonly path: string; readonly owner: string; readonly perm: string }[];
  readonly permissions: readonly {
    readonly path: string;
    readonly owner: string;
    readonly perm?: string | undefined;
    readonly recurse?: boolean | undefined;
  }[];
}

const sourceDirectory = '/var/lib/kolla/config_files';

/**
 * The `config.json` that the image's start script reads. Entries keep their order, keys have a fixed one, and
 * permissions have four digits because `kolla_set_configs --check` compares them as text.
 */
export function buildConfigJson(input: ConfigJsonInput): string {
  const content = {
    command: input.command,
    config_files: input.files.map((file) => ({
      source: `${sourceDirectory}/${file.name}`,
      dest: file.dest,
      owner: file.owner,
      perm: fourDigits(file.perm),
      ...(file.optional ? { optional: true } : {}),
    })),
    ...(input.directories.length > 0 ? { directories: input.directories.map(directoryEntry) } : {}),
    ...(input.permissions.length > 0 ? { permissions: input.permissions.map(permissionEntry) } : {}),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

function directoryEntry(entry: ConfigJsonInput['directories'][number]): object {
  return { path: entry.path, owner: entry.owner, perm: fourDigits(entry.perm) };
}

function permissionEntry(entry: ConfigJsonInput['permissions'][number]): object {
  return {
    path: entry.path,
    owner: entry.owner,
    ...(entry.perm === undefined ? {} : { perm: fourDigits(entry.perm) }),
    ...(entry.recurse === undefined ? {} : { recurse: entry.recurse }),
  };
}

function fourDigits(perm: string): string {
  return perm.padStart(4, '0');
}
