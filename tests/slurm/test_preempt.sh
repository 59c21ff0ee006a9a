#!/bin/sh
# Jobs that another partition pre-empts twice: they go back to the queue, go on, and end with the same bits.
# shellcheck source=tests/slurm/jobs.sh
. "$T5MPI_SOURCE_DIR/tests/slurm/jobs.sh"
cluster_up
make_work 10 '1, 2'

for T5MPI_LAUNCH in mpirun srun; do
    export T5MPI_LAUNCH
    run=$T5MPI_LAUNCH
    job=$(submit sweep-cpu.sbatch "$run" --nodes=2 --ntasks-per-node=2 --cpus-per-task=1)
    for times in 1 2; do
        seen_now "$run.out"
        wait_for_epochs "$run.out" 3
        high=$(sbatch --parsable --partition=high --nodes=4 --ntasks-per-node=2 --output=high.out --wrap=true)
        expect_end "$high" COMPLETED 60
        [ "$(starts "$job")" -eq $times ] || fail "job $job: $(starts "$job") restarts, expected $times"
    done
    expect_end "$job" COMPLETED
    [ "$(grep -c "job $job goes back to the queue" "$run.out")" -eq 2 ] || fail "$run.out: twice into the queue"
    expect_same "$run"
done
remove_work
