#!/bin/sh
# mpirun over several hosts, without Slurm: a rank is killed, then a host's link is cut; each time the rest ends, and
# --resume goes on with what is left.
# shellcheck source=tests/slurm/jobs.sh
. "$T5MPI_SOURCE_DIR/tests/slurm/jobs.sh"
hosts_up 3
make_work 20 '1, 2'

# start HOSTS: in the background, its number in $pid
start() {
    seen_now hosts.out
    on_host n1 "$T5MPI_SOURCE_DIR/tests/mpirun.sh" --mca plm_rsh_agent "$here/rsh.sh" \
        --mca oob_tcp_keepalive_time 5 --mca oob_tcp_keepalive_intvl 2 --mca oob_tcp_keepalive_probes 3 \
        --host "$1" "$T5MPI" run sweep.cfg --resume --output hosts >>hosts.out 2>&1 &
    pid=$!
}

# ends STATUS SECONDS: mpirun ends with that status, and its ranks with it
is_gone() { ! kill -0 "$pid" 2>/dev/null; }
no_ranks() { ! pgrep -x t5mpi >/dev/null; }
ends() {
    in_time "$2" is_gone || fail "mpirun does not end"
    status=0
    wait "$pid" || status=$?
    [ "$status" -eq "$1" ] || fail "mpirun: status $status, expected $1"
    in_time 20 no_ranks || fail 'ranks are left'
}

start n1:2,n2:2,n3:2
wait_for_epochs hosts.out 5
pkill -KILL -n -x t5mpi
ends 137 40

start n1:2,n2:2
wait_for_epochs hosts.out 5
link_down n2
ends 205 60

start n1:2
ends 0 120
expect_same hosts
remove_work
