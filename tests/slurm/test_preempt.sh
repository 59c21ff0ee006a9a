#!/bin/sh
# Jobs that another partition pre-empts: they go back to the queue, go on, and end with the same bits.
# shellcheck source=tests/slurm/jobs.sh
. "$T5MPI_SOURCE_DIR/tests/slurm/jobs.sh"
cluster_up
make_work 10 '1, 2'

# pre_empted_after EPOCHS TIMES: $job, for the TIMES-th time
pre_empted_after() {
    seen_now "$run.out"
    wait_for_epochs "$run.out" "$1"
    high=$(sbatch --parsable --partition=high --nodes=4 --ntasks-per-node=2 --output=high.out --wrap=true)
    expect_end "$high" COMPLETED 60
    [ "$(starts "$job")" -eq "$2" ] || fail "job $job: $(starts "$job") restarts, expected $2"
}
# ends_well TIMES: $job, having queued itself again TIMES times
ends_well() {
    expect_end "$job" COMPLETED
    [ "$(grep -c "job $job goes back to the queue" "$run.out")" -eq "$1" ] || fail "$run.out: expected $1 times in the queue"
    expect_same "$run"
}

for T5MPI_LAUNCH in mpirun srun; do
    export T5MPI_LAUNCH
    run=$T5MPI_LAUNCH
    job=$(submit sweep-cpu.sbatch "$run" --nodes=2 --ntasks-per-node=2 --cpus-per-task=1)
    pre_empted_after 3 1
    pre_empted_after 3 2
    ends_well 2
done

# Where Slurm sends no USR1 the ranks get SIGTERM, and mpirun may end in any way.
sed -i /preempt_send_user_signal/d "$SLURM_CONF"
scontrol reconfigure
export T5MPI_LAUNCH=mpirun
run=no-signal
job=$(submit sweep-cpu.sbatch $run --nodes=2 --ntasks-per-node=2 --cpus-per-task=1)
pre_empted_after 3 1
ends_well 1
remove_work
