const sentences: Readonly<Record<string, string>> = {
  ENOENT: 'the file does not exist',
  EACCES: 'no permission',
  EPERM: 'not permitted',
  EISDIR: 'is a directory, not a file',
  ENOTDIR: 'a part of the path is not a directory',
  ENOSPC: 'no space left on the device',
  EROFS: 'the file system is read-only',
  ELOOP: 'too many symbolic links',
};

/** An error of the file system in words; anything else is a bug and thrown on. */
export function fileProblem(cause: unknown): string {
  if (!(cause instanceof Error) || !('code' in cause)) throw cause;
  return sentences[String(cause.code)] ?? cause.message;
}

export function isErrno(cause: unknown, code: string): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === code;
}
