#!/bin/sh
# usage: on_host.sh HOST COMMAND [ARGUMENT]...   a command on one of the hosts of hosts.sh
# Every host has a network, a name and a /dev/shm of its own (ranks of two hosts that share memory crash). Not
# `ip netns exec`, which hides /sys/fs/cgroup; slurmd wants it.
set -eu
# shellcheck disable=SC2016 # expanded over there
exec nsenter --net="/run/netns/$1" unshare --uts --mount sh -c '
    hostname "$1" && mount -t tmpfs shm /dev/shm && shift && exec "$@"' on_host "$@"
