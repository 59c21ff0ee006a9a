#!/bin/sh
# A step of run.sh. usage: step.sh NAME [ARGUMENT]...; from run.sh it has `work` (a folder with scripts that start t5mpi,
# gpu_tests, t5bench and mpirun, and with tiny.cfg), `root` and `sanitizer` (a program or nothing). Its exit status is
# the verdict (77: skipped), a line "note: ..." stands in the table.
set -u
work=${work:?} root=${root:?} sanitizer=${sanitizer-}

note() { echo "note: $*"; }

# sweep CONFIG OUTPUT [OPTION]...: on one rank
sweep() {
    config=$1 output=$2
    shift 2
    "$work/t5mpi" "$config" --output "$output" "$@"
}

# ranks N PROGRAM...: every rank says that it is on a host of its own, or NCCL would refuse to share the GPU
ranks() {
    n=$1
    shift
    # shellcheck disable=SC2016 # expanded by the rank's shell
    NCCL_SOCKET_IFNAME=lo NCCL_SOCKET_FAMILY=AF_INET NCCL_IB_DISABLE=1 NCCL_DEBUG=WARN "$work/mpirun" -np "$n" sh -c \
        'NCCL_HOSTID=rank$OMPI_COMM_WORLD_RANK exec "$@"' rank "$@"
}

# The weights, as the program writes them for others.
weights() { "$work/t5mpi" export "$1:ce" "$2" >/dev/null; }

step_conformance() { "$work/gpu_tests" "$1"; }
step_oracle() { "$work/gpu_tests" oracle cuda; }

step_repeat() {
    equal=
    for precision in fp32 bf16; do
        for turn in 1 2; do
            run=$work/repeat-$precision-$turn
            sweep "$work/tiny.cfg" "$run" --device cuda --set train.precision="$precision" >"$run.log" 2>&1 ||
                {
                    cat "$run.log"
                    grep -q 'no bfloat16' "$run.log" && break
                    return 1
                }
            weights "$run" "$run-weights" || return 1
        done
        [ -d "$work/repeat-$precision-2" ] || continue
        cmp "$work/repeat-$precision-1-weights/model.safetensors" "$work/repeat-$precision-2-weights/model.safetensors" ||
            return 1
        equal="$equal $precision"
    done
    note "the same weights, bit by bit:$equal"
}

step_nccl() {
    ranks "$1" "$work/gpu_tests" nccl
}

step_share() {
    ranks "$1" "$work/t5mpi" "$work/tiny.cfg" --device cuda --output "$work/share-$1" --set train.precision=fp32 \
        --set "parallel.ranks_per_trial=$1" --set parallel.share_gpu=true || return 1
    [ -d "$work/tiny-cpu" ] ||
        sweep "$work/tiny.cfg" "$work/tiny-cpu" --device cpu --set train.precision=fp32 || return 1
    "$work/gpu_tests" compare "$work/share-$1" "$work/tiny-cpu"
}

# One epoch of the demo on both: more would take the CPU too long.
step_curve() {
    for device in cuda cpu; do
        sweep "$root/configs/demo.cfg" "$work/curve-$device" --device "$device" --set train.precision=fp32 \
            --set train.epochs=1 || return 1
    done
    "$work/gpu_tests" compare "$work/curve-cuda" "$work/curve-cpu"
}

step_demo() {
    begin=$(date +%s)
    sweep "$root/configs/demo.cfg" "$work/demo" --device cuda || return 1
    note "$(($(date +%s) - begin)) s for $(grep -c 'name = "' "$root/configs/demo.cfg") trials of up to 20 epochs"
}

# bench SIZE PRECISION [OPTION]...
step_bench() {
    size=$1 precision=$2
    shift 2
    "$work/t5bench" --device cuda --vocab 32913 --size "$size" --precision "$precision" "$@" >"$work/bench.txt" 2>&1
    status=$?
    cat "$work/bench.txt"
    if grep -q 'has no bfloat16' "$work/bench.txt"; then return 77; fi
    note "$(sed -n -e 's/^  \(step\|batch\)  */\1 /p' -e 's/^  that \/ step  */floor \/ step /p' \
        -e 's/^  \(products \/ peak\|AdamW \/ copy\|device peak\)  */\1 /p' "$work/bench.txt" | tr '\n' ';')"
    return "$status"
}

# transformers OPTION...: rows a second and memory next to those of Transformers. The machine's Python must not load the
# bundle's libraries.
step_transformers() {
    python=${T5MPI_PYTHON:-python3}
    LD_LIBRARY_PATH=${T5_MACHINE_LIBRARIES-${LD_LIBRARY_PATH-}}
    export LD_LIBRARY_PATH
    "$python" -c 'import torch, transformers, accelerate' >"$work/python.txt" 2>&1 || {
        echo "skipped: no $python with PyTorch, Transformers and accelerate"
        return 77
    }
    "$python" "$root/tests/bench/hf_trainer.py" --device cuda --t5bench "$work/t5bench" "$@" >"$work/hf.txt" 2>&1
    status=$?
    cat "$work/hf.txt"
    if [ "$status" -eq 2 ]; then
        echo "skipped: $(tail -n 1 "$work/hf.txt")"
        return 77
    fi
    note "$(awk -F ' *[|] *' '/^[|] base / {
        printf "%s %s: fp32 over (a), (b): %s; bf16: %s; memory over (b): %s;", $3, $4, $10, $11, $14
    }' "$work/hf.txt")"
    return "$status"
}

# sanitize TOOL SUITE. Allocations that are refused are part of the tests.
step_sanitize() {
    [ -n "$sanitizer" ] || { echo "skipped: no compute-sanitizer"; return 77; }
    "$sanitizer" --tool "$1" --target-processes all --report-api-errors no --error-exitcode 9 "$work/gpu_tests" "$2" \
        >"$work/sanitize.txt" 2>&1
    status=$?
    cat "$work/sanitize.txt"
    if grep -q 'Device not supported' "$work/sanitize.txt"; then
        echo "skipped: compute-sanitizer cannot work on this device"
        return 77
    fi
    return "$status"
}

kind=${1:?usage: step.sh NAME [ARGUMENT]...}
shift
"step_$kind" "$@"
