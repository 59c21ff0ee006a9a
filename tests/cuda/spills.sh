#!/bin/sh
# No hot kernel keeps registers in memory. usage: spills.sh FOLDER NAME...: looks under FOLDER, where the build has
# left what the assembler says of NAME.cu in NAME.cu*.ptxas (cmake/nvcc_log.sh), and prints every kernel and GPU that
# spills.
set -eu
folder=${1:?usage: spills.sh FOLDER NAME...}
shift
bad=0
for name in "$@"; do
    logs=$(find "$folder" -name "$name.cu*.ptxas")
    if [ -z "$logs" ]; then
        echo "nothing is known of $name.cu: no $name.cu*.ptxas under $folder"
        bad=1
        continue
    fi
    # shellcheck disable=SC2086 # one name without spaces: ours
    awk -v name="$name" '
        /Compiling entry function/ {
            kernel = $0; sub(/.*entry function ./, "", kernel); gsub(/\047/, "", kernel)
        }
        /bytes spill stores/ {
            seen++
            if ($0 !~ / 0 bytes spill stores, 0 bytes spill loads/) {
                sub(/^ */, ""); printf "%s.cu: %s: %s\n", name, kernel, $0; bad = 1
            }
        }
        END {
            if (!seen) { printf "%s.cu: the assembler has said nothing of spills\n", name; bad = 1 }
            exit bad
        }' $logs || bad=1
done
exit "$bad"
