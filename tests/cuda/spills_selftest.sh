#!/bin/sh
# spills.sh must be able to fail.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# log NAME STORES
log() {
    printf "ptxas info    : Compiling entry function '_Zx' for 'sm_90'\n    8 bytes stack frame, %s bytes spill stores, %s bytes spill loads\n" \
        "$2" "$2" >"$work/$1.cu.o.ptxas"
}
log good 0
log bad 4
: >"$work/silent.cu.o.ptxas"
if ! sh "$here/spills.sh" "$work" good; then
    echo "no spills, and refused"
    failures=1
fi
for name in bad silent absent; do
    if sh "$here/spills.sh" "$work" good $name >"$work/out"; then
        echo "not noticed: $name"
        failures=1
    elif ! grep -q "$name.cu" "$work/out"; then
        echo "$name is not named" && cat "$work/out"
        failures=1
    fi
done
exit "$failures"
