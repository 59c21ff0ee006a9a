#!/bin/sh
# t5mpi from a fresh clone: installs what is missing (Debian 12, Ubuntu 22.04), builds, tests, demonstrates.
# POSIX sh. Run it again at any time: what is there is not installed or built a second time.
set -eu
cd "$(dirname "$0")"

# "a|b": either will do; the first that the archive has is installed.
build_packages='gcc g++ libc6-dev cmake ninja-build pkg-config|pkgconf openmpi-bin libopenmpi-dev
    libhdf5-openmpi-dev libdnnl-dev|libonednn-dev libsentencepiece-dev libconfig-dev libjansson-dev libzip-dev
    libxxhash-dev libcmocka-dev'
test_packages='clang libomp-dev clang-format shellcheck binutils git gnuplot-nox
    slurmctld slurmd slurm-client munge iproute2 procps'

usage() {
    cat <<'USAGE'
usage: ./bootstrap.sh build   install the missing Debian packages, configure and build into build/
       ./bootstrap.sh test    the same, then run every test (also under sanitizers), the lint and a clang build
       ./bootstrap.sh demo    the same as build, then train the demo: five experiments on four ranks
       ./bootstrap.sh help    this text
Packages are installed with apt-get (through sudo unless you are root), and only those that are missing.
USAGE
}

say() { printf '%s\n' "bootstrap: $*"; }
die() {
    printf '%s\n' "bootstrap: $*" >&2
    exit 1
}

# --- packages ---------------------------------------------------------------------------------------

is_installed() {
    case $(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null) in
    ?i*) return 0 ;;
    *) return 1 ;;
    esac
}

# any_installed "a|b"
any_installed() {
    for name in $(printf '%s' "$1" | tr '|' ' '); do
        if is_installed "$name"; then return 0; fi
    done
    return 1
}

# The first of "a|b" that can be installed; the first of all if none can, so that apt-get says so.
candidate() {
    for name in $(printf '%s' "$1" | tr '|' ' '); do
        if apt-cache show --no-all-versions "$name" >/dev/null 2>&1; then
            printf '%s\n' "$name"
            return
        fi
    done
    printf '%s\n' "${1%%|*}"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# ensure_packages "a|b c d": does nothing, and asks no archive, when all are there.
ensure_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        say "no dpkg here: install what the Debian packages below stand for yourself"
        say "$(echo "$1" | tr -s ' \n' '  ')"
        return
    fi
    missing=
    for want in $1; do
        any_installed "$want" || missing="$missing $want"
    done
    if [ -z "$missing" ]; then return; fi
    say "missing Debian packages:$missing"
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
        die "neither root nor sudo: as root, run: apt-get install --no-install-recommends$(
            for want in $missing; do printf ' %s' "${want%%|*}"; done)"
    fi
    as_root apt-get -q update || die "apt-get update failed"
    set --
    for want in $missing; do set -- "$@" "$(candidate "$want")"; done
    say "installing: $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@" ||
        die "apt-get could not install: $*"
}

# --- build ------------------------------------------------------------------------------------------

# Warnings are errors in tests only: a newer compiler's do not keep a user from building.
warnings=OFF

# build_preset PRESET [TARGET]
build_preset() {
    cmake --preset "$1" --log-level=NOTICE -DT5MPI_WERROR="$warnings" &&
        cmake --build --preset "$1" ${2:+--target "$2"}
}

do_build() {
    ensure_packages "$build_packages"
    build_preset default || die "the build failed"
    say "built: build/t5mpi"
}

do_demo() {
    ensure_packages "$build_packages"
    build_preset default t5mpi || die "the build failed"
    # A run never replaces the results of another.
    output=runs/demo number=1
    while [ -e "$output" ]; do
        number=$((number + 1)) output=runs/demo-$number
    done
    say "running: mpirun -np 4 build/t5mpi configs/demo.cfg --output $output"
    exec tests/mpirun.sh -np 4 build/t5mpi configs/demo.cfg --output "$output"
}

# --- test -------------------------------------------------------------------------------------------

passed=0 failed=0 skipped=0 summary=

# count NAME PASSED FAILED SKIPPED: one line of the summary.
count() {
    passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
    summary="$summary$(printf '%-28s %4d passed %4d failed %4d skipped' "$1" "$2" "$3" "$4")
"
}

# occurrences TEXT FILE: lines that have TEXT.
occurrences() { grep -c -e "$1" "$2" 2>/dev/null || :; }

# run_ctest NAME PRESET FOLDER: what neither passed nor was skipped on purpose has failed, and so has a run
# without tests or with a verdict of ctest's own.
run_ctest() {
    junit=$3/junit.xml
    rm -f "$junit"
    status=0
    ctest --preset "$2" --parallel "$(nproc)" --output-junit junit.xml || status=$?
    touch "$junit"
    all=$(occurrences '<testcase ' "$junit")
    good=$(occurrences '<testcase .* status="run"' "$junit")
    missed=$(occurrences '<skipped message="SKIP_' "$junit")
    bad=$((all - good - missed))
    if [ "$bad" -eq 0 ] && { [ "$all" -eq 0 ] || [ "$status" -ne 0 ]; }; then bad=1; fi
    count "$1" "$good" "$bad" "$missed"
    # What a test program skipped inside is not ctest's to count, but should be seen.
    grep -h '^\[  SKIPPED \] [a-zA-Z_]' "$3/Testing/Temporary/LastTest.log" 2>/dev/null |
        sort -u | sed "s/^/$1: /" || :
}

# build_step NAME PRESET: counts as one test.
build_step() {
    say "$1"
    if build_preset "$2"; then
        count "$1" 1 0 0
    else
        count "$1" 0 1 0
        return 1
    fi
}

do_test() {
    warnings=ON
    ensure_packages "$build_packages $test_packages"
    if build_step 'build, gcc' default; then run_ctest 'tests' default build; fi
    if build_step 'build, sanitizers' asan; then run_ctest 'tests, sanitizers' asan build-asan; fi
    build_step 'build, clang' clang || :
    printf '\n%s' "$summary"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    if [ "$failed" -ne 0 ]; then exit 1; fi
}

if [ $# -ne 1 ]; then
    usage >&2
    exit 2
fi
case $1 in
build) do_build ;;
test) do_test ;;
demo) do_demo ;;
help | -h | --help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
