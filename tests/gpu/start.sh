#!/bin/sh
# In a bundle: start PROGRAM [ARGUMENT]..., a program of its folder bin, or any other one, with the bundle's libraries.
# The machine's glibc and libstdc++ are used where they are new enough: its driver and tools know those. A program that
# is started by one that was started here (a rank by mpirun) has to be started by it, too. T5_BUNDLE_LIBC=1: the
# bundle's glibc in any case.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

# The folders of pip's packages (PyTorch brings them) and of the toolkit, where cuBLASLt and NCCL may be.
nvidia_folders() {
    for python in python3 python; do
        if command -v "$python" >/dev/null 2>&1; then
            "$python" -c 'import glob, sys
print("".join(":" + d for p in sys.path if p for d in sorted(glob.glob(p + "/nvidia/*/lib"))))' 2>/dev/null && break
        fi
    done
    for folder in /usr/local/cuda/lib64 /usr/local/nvidia/lib64; do
        if [ -d "$folder" ]; then printf ':%s' "$folder"; fi
    done
}

starts() {
    [ -z "${T5_BUNDLE_LIBC:-}" ] && LD_LIBRARY_PATH=$libraries "$here/bin/t5mpi" --version >/dev/null 2>&1
}

# Sets libraries and loader to the first way in which t5mpi starts.
choose() {
    found=$(nvidia_folders | tr -d '\n')
    libraries=$here/lib${found}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    loader=
    if starts; then return; fi
    libraries=$libraries:$here/lib/gcc
    if starts; then return; fi
    libraries=$here/lib/glibc:$libraries
    for loader in "$here"/lib/glibc/ld-linux*; do :; done
}

if [ "${T5_BUNDLE:-}" != "$here" ]; then
    choose
    export T5_MACHINE_LIBRARIES="${LD_LIBRARY_PATH:-}" # for the machine's own Python
    export T5_BUNDLE="$here" T5_BUNDLE_LIBRARIES="$libraries" T5_BUNDLE_LOADER="$loader"
    export OPAL_PREFIX="$here/openmpi" OPAL_PKGLIBDIR="$here/openmpi/plugins" OPAL_PKGDATADIR="$here/openmpi/texts"
    export OPAL_SYSCONFDIR="$here/openmpi" PMIX_INSTALL_PREFIX="$here/openmpi" PMIX_PKGLIBDIR="$here/openmpi/pmix"
    export OPAL_BINDIR="$here/openmpi/bin" PATH="$here/openmpi/bin:$PATH"
    # Ranks on this host only: without ssh mpirun would not start even those.
    if ! command -v ssh >/dev/null 2>&1; then export OMPI_MCA_plm=isolated; fi
fi

name=${1:?usage: start PROGRAM [ARGUMENT]...}
shift
program=$name
if [ -x "$here/bin/$name" ]; then program=$here/bin/$name; fi
if [ -z "$T5_BUNDLE_LOADER" ]; then
    export LD_LIBRARY_PATH="$T5_BUNDLE_LIBRARIES"
elif [ "$program" != "$name" ]; then
    # Not in the environment: the machine's own programs have another loader.
    exec "$T5_BUNDLE_LOADER" --library-path "$T5_BUNDLE_LIBRARIES" "$program" "$@"
fi
exec "$program" "$@"
