# shellcheck shell=sh
# What the tests of this folder have in common. The environment has T5MPI (the program), T5MPI_SOURCE_DIR,
# T5MPI_SAME_RESULTS and T5MPI_WORK, the folder for this test's files: kept if the test fails, as the output of its jobs
# is. Silent on success.
set -eu
# shellcheck source=tests/slurm/cluster.sh
. "$T5MPI_SOURCE_DIR/tests/slurm/cluster.sh"

# fail TEXT: with what the jobs printed
fail() {
    for file in "$T5MPI_WORK"/*.out /run/slurm/*.log; do
        if [ -s "$file" ]; then
            echo "--- $file"
            tail -n 30 "$file"
        fi
    done
    echo "FAILED: $*"
    exit 1
}

# As the first process of its namespaces, a shell only notices the signals that it asks for.
trap 'exit 130' INT TERM

# make_work EPOCHS SEEDS, after hosts_up or cluster_up: the working folder with a sweep of two filters and the seeds, and its undisturbed run, `whole`.
make_work() {
    rm -rf "$T5MPI_WORK"
    mkdir -p "$T5MPI_WORK/tmp"
    cd "$T5MPI_WORK"
    # Nothing of this test anywhere else, and what mpirun needs on any machine (tests/mpirun.sh): jobs inherit it.
    export TMPDIR="$T5MPI_WORK/tmp" T5MPI_ROOT="$T5MPI_SOURCE_DIR" OMP_WAIT_POLICY=passive
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
    export OMPI_MCA_odls_base_sigkill_timeout=2
    cp "$T5MPI_SOURCE_DIR/configs/demo/spiece.model" .
    head -n 200 "$T5MPI_SOURCE_DIR/configs/demo/v3like.jsonl" >data.jsonl
    cat >sweep.cfg <<CONFIG
model: { preset = "tiny"; tokenizer = "spiece.model"; };
data: { path = "data.jsonl"; input = "sns_text"; target = "emoji_string"; };
train: { epochs = $1; batch_size = 8; warmup_steps = 2; learning_rate = 1e-2; early_stopping_patience = 0; };
sweep: { top_n = [0, 80]; seed = [$2]; };
parallel: { ranks_per_trial = 2; threads = 1; };
CONFIG
    "$T5MPI_SOURCE_DIR/tests/mpirun.sh" -np 4 "$T5MPI" sweep.cfg --output whole >whole.out 2>&1 ||
        fail "the undisturbed run: status $?"
}

# The test has passed.
remove_work() {
    cd /
    rm -rf "$T5MPI_WORK"
}

# submit SCRIPT RUN [OPTION OF sbatch]...: its job's number; the sweep's results go to RUN, what it prints to RUN.out
submit() {
    script=$1 run=$2
    shift 2
    sbatch --parsable --output="$run.out" "$@" "$T5MPI_SOURCE_DIR/slurm/$script" sweep.cfg --device cpu --output "$run"
}

# state JOB, and whether it is one of several: is_in JOB 'A|B'
state() { scontrol -o show job "$1" | sed 's/.* JobState=\([A-Z_]*\) .*/\1/'; }
is_in() { case "|$2|" in *"|$(state "$1")|"*) ;; *) return 1 ;; esac }
starts() { scontrol -o show job "$1" | sed 's/.* Restarts=\([0-9]*\) .*/\1/'; }

# expect_end JOB STATE [SECONDS]: the state in which the job ends
expect_end() {
    in_time "${3:-120}" is_in "$1" 'COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|PREEMPTED|OUT_OF_MEMORY' ||
        fail "job $1 has not ended, it is $(state "$1")"
    is_in "$1" "$2" || fail "job $1: $(state "$1"), expected $2"
}

epochs() {
    count=$(grep -c ' epoch .* rows/s' "$1" 2>/dev/null) || :
    echo "${count:-0}"
}
progressed() { [ "$(epochs "$1")" -ge $((seen + $2)) ]; }

# wait_for_epochs FILE N: until t5mpi has printed N more than there were at `seen_now FILE`
seen_now() { seen=$(epochs "$1"); }
wait_for_epochs() { in_time 60 progressed "$1" "$2" || fail "$1: no $2 more epochs"; }

# expect_text FILE TEXT
expect_text() { grep -q -e "$2" "$1" || fail "expected \"$2\" in $1"; }

# expect_same RUN: as the undisturbed run, bit for bit
expect_same() {
    "$T5MPI_SAME_RESULTS" --ranks whole "$1" >"$1.differs.out" 2>&1 || fail "$1 differs from the undisturbed run"
    rm "$1.differs.out"
}
