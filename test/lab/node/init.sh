#!/bin/bash
# First process of a lab node: runs sshd and dockerd and starts either again when it dies.
# While /run/lab-hold-sshd or /run/lab-hold-dockerd exists, a dead one stays dead (fault tests).
set -u
lab=/var/lib/deploy-lab/node

# The outer engine mounts these files, which makes replacing them by rename impossible. On a real host they are plain.
make_plain() {
  mountpoint -q "$1" || return 0
  local content
  content=$(cat "$1")
  umount "$1" || return 0
  [ -s "$1" ] || printf '%s\n' "$content" >"$1"
}
make_plain /etc/hostname
make_plain /etc/hosts
if [ -s "$lab/resolv.conf" ]; then
  umount /etc/resolv.conf 2>/dev/null
  cat "$lab/resolv.conf" >/etc/resolv.conf
fi

# With cgroup v2 the controllers can be handed down only while the top group holds no process.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p /sys/fs/cgroup/init
  while read -r pid; do echo "$pid" >/sys/fs/cgroup/init/cgroup.procs; done </sys/fs/cgroup/cgroup.procs 2>/dev/null
  sed -e 's/^/+/' -e 's/ / +/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
fi

# Mounts made inside nested containers must be able to spread as on a host.
mount --make-rshared /

mkdir -p /run/sshd /run/lock /etc/docker
[ -e /etc/docker/daemon.json ] || cp "$lab/daemon.json" /etc/docker/daemon.json

run_sshd() { /usr/sbin/sshd -D -e; }
run_dockerd() {
  # Left by a killed engine, these keep the next one from starting.
  rm -f /run/docker.pid /run/docker/containerd/containerd.pid
  # shellcheck disable=SC2046 # one flag per word is what is wanted
  dockerd $(cat "$lab/dockerd.flags" 2>/dev/null)
}
keep() {
  trap - TERM
  while [ ! -e /run/lab-stopping ]; do
    [ -e "/run/lab-hold-$1" ] || "run_$1" >>"/var/log/$1.log" 2>&1
    sleep 0.5
  done
}

stop() {
  touch /run/lab-stopping
  pkill -TERM -x dockerd
  for _ in $(seq 150); do
    pgrep -x dockerd >/dev/null || break
    sleep 0.1
  done
  exit 0
}
trap stop TERM INT

keep sshd &
keep dockerd &
while :; do wait; sleep 1; done
