#!/bin/sh
# Makes a bundle of what a machine with a GPU and nothing installed needs. usage: bundle.sh BUILD DIR
# BUILD is a build with CUDA; DIR must not exist. Leaves DIR and DIR.tar.gz; README.md beside this file says what is in
# it. Fails if DIR.tar.gz is larger than 60 MB.
set -eu
build=$(cd "${1:?usage: bundle.sh BUILD DIR}" && pwd)
dir=${2:?usage: bundle.sh BUILD DIR}
root=$(cd "$(dirname "$0")/../.." && pwd)
limit=60000000

fail() {
    echo "bundle.sh: $*" >&2
    exit 1
}
for program in t5mpi gpu_tests; do
    [ -x "$build/$program" ] || fail "no $program in $build: build it with CUDA (T5MPI_CUDA=on) first"
done
mpirun=$(command -v mpirun) || fail "no mpirun"
plugins=$(ompi_info --path pkglibdir --parsable | sed -n 's/^path:pkglibdir://p' | head -n 1)
texts=$(ompi_info --path pkgdatadir --parsable | sed -n 's/^path:pkgdatadir://p' | head -n 1)
[ -d "$plugins" ] || fail "ompi_info does not say where Open MPI's plug-ins are"
mkdir "$dir" && mkdir "$dir/bin" "$dir/lib" "$dir/lib/gcc" "$dir/lib/glibc" "$dir/openmpi" "$dir/openmpi/plugins" \
    "$dir/openmpi/texts" "$dir/openmpi/bin" "$dir/tests" "$dir/tests/oracle"
dir=$(cd "$dir" && pwd)

# The programs, without what is for debuggers.
for program in t5mpi gpu_tests; do
    strip --strip-debug -o "$dir/bin/$program" "$build/$program"
done
cp -L "$mpirun" "$dir/bin/mpirun"
cp -L "$(command -v orted)" "$dir/bin/orted"
# Others start these two by their names: mpirun, and orted, which a program without mpirun starts.
for program in mpirun orted; do
    # shellcheck disable=SC2016 # expanded by that script
    printf '#!/bin/sh\nexec "${T5_BUNDLE:?}/start" %s "$@"\n' "$program" >"$dir/openmpi/bin/$program"
    chmod +x "$dir/openmpi/bin/$program"
done

# Open MPI's plug-ins, without those for network cards and OpenSHMEM, whose libraries are larger than everything else.
for plugin in "$plugins"/mca_*.so; do
    if objdump -p "$plugin" | grep -q -E 'NEEDED +lib(oshmem|ucp|fabric|ibverbs|psm|mca_common_monitoring)'; then
        continue
    fi
    cp "$plugin" "$dir/openmpi/plugins/"
done
cp "$texts"/*.txt "$dir/openmpi/texts/"
# PMIx, which Debian's Open MPI starts ranks with, has plug-ins of its own beside its library.
pmix=$(ldd "$plugins/mca_pmix_ext3x.so" 2>/dev/null | awk '$1 ~ /^libpmix/ { print $3 }')
if [ -n "$pmix" ] && [ -d "$(dirname "$(readlink -f "$pmix")")/pmix" ]; then
    cp -R "$(dirname "$(readlink -f "$pmix")")/pmix" "$dir/openmpi/pmix"
fi

# What all of them load. glibc and gcc's libraries are kept apart: `start` prefers the machine's.
ldd "$dir"/bin/* "$dir"/openmpi/plugins/*.so >"$dir/ldd.txt"
if grep 'not found' "$dir/ldd.txt" >&2; then fail "libraries are missing"; fi
awk '$2 == "=>" { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }' "$dir/ldd.txt" | sort -u |
    while read -r library; do
        case ${library##*/} in
        ld-linux* | libc.so* | libm.so* | libpthread.so* | libdl.so* | librt.so* | libresolv.so* | libutil.so*)
            cp -L "$library" "$dir/lib/glibc/" ;;
        libstdc++* | libgcc_s*) cp -L "$library" "$dir/lib/gcc/" ;;
        *) cp -L "$library" "$dir/lib/" ;;
        esac
    done
rm "$dir/ldd.txt"

cp -R "$root/configs" "$dir/configs"
cp -R "$root/tests/oracle/fixtures" "$dir/tests/oracle/fixtures"
mkdir "$dir/tests/gpu" "$dir/tests/bench"
cp "$root/tests/mpirun.sh" "$dir/tests/"
cp "$root/tests/gpu/run.sh" "$root/tests/gpu/step.sh" "$root/tests/gpu/plan.sh" "$dir/tests/gpu/"
cp "$root/tests/bench/hf_trainer.py" "$root/tests/bench/hf_worker.py" "$dir/tests/bench/"
cp "$root/tests/gpu/start.sh" "$dir/start"
chmod +x "$dir/start"

tar -C "$(dirname "$dir")" -czf "$dir.tar.gz" "$(basename "$dir")"
size=$(wc -c <"$dir.tar.gz")
echo "$dir.tar.gz: $size bytes, unpacked $(du -sk "$dir" | cut -f1) KiB"
[ "$size" -le "$limit" ] || fail "larger than $limit bytes"
