#!/bin/sh
# The sweep over 2 and 4 nodes, started by mpirun and by srun; wrong settings; scripts that ask for GPUs.
# shellcheck source=tests/slurm/jobs.sh
. "$T5MPI_SOURCE_DIR/tests/slurm/jobs.sh"
cluster_up
make_work 2 1

# Wrong first: the job ends with t5mpi's or the script's status and is not queued again.
export T5MPI_LAUNCH=prrte
expect_end "$(submit sweep-cpu.sbatch wrong --nodes=1 --ntasks-per-node=1 --cpus-per-task=1)" FAILED
expect_text wrong.out 'T5MPI_LAUNCH: found prrte, allowed: mpirun, srun'
for T5MPI_LAUNCH in mpirun srun; do
    job=$(submit sweep-cpu.sbatch wrong-$T5MPI_LAUNCH --nodes=2 --ntasks-per-node=1 --cpus-per-task=1 \
        --export=ALL,T5MPI="$T5MPI --no-such-option")
    expect_end "$job" FAILED
    expect_text wrong-$T5MPI_LAUNCH.out 'no-such-option'
    scontrol -o show job "$job" | grep -q 'Restarts=0 .*ExitCode=2:0' || fail "job $job: expected exit status 2"
done

for T5MPI_LAUNCH in mpirun srun; do
    for nodes in 2 4; do
        run=$T5MPI_LAUNCH$nodes
        expect_end "$(submit sweep-cpu.sbatch "$run" --nodes=$nodes --ntasks-per-node=1 --cpus-per-task=2)" COMPLETED
        expect_text "$run.out" "trials on $((nodes / 2)) group"
        expect_text "$run.out" '2 threads per rank'
        expect_same "$run"
    done
done

# A GPU a node: accepted, and seen by the job; three are refused.
gpus() { sbatch --test-only --nodes=1 --ntasks-per-node=1 --gres=gpu:"$1" --cpus-per-task=1 \
    "$T5MPI_SOURCE_DIR/slurm/$2" sweep.cfg >gpus.out 2>&1; }
for script in sweep.sbatch array.sbatch; do
    if gpus 3 $script; then fail "$script with three GPUs a node was accepted"; fi
    gpus 1 $script || fail "$script with a GPU a node was refused"
done
# Here it is /dev/null: the job has it, t5mpi finds no GPU, and says so.
cat >shows_gpus.sh <<SCRIPT
#!/bin/sh
echo "GPUs: \$CUDA_VISIBLE_DEVICES"
exec "$T5MPI" "\$@"
SCRIPT
chmod +x shows_gpus.sh
for T5MPI_LAUNCH in mpirun srun; do
    run=gpu-$T5MPI_LAUNCH
    job=$(sbatch --parsable --output="$run.out" --nodes=2 --ntasks-per-node=1 --gres=gpu:1 --cpus-per-task=1 \
        --export=ALL,T5MPI="$PWD/shows_gpus.sh" "$T5MPI_SOURCE_DIR/slurm/sweep.sbatch" sweep.cfg --output "$run")
    expect_end "$job" FAILED
    expect_text "$run.out" '^GPUs: 0'
    expect_text "$run.out" '--device cuda: '
done
remove_work
