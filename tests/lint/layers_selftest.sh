#!/bin/sh
# layers.sh must be able to fail: a small tree that is in order, then one planted violation at a time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

fresh() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/mpi" "$work/tree/io"
    for folder in base data device model score plan setup results saved report run; do
        mkdir -p "$work/tree/src/$folder"
    done
    cd "$work/tree"
    printf '#include "base/status.h"\n#include <stdio.h>\n' >src/base/good.c
    printf '#include "data/rows.h"\n#include <sentencepiece_processor.h>\n' >src/data/good.cpp
    printf '#include "device/device.h"\n#include <dnnl.h>\n' >src/device/good.c
    printf '#include "device/device.h"\n/* printf("in a comment"\n exit(1) */\n' >src/model/good.c
    printf '#include "data/labels.h"\n' >src/score/good.h
    printf '#include "base/config.h"\n' >src/plan/good.h
    printf '#include "score/metrics.h"\n#include "plan/plan.h"\n#include "mpi/comm.h"\n' >src/setup/good.c
    printf '#include "setup/source.h"\n#include "io/store.h"\n' >src/results/good.c
    printf '#include "results/results.h"\n#include "model/model.h"\n' >src/saved/good.c
    printf '#include "results/summary.h"\n#include "plan/schedule.h"\n' >src/report/good.c
    printf '#include "io/store.h"\n#include "report/report.h"\n#include "saved/saved.h"\nvoid f(FILE *o) { fprintf(o, "exit(1) in a string"); }\n' >src/run/good.c
    printf '#include <mpi.h>\n#include "mpi/comm.h"\n' >mpi/good.c
    printf '#include <hdf5.h>\n#include <jansson.h>\n' >io/good.c
    printf '#include "plan/plan.h"\nint main(void) { printf("x"); exit(2); }\n' >src/main.c
}

# expect_violation FILE LINE: the planted line must be reported, at that place.
expect_violation() {
    fresh
    printf '%s\n' "$2" >"$1"
    if sh "$here/layers.sh" . >"$work/out"; then
        echo "not noticed: $1: $2"
        failures=1
    elif ! grep -q "^$1:1: " "$work/out"; then
        echo "noticed in the wrong place: $1: $2:" && cat "$work/out"
        failures=1
    fi
}

fresh
if ! sh "$here/layers.sh" . >"$work/out"; then
    echo "a tree in order is refused:" && cat "$work/out"
    failures=1
fi

expect_violation src/base/bad.c '#include "data/rows.h"'
expect_violation src/data/bad.c '#include "io/jsonl.h"'
expect_violation src/data/bad.h '  #  include "device/device.h"'
expect_violation src/device/bad.c '#include "model/model.h"'
expect_violation src/model/bad.c '#include "data/batch.h"'
expect_violation src/model/bad.c '#include "mpi/comm.h"'
expect_violation src/model/bad.c '#include "../data/batch.h"'
expect_violation mpi/bad.c '#include "io/file.h"'
expect_violation io/bad.h '#include "plan/plan.h"'
expect_violation src/score/bad.c '#include "plan/plan.h"'
expect_violation src/plan/bad.h '#include "setup/setup.h"'
expect_violation src/setup/bad.c '#include "results/results.h"'
expect_violation src/setup/bad.c '#include "saved/saved_fields.h"'
expect_violation src/results/bad.h '#include "report/report.h"'
expect_violation src/results/bad.c '#include "mpi/comm.h"'
expect_violation src/saved/bad.c '#include "report/view.h"'
expect_violation src/saved/bad.c '#include "mpi/comm.h"'
expect_violation src/report/bad.c '#include "saved/saved.h"'
expect_violation src/report/bad.c '#include "model/model.h"'
expect_violation src/report/bad.h '#include "run/host.h"'
expect_violation src/model/bad.h '#include "score/metrics.h"'
expect_violation src/run/bad.c '#include <mpi.h>'
expect_violation src/run/bad.c '#include <hdf5.h>'
expect_violation src/run/bad.c '#include <H5Dpublic.h>'
expect_violation src/data/bad.c '#include <sentencepiece_processor.h>'
expect_violation src/model/bad.c '#include <oneapi/dnnl/dnnl.h>'
expect_violation src/model/bad.c '#include <dnnl.h>'
expect_violation io/bad.c '#include <libconfig.h>'
expect_violation src/run/bad.c '#include <jansson.h>'
expect_violation io/bad.c '#include <zip.h>'
expect_violation src/run/bad.c '#include <cuda_runtime_api.h>'
expect_violation src/model/bad.c '#include <cublasLt.h>'
expect_violation src/device/bad.c '#include <nccl.h>'
expect_violation src/device/bad.cu '#include "model/model.h"'
expect_violation src/run/bad.c '#include "cuda/libraries.h"'
expect_violation src/model/bad.c 'void f(void) { printf("x"); }'
expect_violation src/run/bad.c 'void f(void) { /* x */ exit (1); }'
expect_violation io/bad.c "void f(void) { char c = '\"'; (void)c; (void)getenv(n); }"
expect_violation src/run/bad.c 'void f(void) { fputs("//", stderr); }'

# Not a planted line but a planted place: a folder of which nobody said what it may include.
fresh
mkdir src/extra && echo 'int x;' >src/extra/new.c
if sh "$here/layers.sh" . >"$work/out"; then
    echo "not noticed: a folder in no layer"
    failures=1
fi

# A wrong ROOT must not look like a tree in order.
mkdir -p "$work/empty/src" "$work/empty/mpi" "$work/empty/io"
if sh "$here/layers.sh" "$work/empty" >"$work/out"; then
    echo "not noticed: a tree without sources"
    failures=1
fi
exit "$failures"
