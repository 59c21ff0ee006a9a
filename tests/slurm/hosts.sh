# shellcheck shell=sh
# Several hosts on one machine, for scripts that isolate.sh started: network namespaces joined by a switch.
#   . hosts.sh; hosts_up 4        n1 (10.77.0.1) to n4, ctl (10.77.0.254); the script itself is at 10.77.0.253
#   on_host n1 COMMAND...         in the foreground of the caller
#   link_down n2                  its network cable is cut
here=$T5MPI_SOURCE_DIR/tests/slurm

on_host() { "$here/on_host.sh" "$@"; }
link_down() { ip -n "$1" link set v0 down; }

# add_host NAME NUMBER
add_host() {
    ip netns add "$1"
    ip -n "$1" link set lo up
    ip link add v0 netns "$1" type veth peer name "p$1" netns switch
    ip -n switch link set "p$1" master br0 up
    ip -n "$1" addr add "10.77.0.$2/24" dev v0
    ip -n "$1" link set v0 up
}

# hosts_up N
hosts_up() {
    mount -t tmpfs run /run
    mount -t tmpfs shm /dev/shm
    ip netns add switch
    ip -n switch link set lo up
    ip -n switch link add br0 type bridge
    ip -n switch link set br0 up
    number=1
    while [ "$number" -le "$1" ]; do
        add_host "n$number" "$number"
        number=$((number + 1))
    done
    add_host ctl 254
    ip link set lo up
    ip link add v0 type veth peer name pscript netns switch
    ip -n switch link set pscript master br0 up
    ip addr add 10.77.0.253/24 dev v0
    ip link set v0 up
}
