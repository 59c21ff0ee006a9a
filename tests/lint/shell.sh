#!/bin/sh
# The project's shell scripts, read by shellcheck. usage: shell.sh ROOT. 77 (skipped): no shellcheck.
set -eu
cd "${1:?usage: shell.sh ROOT}"
if ! command -v shellcheck >/dev/null 2>&1; then
    echo "skipped: no shellcheck"
    exit 77
fi
find tests slurm '(' -name '*.sh' -o -name '*.sbatch' ')' -exec shellcheck -x bootstrap.sh .ci/run {} +
