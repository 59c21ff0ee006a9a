#!/bin/sh
# That a bundle starts where nothing else is installed: in a chroot of Debian, made with debootstrap or copied from
# BASE, the folder of such a system. usage: bundle_test.sh DIR [BASE]. Needs root; 77 (skipped) without.
set -eu
bundle=$(cd "${1:?usage: bundle_test.sh DIR [BASE]}" && pwd)
base=${2:-}

if [ "$(id -u)" -ne 0 ]; then
    echo "skipped: chroot needs root"
    exit 77
fi
if [ -z "$base" ] && ! command -v debootstrap >/dev/null 2>&1; then
    echo "skipped: no debootstrap, and no folder of a system was named"
    exit 77
fi
system=$(mktemp -d)
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    umount "$system/proc" "$system/sys" 2>/dev/null || true
    if ! grep -q " $system" /proc/mounts; then rm -rf "$system"; fi
}
trap clean_up EXIT
if [ -n "$base" ]; then
    cp -a "$base/." "$system/"
else
    debootstrap --variant=minbase bookworm "$system" >/dev/null
fi
mount -t proc proc "$system/proc" || true
mount -t sysfs sysfs "$system/sys" || true
mkdir -p "$system/dev"
for device in null zero urandom; do
    [ -e "$system/dev/$device" ] || cp -a "/dev/$device" "$system/dev/$device"
done
cp -R "$bundle" "$system/bundle"
failures=0

# check NAME STATUS TEXT COMMAND...: COMMAND in the chroot ends with STATUS and says TEXT.
check() {
    name=$1 wanted=$2 text=$3
    shift 3
    status=0
    said=$(chroot "$system" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@" 2>&1) || status=$?
    case $said in
    *"$text"*) [ "$status" -ne "$wanted" ] || return 0 ;;
    esac
    failures=1
    printf '%s: exit status %s; %s and "%s" were expected; it said:\n%s\n' "$name" "$status" "$wanted" "$text" "$said"
}

config=/bundle/configs/demo.cfg
mkdir "$system/small"
head -n 120 "$bundle/configs/demo/v3like.jsonl" >"$system/small/rows.jsonl"
cat >"$system/small/small.cfg" <<'END'
model: { preset = "tiny"; tokenizer = "/bundle/configs/demo/spiece.model"; };
data: { path = "rows.jsonl"; input = "sns_text"; target = "emoji_string"; };
train: { epochs = 2; };
sweep: { learning_rate = [1e-3, 1e-2]; };
END
check version 0 "t5mpi" /bundle/start t5mpi --version
check plan 0 "v3_focal" /bundle/start t5mpi plan $config
check "no GPU" 2 "no NVIDIA driver" /bundle/start t5mpi $config --device cuda --output /tmp/none
check "tests without a GPU" 77 "no NVIDIA driver" /bundle/start gpu_tests norm
check run.sh 77 "skipped" sh /bundle/tests/gpu/run.sh /bundle
check "two ranks" 0 "results.h5" /bundle/start sh /bundle/tests/mpirun.sh -np 2 /bundle/start t5mpi \
    /small/small.cfg --device cpu --output /small/two
check "two ranks, with the bundle's glibc" 0 "results.h5" env T5_BUNDLE_LIBC=1 /bundle/start \
    sh /bundle/tests/mpirun.sh -np 2 /bundle/start t5mpi /small/small.cfg --device cpu --output /small/glibc
exit "$failures"
