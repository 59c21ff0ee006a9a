#!/bin/sh
# Jobs that another partition pre-empts: they go back to the queue, go on, and end with the same bits.
# shellcheck source=tests/slurm/jobs.sh
. "$T5MPI_SOURCE_DIR/tests/slurm/jobs.sh"
cluster_up
make_work 10 '1, 2'

# The ranks are held until Slurm has decided, and for another second: the sweep is short.
is_pre_empted() { scontrol -o show job "$job" | grep -q ' PreemptTime=[0-9]'; }
# pre_empted_after EPOCHS TIMES: $job, for the TIMES-th time
pre_empted_after() {
    seen_now "$run.out"
    wait_for_epochs "$run.out" "$1"
    pkill -STOP -x t5mpi
    high=$(sbatch --parsable --partition=high --nodes=4 --ntasks-per-node=2 --output=high.out --wrap=true)
    in_time 60 is_pre_empted || fail "job $job is not pre-empted"
    sleep 1
    pkill -CONT -x t5mpi
    expect_end "$high" COMPLETED 60
    [ "$(starts "$job")" -eq "$2" ] || fail "job $job: $(starts "$job") restarts, expected $2"
}
# ends_well TIMES STATUS: $job, having queued itself again TIMES times with that status
ends_well() {
    expect_end "$job" COMPLETED
    [ "$(grep -c "(status $2): job $job goes back to the queue" "$run.out")" -eq "$1" ] ||
        fail "$run.out: expected $1 times back to the queue, with status $2"
    expect_same "$run"
}

for T5MPI_LAUNCH in mpirun srun; do
    export T5MPI_LAUNCH
    run=$T5MPI_LAUNCH
    job=$(submit sweep-cpu.sbatch "$run" --nodes=2 --ntasks-per-node=2 --cpus-per-task=1)
    pre_empted_after 3 1
    pre_empted_after 3 2
    ends_well 2 75
done

# Where Slurm sends no USR1 the ranks get SIGTERM, and mpirun may end in any way.
sed -i /preempt_send_user_signal/d "$SLURM_CONF"
scontrol reconfigure
export T5MPI_LAUNCH=mpirun
run=no-signal
job=$(submit sweep-cpu.sbatch $run --nodes=2 --ntasks-per-node=2 --cpus-per-task=1)
pre_empted_after 3 1
ends_well 1 "[0-9]*"
remove_work
