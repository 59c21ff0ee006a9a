#!/bin/sh
# Peak memory of every rank while one trial trains on a large data set, and what a row costs each of them:
#     tests/scale/memory.sh ROWS.jsonl [RANKS [SECONDS]]
# The trial is a tiny model on RANKS ranks (one group); after SECONDS it is stopped and compared with the same on
# the demo's 5,000 rows, so that what the program and MPI take anyway does not count. Needs build/t5mpi and /proc.
set -eu
rows=$1 ranks=${2:-4} seconds=${3:-60}
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# peak DATA SECONDS: "rank kB" lines of VmHWM
peak() {
    cat >"$work/scale.cfg" <<CFG
model: { preset = "tiny"; tokenizer = "$PWD/configs/demo/spiece.model"; };
data: { path = "$1"; input = "sns_text"; target = "emoji_string"; };
train: { epochs = 1000; batch_size = 64; };
parallel: { ranks_per_trial = $ranks; threads = 1; };
output: { dir = "out"; };
CFG
    rm -rf "$work/out"
    tests/mpirun.sh -np "$ranks" build/t5mpi "$work/scale.cfg" >"$work/log" 2>&1 &
    mpirun=$!
    sleep "$2"
    grep -q results "$work/log" || {
        echo "nothing was trained within $2 s:" >&2
        cat "$work/log" >&2
        kill "$mpirun"
        exit 1
    }
    for pid in $(pgrep -P "$mpirun"); do
        rank=$(tr '\0' '\n' <"/proc/$pid/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p')
        echo "$rank $(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status")"
    done | sort -n
    kill "$mpirun" 2>/dev/null || :
    wait "$mpirun" || :
}

peak "$PWD/configs/demo/v3like.jsonl" 10 >"$work/small"
peak "$(realpath "$rows")" "$seconds" >"$work/large"
n=$(grep -c . "$rows")
echo "rank  peak MB, 5000 rows  peak MB, $n rows  bytes a row of the data set"
paste -d ' ' "$work/small" "$work/large" | awk -v n="$n" '{
    printf "%4d  %18.1f  %*.1f  %27.1f\n", $1, $2 / 1024, length("peak MB, " n " rows"), $4 / 1024, ($4 - $2) * 1024 / (n - 5000) }'
