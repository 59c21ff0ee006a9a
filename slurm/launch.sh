# shellcheck shell=bash
# What the batch scripts here have in common: t5mpi is started over the job's tasks, is told when time runs out, and
# the job goes back to the queue when t5mpi has saved its state and ended (exit status 75). Nothing is compiled here.
#
# Settings, as variables of the environment (sbatch passes them on) or in the batch script:
#   T5MPI         the program, or the words that start it; build/t5mpi of the folder that sbatch was called in
#   T5MPI_LAUNCH  mpirun, or srun for `srun --mpi=pmix`

# The words that start t5mpi on every task of the job, in the array `start`.
choose_launcher() {
    case ${T5MPI_LAUNCH:-mpirun} in
    mpirun)
        # No binding: the job has its cores from Slurm, and a rank's threads need several of them.
        start=(mpirun --bind-to none)
        # SIGTERM (scancel, the end of the job's time): mpirun gives the ranks so many seconds to save their state,
        # not 2. Slurm's own limit is KillWait, often 30 s. Not more than needed: mpirun also waits for it, twice,
        # after ranks that have ended by themselves with another status than 0.
        export OMPI_MCA_odls_base_sigkill_timeout="${OMPI_MCA_odls_base_sigkill_timeout:-10}"
        # A host that cannot be reached any more ends the job in 12 s, not in 8 minutes.
        export OMPI_MCA_oob_tcp_keepalive_time="${OMPI_MCA_oob_tcp_keepalive_time:-5}"
        export OMPI_MCA_oob_tcp_keepalive_intvl="${OMPI_MCA_oob_tcp_keepalive_intvl:-2}"
        export OMPI_MCA_oob_tcp_keepalive_probes="${OMPI_MCA_oob_tcp_keepalive_probes:-3}"
        ;;
    srun)
        # Without --kill-on-bad-exit, srun waits for ever for the ranks that wait for a dead one.
        start=(srun --mpi=pmix --kill-on-bad-exit=1)
        # From Slurm 22.05 on, srun does not take --cpus-per-task from the job by itself.
        if [ -n "${SLURM_CPUS_PER_TASK:-}" ]; then export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK; fi
        ;;
    *)
        echo "T5MPI_LAUNCH: found $T5MPI_LAUNCH, allowed: mpirun, srun" >&2
        exit 2
        ;;
    esac
}

# was_stopped STATUS TOLD: t5mpi ended because Slurm wanted it to.
was_stopped() {
    case $1 in
    75) return 0 ;;                 # having saved its state
    138) [ -n "$2" ] && return 0 ;; # by USR1, which came before t5mpi could receive it; nothing is lost
    0 | 1 | 2) return 1 ;;
    esac
    # Many sites pre-empt without USR1: then mpirun's helpers on the other nodes get SIGTERM and take t5mpi along.
    scontrol --oneliner show job "$SLURM_JOB_ID" | grep -q ' PreemptTime=[0-9]'
}

# launch [OPTION OF t5mpi]... CONFIG: does not return.
launch() {
    local start pid='' told='' caught status
    choose_launcher
    # Slurm sends USR1 to this shell, because of --signal=B: before the time is up, and when another job pre-empts
    # this one. t5mpi saves its state at the next step and ends with 75.
    trap 'told=yes; caught=yes; [ -z "$pid" ] || kill -USR1 "$pid"' USR1
    # SIGTERM goes to the ranks as well. This shell has to wait for them.
    trap 'caught=yes' TERM

    # --resume goes on where an earlier start of this job stopped, and begins where there is nothing yet.
    # shellcheck disable=SC2086 # T5MPI may be several words
    "${start[@]}" ${T5MPI:-build/t5mpi} run "$@" --resume \
        --set parallel.threads="${SLURM_CPUS_PER_TASK:-1}" &
    pid=$!
    while
        caught=
        wait "$pid"
        status=$?
        [ -n "$caught" ] # a signal ended the waiting, not t5mpi
    do :; done

    # A job that was cancelled, or that has no time left, is not RUNNING any more, and stays where it is.
    if was_stopped "$status" "$told" && [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)" = RUNNING ]; then
        echo "t5mpi was stopped (status $status): job $SLURM_JOB_ID goes back to the queue"
        scontrol requeue "$SLURM_JOB_ID" && exit 0
    fi
    exit "$status"
}
