# shellcheck shell=sh
# A Slurm of the nodes n1 to n4 for scripts that isolate.sh started; everything of it lies in /run, which is theirs.
#   . cluster.sh; cluster_up
# Two processors and one GPU (/dev/null) a node; jobs in the partition `high` pre-empt those in `batch`.
# shellcheck source=tests/slurm/hosts.sh
. "$T5MPI_SOURCE_DIR/tests/slurm/hosts.sh"
PATH=$PATH:/usr/sbin:/sbin
export SLURM_CONF=/run/slurm/slurm.conf

write_slurm_conf() {
    cat >"$SLURM_CONF" <<'CONF'
ClusterName=test
SlurmctldHost=ctl(10.77.0.254)
SlurmUser=root
SlurmdUser=root
# cred_expire: so many seconds until a requeued job starts again
AuthInfo=socket=/run/munge/socket,cred_expire=5
StateSaveLocation=/run/slurm/state
SlurmdSpoolDir=/run/slurm/%n
TmpFS=/run/slurm/%n
SlurmctldPidFile=/run/slurm/slurmctld.pid
SlurmdPidFile=/run/slurm/%n.pid
SlurmctldLogFile=/run/slurm/slurmctld.log
SlurmdLogFile=/run/slurm/%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
# The nodes are what is said here, whatever the machine has.
SlurmdParameters=config_overrides
MpiDefault=pmix
KillWait=20
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
EnforcePartLimits=ALL
# looks for jobs to start every second, not every half minute
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
GresTypes=gpu
NodeName=n[1-4] NodeAddr=10.77.0.[1-4] CPUs=2 RealMemory=4000 Gres=gpu:1
PartitionName=batch Nodes=ALL Default=YES PriorityTier=1 GraceTime=20
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF
CONF
    echo 'NodeName=n[1-4] Name=gpu File=/dev/null' >/run/slurm/gres.conf
}

# The daemons' last words, for a test that failed.
cluster_logs() {
    for log in /run/slurm/*.log /run/munge/log; do
        echo "--- $log"
        tail -n 20 "$log"
    done
}

# in_time SECONDS COMMAND...: tries until it succeeds
in_time() {
    tries=$(($1 * 5))
    shift
    until "$@"; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then return 1; fi
        sleep 0.2
    done
}

# state NAME: every node is
nodes_are() { [ "$(sinfo -h -o %T 2>/dev/null)" = "$1" ]; }

cluster_up() {
    hosts_up 4
    mkdir -p /run/munge /run/slurm/state
    write_slurm_conf
    (umask 077 && head -c 128 /dev/urandom >/run/munge/key)
    munged --force --key-file=/run/munge/key --socket=/run/munge/socket --pid-file=/run/munge/pid \
        --seed-file=/run/munge/seed --log-file=/run/munge/log
    on_host ctl slurmctld -D >/dev/null 2>&1 &
    for node in n1 n2 n3 n4; do
        mkdir "/run/slurm/$node"
        on_host "$node" slurmd -D -N "$node" >/dev/null 2>&1 &
    done
    if ! in_time 20 nodes_are idle; then
        cluster_logs
        echo "FAILED: Slurm has not started"
        exit 1
    fi
}
