#!/bin/sh
# Runs nvcc with -Xptxas -v and keeps what the assembler says of registers and spills beside the object file, in
# OBJECT.ptxas, where the ctest cuda.spills reads it. Everything else goes where it would have gone.
set -u
object=
previous=
for word in "$@"; do
    if [ "$previous" = -o ]; then object=$word; fi
    previous=$word
done

[ -n "$object" ] || exec "$@"
log=$object.ptxas
"$@" -Xptxas -v 2>"$log.part"
status=$?
grep -v -e '^ptxas info' -e '^ *[0-9]* bytes stack frame' "$log.part" >&2
mv "$log.part" "$log"
exit "$status"
