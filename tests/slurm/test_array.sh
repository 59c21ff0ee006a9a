#!/bin/sh
# A sweep in parts, by a job array, put together by `t5mpi report`; one part is cancelled first and run again alone.
# shellcheck source=tests/slurm/jobs.sh
. "$T5MPI_SOURCE_DIR/tests/slurm/jobs.sh"
cluster_up
make_work 3 '1, 2'
shape='--nodes=1 --ntasks=2 --cpus-per-task=1'

# shellcheck disable=SC2086 # several words
job=$(submit array.sbatch parts --array=1-3 --hold $shape)
scancel "${job}_2"
scontrol release "$job"
expect_end "${job}_1" COMPLETED
expect_end "${job}_3" COMPLETED
"$T5MPI" report parts >report.out 2>&1 || fail 'no report of two parts'
expect_text report.out 'Part 2 of 3 is missing'

# shellcheck disable=SC2086
job=$(T5MPI_PARTS=3 T5MPI_LAUNCH=srun submit array.sbatch parts --array=2 $shape)
expect_end "${job}_2" COMPLETED
"$T5MPI" report parts >report.out 2>&1 || fail 'no report of the parts'
expect_text report.out 'top80_seed2 *completed'
if grep -q missing report.out; then fail 'a part is missing'; fi
# The files of all parts in one folder, below the undisturbed run's results.h5, whose links then lead to them.
mkdir together
cp -r whole/results.h5 parts/part-*/trials parts/part-*/checkpoints together
expect_same together
remove_work
