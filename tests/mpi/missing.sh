#!/bin/sh
# Jobs in which a rank does not come (missing.c): they must end with status 1 and a line that names it; those in which
# it is only late must end well. usage: missing.sh MPIRUN MISSING. The 60 seconds tell a hang from an end.
set -u
mpirun=$1 missing=$2
said=$(mktemp) || exit 1
trap 'rm -f "$said"' EXIT
bad=0

# play SCENARIO STATUS TEXT: TEXT is a pattern of grep
play() {
    timeout -k 5 60 "$mpirun" -np 3 "$missing" "$1" >"$said" 2>&1
    status=$?
    if [ "$status" -ne "$2" ] || ! grep -q -e "$3" "$said"; then
        echo "$1: status $status instead of $2, or nothing said like \"$3\":"
        sed 's/^/    /' "$said"
        bad=1
    fi
}

# A rank does not come when MPI_Finalize has begun. mpirun with PMIx 4.2.2 then crashes or hangs at its own end now and
# then (docs/reliability.md), after the ranks are gone: what counts is what they said, and that they are.
play_finalize() {
    "$mpirun" -np 3 "$missing" finalize >"$said" 2>&1 &
    launcher=$!
    tries=600
    until grep -q "MPI has not come to its end for 1 s" "$said" && ! pgrep -f "^$missing finalize" >/dev/null; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
            echo "finalize: after a minute ranks are left, or nothing was said:"
            sed 's/^/    /' "$said"
            bad=1
            break
        fi
        sleep 0.1
    done
    pkill -KILL -f "^$missing finalize"
    timeout 5 tail --pid="$launcher" -f /dev/null || kill -KILL "$launcher"
    wait "$launcher" 2>/dev/null
    status=$?
    if [ "$status" -eq 0 ]; then
        echo "finalize: mpirun's status is 0"
        bad=1
    fi
}

play no_such_scenario 3 "no scenario"
play stopped 1 "rank 2 "
play root_stopped 1 "rank 0 has shown no sign of life for 1 s"
play busy 1 "missing: rank 1 (busy elsewhere)"
play queue_without_root 1 "rank 0 "
play queue_without_helper 1 "rank 0 has not answered a request for 1 s"
play last_trial 1 "rank 1 has shown no sign of life for 1 s"
play end 1 "rank 1 "
play stuck 1 "rank 1 has come no further for 2 s"
play_finalize
play slow 0 "all came"
play suspended 0 "all came"
play long_queue 0 "all came"
play alone 0 "all came"
exit "$bad"
