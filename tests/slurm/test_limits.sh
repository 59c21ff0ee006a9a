#!/bin/sh
# A job whose time runs out, one that is cancelled, and jobs with a rank that is killed.
# shellcheck source=tests/slurm/jobs.sh
. "$T5MPI_SOURCE_DIR/tests/slurm/jobs.sh"
cluster_up
make_work 10 '1, 2'
export T5MPI_LAUNCH=mpirun
shape='--nodes=2 --ntasks-per-node=2 --cpus-per-task=1'

# Slurm looks at the time every half minute. Until it has sent the signal the ranks are held, since the sweep is short.
signal_waits() { grep -q '^ShdPnd:.*[2367abef]..$' "/proc/$(pgrep -o -x t5mpi)/status"; }
# shellcheck disable=SC2086 # several words
job=$(submit sweep-cpu.sbatch time $shape --time=1 --signal=B:USR1@50)
seen_now time.out
wait_for_epochs time.out 3
pkill -STOP -x t5mpi
in_time 60 signal_waits || fail 'no signal before the end of the time'
pkill -CONT -x t5mpi
was_requeued() { [ "$(starts "$job")" -eq 1 ]; }
in_time 60 was_requeued || fail "job $job was not queued again"
expect_text time.out "(status 75): job $job goes back to the queue"
scontrol update "JobId=$job" TimeLimit=10 # time for the rest
expect_end "$job" COMPLETED
expect_same time

# Cancelled: it stays cancelled; another job goes on.
# shellcheck disable=SC2086
job=$(submit sweep-cpu.sbatch cancelled $shape)
seen_now cancelled.out
wait_for_epochs cancelled.out 3
scancel "$job"
expect_end "$job" CANCELLED 40
if grep -q 'back to the queue' cancelled.out; then fail "job $job wants to be queued again"; fi
# shellcheck disable=SC2086
expect_end "$(submit sweep-cpu.sbatch cancelled $shape)" COMPLETED
expect_same cancelled

# A rank is killed: the job ends as a whole, is not queued again, and another job goes on.
for T5MPI_LAUNCH in mpirun srun; do
    run=killed-$T5MPI_LAUNCH
    # shellcheck disable=SC2086
    job=$(submit sweep-cpu.sbatch "$run" $shape)
    seen_now "$run.out"
    wait_for_epochs "$run.out" 3
    pkill -KILL -n -x t5mpi
    expect_end "$job" FAILED 40
    # shellcheck disable=SC2086
    expect_end "$(submit sweep-cpu.sbatch "$run" $shape)" COMPLETED
    expect_same "$run"
done
remove_work
