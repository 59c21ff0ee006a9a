#!/bin/sh
# Signals: a run stops with a checkpoint and status 75 whichever rank gets one, says what to type, and --resume goes on
# to the same bits. A loss that is not finite goes back to the last checkpoint, if it may.
set -eu
dir=$(mktemp -d /tmp/t5mpi-test-XXXXXX)
trap 'cd / && rm -rf "$dir"' EXIT
cd "$dir"
cp "$T5MPI_SOURCE_DIR/configs/demo/spiece.model" .
head -n 200 "$T5MPI_SOURCE_DIR/configs/demo/v3like.jsonl" >data.jsonl
cat >c.cfg <<'CONFIG'
model: { preset = "tiny"; tokenizer = "spiece.model"; };
data: { path = "data.jsonl"; input = "sns_text"; target = "emoji_string"; };
train: { epochs = 3; batch_size = 8; warmup_steps = 2; learning_rate = 1e-2; checkpoint_every = "2 steps"; };
sweep: { top_n = [0, 80]; };
parallel: { threads = 1; };
CONFIG

fail() {
    echo "$*" >&2
    cat log >&2
    exit 1
}

# has_checkpoint RUN
has_checkpoint() {
    ls "$1"/checkpoints/*/state-*.h5 >/dev/null 2>&1
}

# wait_for COMMAND...: until it is true; five minutes at most
wait_for() {
    left=30000
    until "$@"; do
        left=$((left - 1))
        if [ "$left" -eq 0 ]; then fail "never: $*"; fi
        sleep 0.01
    done
}

# stopped PID RUN SIGNAL: the process ends with 75 and says how to go on
stopped() {
    status=0
    wait "$1" || status=$?
    if [ "$status" -ne 75 ]; then fail "$2: exit status $status, expected 75"; fi
    grep -q "stopped by $3, .* to go on: .*t5mpi c.cfg .*--output $2 --resume" log || fail "$2: no word of how to go on"
    has_checkpoint "$2" || fail "$2: no checkpoint"
}

# expect_same RUN WHOLE
expect_same() {
    "$T5MPI_SAME" "$1" "$2" >log 2>&1 || fail "$1 is not what $2 is"
}

# rank NUMBER: its process id
rank() {
    for pid in $(pgrep -P "$mpirun"); do
        if tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$1"; then echo "$pid"; fi
    done
}

"$T5MPI" c.cfg --output whole1 >log 2>&1 || fail "the undisturbed run"
"$T5MPI_MPIRUN" -np 2 "$T5MPI" c.cfg --set parallel.ranks_per_trial=2 --output whole2 >log 2>&1 ||
    fail "the undisturbed run of a group"

# one process
"$T5MPI" c.cfg --output one >log 2>&1 &
wait_for has_checkpoint one
kill -TERM $!
stopped $! one SIGTERM
"$T5MPI" c.cfg --output one --resume >log 2>&1 || fail "going on"
grep -q "all has a checkpoint after step [0-9]" log || fail "no word of a checkpoint"
expect_same one whole1

# gone on with for more epochs, and for fewer than are done
"$T5MPI" c.cfg --set train.epochs=1000 --set 'sweep.top_n=[0]' --output fewer >log 2>&1 &
wait_for grep -q "epoch  *3/1000" log
kill -TERM $!
stopped $! fewer SIGTERM
cp -r fewer more
for run in "fewer 2" "more 1001"; do
    epochs=${run#* } run=${run% *}
    "$T5MPI" c.cfg --set train.epochs="$epochs" --set 'sweep.top_n=[0]' \
        --output "$run" --resume >log 2>&1 || fail "$run epochs"
    grep -q "has a checkpoint after step" log || fail "$run epochs: no word of a checkpoint"
    if grep -q "not used" log; then fail "$run epochs: the checkpoint is not used"; fi
done

# the second SIGINT leaves at once, in the middle of a step that takes long
env --default-signal=INT "$T5MPI" c.cfg --set 'model.preset="small"' --set train.batch_size=200 --set 'sweep.top_n=[0]' \
    --output twice >log 2>&1 &
wait_for grep -q "^results" log
while kill -INT $! 2>/dev/null; do sleep 0.2; done
status=0
wait $! || status=$?
if [ "$status" -ne 130 ]; then fail "twice: exit status $status, expected 130 (SIGINT)"; fi
if grep -q "to go on" log; then fail "twice: it did not leave at once"; fi

# a group of two, one of which gets the signal
"$T5MPI_MPIRUN" -np 2 "$T5MPI" c.cfg --set parallel.ranks_per_trial=2 --output group >log 2>&1 &
mpirun=$!
wait_for has_checkpoint group
kill -USR1 "$(rank 1)"
status=0
wait "$mpirun" || status=$?
if [ "$status" -ne 75 ]; then fail "group: exit status $status, expected 75"; fi
grep -q "stopped by a signal" log || fail "group: no word of a signal"
"$T5MPI_MPIRUN" -np 2 "$T5MPI" c.cfg --set parallel.ranks_per_trial=2 --output group --resume >log 2>&1 || fail "going on"
expect_same group whole2

# two groups, of which mpirun tells both
"$T5MPI_MPIRUN" -np 2 "$T5MPI" c.cfg --output groups >log 2>&1 &
mpirun=$!
wait_for has_checkpoint groups
kill -USR1 "$mpirun"
stopped "$mpirun" groups SIGUSR1
"$T5MPI_MPIRUN" -np 2 "$T5MPI" c.cfg --output groups --resume >log 2>&1 || fail "going on"
"$T5MPI_SAME" --ranks groups whole1 >log 2>&1 || fail "groups is not what whole1 is"

# mpirun itself is told to end: it kills the ranks after a moment, whatever they do
for signal in INT TERM; do
    env --default-signal=INT "$T5MPI_MPIRUN" -np 2 "$T5MPI" c.cfg --output "mpirun$signal" >log 2>&1 &
    mpirun=$!
    wait_for has_checkpoint "mpirun$signal"
    kill -"$signal" "$mpirun"
    status=0
    wait "$mpirun" || status=$?
    if [ "$status" -eq 0 ]; then fail "SIG$signal to mpirun: exit status 0"; fi
    "$T5MPI_MPIRUN" -np 2 "$T5MPI" c.cfg --output "mpirun$signal" --resume >log 2>&1 || fail "going on after SIG$signal"
    "$T5MPI_SAME" --ranks "mpirun$signal" whole1 >log 2>&1 || fail "mpirun$signal is not what whole1 is"
done

# again and again, wherever it is: in steps, evaluations, between trials
tries=0 status=75
while [ "$status" -eq 75 ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 60 ]; then fail "it never ends"; fi
    "$T5MPI" c.cfg --output often --resume >log 2>&1 &
    sleep "$((tries / 6)).$((2 + tries % 7))" # longer and longer: a slow machine has to get on, too
    kill -INT $! 2>/dev/null || :
    kill -TERM $! 2>/dev/null || :
    status=0
    wait $! || status=$?
    if [ "$status" -ne 75 ] && [ "$status" -ne 0 ]; then fail "often: exit status $status"; fi
done
expect_same often whole1

# not a number: back twice, then failed
status=0
"$T5MPI" c.cfg --output nan --set train.learning_rate=1e30 --set train.nan_retries=2 --set 'sweep.top_n=[0]' >log 2>&1 ||
    status=$?
if [ "$status" -ne 1 ]; then fail "nan: exit status $status, expected 1"; fi
for n in 1 2; do grep -q "another order of the rows ($n of 2 retries)" log || fail "nan: no retry number $n"; done
if grep -q "3 of 2" log; then fail "nan: a retry too many"; fi
