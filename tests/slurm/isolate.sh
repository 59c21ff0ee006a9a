#!/bin/sh
# usage: isolate.sh SCRIPT [ARGUMENT]...
# Runs a test in namespaces of its own (processes, mounts, network, IPC, host name), as their first process: when it
# ends, or is killed however hard, the kernel ends every process that it started and takes the mounts and networks
# along. Exit status 77, with the reason: not possible here.
set -u

skip() {
    echo "[  SKIPPED ] slurm: $*" # as cmocka says it; bootstrap.sh repeats such lines
    exit 77
}

for program in unshare nsenter ip mount; do
    command -v "$program" >/dev/null 2>&1 || skip "no $program (Debian packages util-linux, iproute2, mount)"
done
[ "$(id -u)" -eq 0 ] || skip "needs root, for network namespaces and for Slurm's daemons"
set -- unshare --fork --pid --kill-child --mount --mount-proc --net --ipc --uts "$@"
# All that the tests do with their namespaces, tried out. What is ip's and what is the kernel's to refuse differs.
reason=$(unshare --fork --pid --kill-child --mount --mount-proc --net --ipc --uts sh -c '
    set -e
    mount -t tmpfs run /run
    ip netns add try
    ip -n try link add br0 type bridge
    ip link add v0 type veth peer name p0 netns try
    nsenter --net=/run/netns/try unshare --uts --mount sh -c "hostname try && mount -t tmpfs shm /dev/shm"' 2>&1) ||
    skip "namespaces are not allowed here: $reason"
exec "$@"
