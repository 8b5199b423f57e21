import { appendScript } from './run-log.ts';

/**
 * Ends the SSH connection that process `$1` was started over, with everything that is forwarded in it. A run that stood
 * still can then no longer reach the engine with what it was about to do when it stopped.
 */
const sever = `sever() {
  p=$1
  for _ in 1 2 3 4; do
    p=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$p/status" 2>/dev/null)
    case $(cat "/proc/$p/comm" 2>/dev/null) in
      sshd*) kill -s KILL "$p"; for _ in 1 2 3 4 5; do kill -0 "$p" || break; sleep 0.1; done; return ;;
    esac
  done 2>/dev/null
}
`;

/**
 * `$1` directory, `$2` seconds without a heartbeat after which the lock is given up, `$3` run, `$4` the node's log of
 * runs; on stdin the holder, then heartbeats, lines to log and `release`, each read without a byte of the next one.
 * The kernel's lock on descriptor 9 ends with the last process that has it, so it needs no cleaning up. Commands of a
 * run hold `busy` shared while they work (see `fenced`): what a dead run left working is waited for, not worked beside.
 * Letting go starts no process and does not wait for its own end: while the engine starts containers, the kernel holds
 * forks and exits back for up to hundreds of milliseconds each.
 */
export const lockScript = `${sever}umask 077
${appendScript}
mkdir -p "$1" && cd "$1" && exec 9<>lock 8<>busy || exit 74
command -v flock >/dev/null && command -v timeout >/dev/null || { echo missing; exit 74; }
IFS= read -r holder || exit 74
age() { echo $(( $(date +%s) - $(stat -c %Y holder 2>/dev/null || date +%s) )); }
if ! flock -n 9; then echo "held $(age) $(cat holder 2>/dev/null)"; exit 75; fi
if ! flock -w 2 8; then echo "busy $(age) $(cat holder 2>/dev/null)"; exit 75; fi
left=$(cat holder 2>/dev/null)
printf '%s\\n' "$holder" >holder.new && mv -f holder.new holder && printf '%s' "\${3}" >run && echo "$$" >pid || exit 74
flock -u 8
echo "taken $left"
while line=$(timeout --foreground "$2" sh -c 'IFS= read -r line && printf "%s\\n" "$line"'); ended=$?; [ -n "$line" ]; do
  case $line in
    release) rm -f holder && break ;;
    "log "*) if append "$4" "\${line#log }"; then echo logged; else echo unlogged; fi || break ;;
    *) echo "$line" || break ;;
  esac
done
true >run; true >pid
[ "$ended" != 124 ] || sever "$$"
exec 9>&-
`;

/** `$1` directory; prints `free`, or `held`, its age in seconds and its holder. */
export const statusScript = `cd "$1" 2>/dev/null || { echo free; exit 0; }
exec 9<>lock || exit 74
age() { echo $(( $(date +%s) - $(stat -c %Y holder 2>/dev/null || date +%s) )); }
if flock -n 9; then echo free; else echo "held $(age) $(cat holder 2>/dev/null)"; fi
`;

/**
 * `$1` directory, `$2` run, `$3` the node's log of runs, `$4` what to write there. A run that waits for the lock may
 * have it before this does: then it is free of `$2` all the same, and what stands there is the other one's.
 */
export const breakScript = `${sever}umask 077
${appendScript}
cd "$1" 2>/dev/null || exit 3
[ "$(cat run 2>/dev/null)" = "$2" ] || exit 3
pid=$(cat pid)
group=$(cut -d ' ' -f 5 "/proc/$pid/stat" 2>/dev/null)
sever "$pid"
kill -s KILL -- "-$group" 2>/dev/null
exec 9<>lock
tries=0 taken=
until flock -n 9; do
  now=$(cat run 2>/dev/null)
  [ -z "$now" ] || [ "$now" = "$2" ] || taken=yes
  [ -z "$taken" ] || break
  tries=$((tries + 1)); [ "$tries" -lt 60 ] || exit 4
  sleep 0.05
done
[ -n "$taken" ] || rm -f holder run pid
append "$3" "$4" || exit 5
`;
