import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { INSIDE_NODE, paths } from './settings.ts';

/** Bit number of CAP_SYS_RESOURCE in the kernel's capability masks. */
const SYS_RESOURCE = 24n;

/** Name under which the wrapper is registered with the engines. */
export const RUNTIME_NAME = 'runc-without-sys-resource';
/** Lies in the folder that the nodes mount, so that both engines can use it: the outer one by this path. */
export const RUNTIME_PATH = join(paths.node, RUNTIME_NAME);
/** The same file as the engines in the nodes see it. */
export const RUNTIME_INSIDE = join(INSIDE_NODE, 'node', RUNTIME_NAME);

/**
 * runc refuses a container that asks for a capability the machine itself lacks, and privileged containers ask for
 * all of them. This wrapper takes CAP_SYS_RESOURCE out of what it is given (the bundle's config.json, or the file
 * of `exec --process`) and goes on as runc.
 */
const WRAPPER = `#!/bin/sh
strip() {
  [ -f "$1" ] || return 0
  sed -i -e 's/"CAP_SYS_RESOURCE"[[:space:]]*,//g' -e 's/,[[:space:]]*"CAP_SYS_RESOURCE"//g' \\
    -e 's/"CAP_SYS_RESOURCE"//g' "$1"
}
previous=
for word in "$@"; do
  case "$previous" in
    -b|--bundle) strip "$word/config.json" ;;
    -p|--process) strip "$word" ;;
  esac
  case "$word" in
    --bundle=*) strip "\${word#--bundle=}/config.json" ;;
    --process=*) strip "\${word#--process=}" ;;
  esac
  previous=$word
done
exec runc "$@"
`;

/** Whether this machine's bounding set lacks CAP_SYS_RESOURCE, read from /proc. */
export function lacksSysResource(status: string = readFileSync('/proc/self/status', 'utf8')): boolean {
  const mask = /^CapBnd:\s*([0-9a-fA-F]+)$/m.exec(status)?.[1];
  if (mask === undefined) return false;
  return ((BigInt(`0x${mask}`) >> SYS_RESOURCE) & 1n) === 0n;
}

/** Writes the wrapper; harmless where it is not used. */
export function writeRuntimeWrapper(): void {
  mkdirSync(paths.node, { recursive: true, mode: 0o755 });
  writeFileSync(RUNTIME_PATH, WRAPPER);
  chmodSync(RUNTIME_PATH, 0o755);
}
