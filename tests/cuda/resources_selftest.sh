#!/bin/sh
# resources.sh must be able to fail, and must count right where the limit is known.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

if sh "$here/resources.sh" "$work" >/dev/null 2>&1; then
    echo "no kernels, and not noticed"
    failures=1
fi
if sh "$here/resources.sh" "$work" 52 >/dev/null 2>&1; then
    echo "sm_52 was not refused"
    failures=1
fi
# 128 registers are 16 warps a multiprocessor; sm_80's line must not be taken for sm_90's
for gpu in 80 90; do
    echo "ptxas info    : Compiling entry function '_Z5adamwILb1EEv4args' for 'sm_$gpu'"
    echo "    0 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads"
    echo "ptxas info    : Used $((gpu * 2 - 52)) registers, used 0 barriers, 16 bytes smem"
done >"$work/kernels_optimizer.cu.o.ptxas"
sh "$here/resources.sh" "$work" >"$work/out" 2>/dev/null || true
if ! grep -q -F '| AdamW | 256 | 128 | 4 | 16 | 2 | 16 | registers |' "$work/out"; then
    echo "AdamW was counted wrong:" && cat "$work/out"
    failures=1
fi
exit "$failures"
