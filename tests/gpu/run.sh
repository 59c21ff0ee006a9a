#!/bin/sh
# Everything that needs a GPU, in ten minutes at most, and a table last.
# usage: run.sh BUILD|BUNDLE [LOGS]. LOGS: folder for what the steps said (default: a new one, which is named).
# Exit status: 0 all passed or were skipped for a reason that the table gives, 1 a step failed, 77 there is no GPU.
# T5MPI and GPU_TESTS in the environment name other programs of a build: with t5mpi_emulated and gpu_tests_emulated the
# script can be tried where there is no GPU; T5_GPU_PATIENCE=5 gives everything five times as long then. T5_GPU_STEPS: a
# pattern of grep -E, the steps to make. T5MPI_PYTHON: a Python with PyTorch and Transformers (default: python3).
set -u

# ---- what is run, and where ----

place=$(cd "${1:?usage: run.sh BUILD|BUNDLE [LOGS]}" && pwd) || exit 2
self=$(cd "$(dirname "$0")" && pwd)/run.sh
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ -x "$place/start" ] && [ "${T5_BUNDLE:-}" != "$place" ]; then
    exec "$place/start" sh "$self" "$@"
fi
begin=$(date +%s)
patience=${T5_GPU_PATIENCE:-1}
total=$((600 * patience))
work=$(mktemp -d)
logs=${2:-$(mktemp -d)}
mkdir -p "$logs" || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# script NAME COMMAND...: $work/NAME starts COMMAND with what else it is given
script() {
    name=$1
    shift
    {
        echo '#!/bin/sh'
        printf 'exec'
        printf ' "%s"' "$@"
        # shellcheck disable=SC2016 # the script's own arguments
        echo ' "$@"'
    } >"$work/$name"
    chmod +x "$work/$name"
}
if [ -x "$place/start" ]; then
    script t5mpi "$place/start" t5mpi
    script gpu_tests "$place/start" gpu_tests
    script t5bench "$place/start" gpu_tests bench
    script mpirun "$place/start" sh "$root/tests/mpirun.sh"
else
    script t5mpi "${T5MPI:-$place/t5mpi}"
    script gpu_tests "${GPU_TESTS:-$place/gpu_tests}"
    script t5bench "${GPU_TESTS:-$place/gpu_tests}" bench
    script mpirun sh "$root/tests/mpirun.sh"
fi
cd "$root" || exit 2

gpu=$("$work/gpu_tests" gpu) || exit $?
driver=
if command -v nvidia-smi >/dev/null 2>&1; then
    driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1)
fi
sanitizer=
for candidate in "$(command -v compute-sanitizer)" /usr/local/cuda/bin/compute-sanitizer \
    /usr/local/cuda/compute-sanitizer/compute-sanitizer; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then
        sanitizer=$candidate
        break
    fi
done

# A sweep of seconds: two losses, two epochs of 12 steps.
mkdir "$work/data"
head -n 120 "$root/configs/demo/v3like.jsonl" >"$work/data/rows.jsonl"
cp "$root/configs/demo/spiece.model" "$work/data/"
cat >"$work/tiny.cfg" <<'END'
model: { preset = "tiny"; tokenizer = "data/spiece.model"; d_model = 32; d_ff = 64; num_layers = 1;
         num_decoder_layers = 1; num_heads = 2; d_kv = 16; };
data: { path = "data/rows.jsonl"; input = "sns_text"; target = "emoji_string"; };
train: { epochs = 2; batch_size = 8; warmup_steps = 2; learning_rate = 1e-2; dropout = 0.1; };
plan: ( { name = "ce"; },
        { name = "focal"; set: { loss = { type = "focal"; gamma = 2.0; }; }; } );
parallel: { speculative = "all"; };
eval: { max_length = 4; };
END
export work root sanitizer

# ---- the steps ----

failed=0
table=$work/table.txt
: >"$table"

# step SECONDS NAME ARGUMENT...
step() {
    limit=$(($1 * patience))
    shift
    title=$*
    if ! echo "$title" | grep -q -E "${T5_GPU_STEPS:-.}"; then return; fi
    log=$logs/$(echo "$title" | tr ' ' '-').log
    left=$((begin + total - 15 - $(date +%s)))
    if [ "$limit" -gt "$left" ]; then limit=$left; fi
    started=$(date +%s)
    if [ "$limit" -le 0 ]; then
        status=124
        echo "the time of all steps is over" >"$log"
    else
        timeout -k 10 "$limit" sh "$(dirname "$self")/step.sh" "$@" >"$log" 2>&1 </dev/null
        status=$?
    fi
    words=$(sed -n 's/^note: //p' "$log" | tail -n 1)
    case $status in
    0) verdict=passed ;;
    77)
        verdict=skipped
        words=$(grep skipped "$log" | tail -n 1)
        ;;
    124 | 137)
        verdict="NO TIME"
        failed=1
        words="not done after $limit s"
        ;;
    *)
        verdict=FAILED
        failed=1
        words="exit status $status"
        ;;
    esac
    if [ "$verdict" = FAILED ] || [ "$verdict" = "NO TIME" ]; then
        echo "--- $title: the last lines of $log"
        tail -n 25 "$log"
    fi
    printf '| %-46s | %-7s | %4s s | %s\n' "$title" "$verdict" "$(($(date +%s) - started))" "$words" >>"$table"
}

suites=$("$work/gpu_tests" 2>&1 | sed -n 's/^  \([a-z_]*\) (conformance)$/\1/p')
for suite in $suites; do step 60 conformance "$suite"; done
step 90 oracle
step 60 repeat
for n in 1 2 4; do step 60 nccl $n; done
for n in 2 4; do step 60 share $n; done
step 120 curve
step 120 demo
step 60 bench base bf16
step 60 bench base fp32
step 60 bench base bf16 --join 2
step 60 bench base bf16 --rows 128 --steps 4
step 60 bench base bf16 --rows 128 --input 512 --target 114 --steps 2 --rounds 3
step 60 bench base bf16 --evaluate --rows 128 --steps 2 --rounds 3
step 150 transformers --task train --rows 16 --rounds 2
step 150 transformers --task evaluate --rounds 2 --batches 2 --single 8
for suite in $suites; do step 60 sanitize memcheck "$suite"; done
for suite in $suites; do step 60 sanitize racecheck "$suite"; done

echo
echo "$(date -u +%Y-%m-%d), $gpu${driver:+, driver $driver}, $("$work/t5mpi" --version | head -n 1); logs in $logs"
cat "$table"
exit "$failed"
