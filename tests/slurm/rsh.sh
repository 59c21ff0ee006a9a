#!/bin/sh
# What mpirun takes for ssh between the hosts of hosts.sh: rsh.sh [OPTION]... HOST COMMAND...
set -eu
while [ "${1#-}" != "$1" ]; do shift; done
host=$1
shift
exec "$(dirname "$0")/on_host.sh" "$host" sh -c "$*"
