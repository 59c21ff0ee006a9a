#!/bin/sh
# Registers, shared memory and occupancy of the kernels of a training step, as a Markdown table, from what the assembler
# said of them (FOLDER/.../NAME.cu*.ptxas, as for spills.sh) and from how they are launched (launches.txt).
# usage: resources.sh FOLDER [75|80|86|89|90]. A kernel of launches.txt that is not found is an error.
set -eu
folder=${1:?usage: resources.sh FOLDER [75|80|86|89|90]}
gpu=${2:-90}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Of a multiprocessor: warps, blocks, KiB of shared memory (CUDA C++ Programming Guide, compute capabilities), and bytes
# that a block takes besides. All have 65,536 registers, given out in 256s to the warps of four quarters.
case $gpu in
75) limits="32 16 64 0" ;;
80) limits="64 32 164 1024" ;;
86) limits="48 16 100 1024" ;;
89) limits="48 24 100 1024" ;;
90) limits="64 32 228 1024" ;;
*)
    echo "resources.sh: nothing is known of sm_$gpu" >&2
    exit 2
    ;;
esac

# FILE KERNEL REGISTERS SHARED SPILLS, a line for each kernel
find "$folder" -name '*.cu*.ptxas' | sort | while read -r log; do
    name=${log##*/}
    awk -v file="${name%%.cu*}" -v gpu="sm_$gpu" '
        /Compiling entry function/ {
            kernel = $0 ~ gpu "\047" ? $0 : ""
            gsub(/.*entry function .|\047 for.*/, "", kernel)
        }
        kernel == "" { next }
        /bytes spill stores/ { spills = $0; sub(/.*frame, /, "", spills); sub(/ .*/, "", spills) }
        /Used [0-9]+ registers/ {
            shared = 0
            if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
            sub(/.*Used /, ""); print file, kernel, $1, shared, spills
        }' "$log"
done >"$work/kernels"

warps=${limits%% *}
echo "| kernel | threads | registers | spilled bytes | shared memory | blocks an SM | warps of $warps | limit |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
awk -v limits="$limits" -v kernels="$work/kernels" '
    function least(a, b) { return a < b ? a : b }
    FILENAME == kernels {
        file[NR] = $1; name[NR] = $2; registers[NR] = $3; shared[NR] = $4; spills[NR] = $5; n = NR
        next
    }
    /^#/ { next }
    {
        what = $0; sub(/ *kernels_.*/, "", what)
        dynamic = $NF; threads = $(NF - 1); pattern = $(NF - 2); from = $(NF - 3)
        found = 0
        for (i = 1; i <= n; i++) if (file[i] == from && name[i] ~ pattern) { found++; k = i }
        if (found != 1) {
            printf "resources.sh: %d kernels of %s.cu are called %s\n", found, from, pattern > "/dev/stderr"
            bad = 1
            next
        }
        split(limits, most, " ")
        warps = threads / 32
        each = int((registers[k] * 32 + 255) / 256) * 256
        by["registers"] = int(int(16384 / each) * 4 / warps)
        bytes = shared[k] + dynamic + most[4]
        by["shared memory"] = bytes > 0 ? int(most[3] * 1024 / bytes) : most[2]
        by["blocks"] = most[2]
        by["warps"] = int(most[1] / warps)
        blocks = least(least(by["registers"], by["shared memory"]), least(by["blocks"], by["warps"]))
        limit = by["warps"] == blocks ? "warps" : by["blocks"] == blocks ? "blocks" : by["registers"] == blocks ? \
            "registers" : "shared memory"
        printf "| %s | %d | %d | %d | %d | %d | %d | %s |\n", what, threads, registers[k], spills[k],
            shared[k] + dynamic, blocks, blocks * warps, limit
    }
    END { exit bad }' "$work/kernels" "$here/launches.txt"
