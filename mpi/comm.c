/* Starting and ending MPI, and splitting the world into groups. */
#include "mpi/watch.h"
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *t5_comm_library(void) {
#if defined(OMPI_MAJOR_VERSION)
    return "Open MPI v" TEXT(OMPI_MAJOR_VERSION) "." TEXT(OMPI_MINOR_VERSION) "." TEXT(
        OMPI_RELEASE_VERSION);
#elif defined(MPICH_VERSION)
    return "MPICH v" MPICH_VERSION;
#else
    return "MPI v" TEXT(MPI_VERSION) "." TEXT(MPI_SUBVERSION);
#endif
}

static t5_status find_world_ranks(t5_comm *comm, t5_error *err) {
    MPI_Group world = MPI_GROUP_NULL, mine = MPI_GROUP_NULL;
    int *ranks = calloc((size_t)comm->size, sizeof *ranks);
    comm->world_rank = calloc((size_t)comm->size, sizeof *comm->world_rank);
    if (!ranks || !comm->world_rank)
        t5_fail(err, T5_ERR_MEMORY, "no memory for a communicator");
    for (int r = 0; ranks && r < comm->size; r++)
        ranks[r] = r;
    if (err->status == T5_OK &&
        t5_mpi_check(MPI_Comm_group(MPI_COMM_WORLD, &world), "MPI_Comm_group", err) == T5_OK &&
        t5_mpi_check(MPI_Comm_group(comm->handle, &mine), "MPI_Comm_group", err) == T5_OK)
        t5_mpi_check(MPI_Group_translate_ranks(mine, comm->size, ranks, world, comm->world_rank),
                     "MPI_Group_translate_ranks", err);
    if (mine != MPI_GROUP_NULL)
        MPI_Group_free(&mine);
    if (world != MPI_GROUP_NULL)
        MPI_Group_free(&world);
    free(ranks);
    return err->status;
}

static t5_status look_around(t5_comm *comm, t5_error *err) {
    MPI_Comm host = MPI_COMM_NULL;
    t5_status status = t5_mpi_check(MPI_Comm_rank(comm->handle, &comm->rank), "MPI_Comm_rank", err);
    if (!status)
        status = t5_mpi_check(MPI_Comm_size(comm->handle, &comm->size), "MPI_Comm_size", err);
    if (!status)
        status = t5_mpi_check(MPI_Comm_split_type(comm->handle, MPI_COMM_TYPE_SHARED, comm->rank,
                                                  MPI_INFO_NULL, &host),
                              "MPI_Comm_split_type", err);
    if (status)
        return status;
    status = t5_mpi_check(MPI_Comm_rank(host, &comm->local_rank), "MPI_Comm_rank", err);
    if (!status)
        status = t5_mpi_check(MPI_Comm_size(host, &comm->local_size), "MPI_Comm_size", err);
    MPI_Comm_free(&host);
    return status ? status : find_world_ranks(comm, err);
}

t5_status t5_comm_wrap(MPI_Comm handle, t5_comm **out, t5_error *err) {
    t5_comm *comm = NULL;
    t5_status status =
        t5_mpi_check(MPI_Comm_set_errhandler(handle, MPI_ERRORS_RETURN), "MPI error handler", err);
    *out = NULL;
    if (status)
        goto done;
    comm = calloc(1, sizeof *comm);
    if (!comm) {
        status = t5_fail(err, T5_ERR_MEMORY, "no memory for a communicator");
        goto done;
    }
    comm->handle = handle;
    comm->message_bytes = T5_MESSAGE_BYTES;
    /* Open MPI's non-blocking sum needs a buffer as long as its data: pieces keep that small, and
     * 4 MiB ran fastest of 256 KiB to 1 GiB. */
    comm->piece_bytes = 4 << 20;
    status = look_around(comm, err);
done:
    if (status) {
        MPI_Comm_free(&handle);
        if (comm)
            free(comm->world_rank);
        free(comm);
        return status;
    }
    *out = comm;
    return T5_OK;
}

t5_status t5_comm_start(int *argc, char ***argv, t5_comm **world, t5_error *err) {
    int started = 0, level = MPI_THREAD_SINGLE;
    MPI_Comm handle = MPI_COMM_NULL;
    *world = NULL;
    t5_status status = t5_mpi_check(MPI_Initialized(&started), "MPI_Initialized", err);
    if (status)
        return status;
    if (started)
        return t5_fail(err, T5_ERR_COMM, "MPI has been started already");
    status =
        t5_mpi_check(MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &level), "MPI_Init", err);
    if (status)
        return status;
    if (level < MPI_THREAD_MULTIPLE) {
        status = t5_fail(err, T5_ERR_COMM,
                         "this MPI library does not allow calls from several "
                         "threads (MPI_THREAD_MULTIPLE)");
        goto done;
    }
    status = t5_mpi_check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN),
                          "MPI error handler", err);
    if (status)
        goto done;
    status = t5_mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &handle), "MPI_Comm_dup", err);
    if (status)
        goto done;
    status = t5_comm_wrap(handle, world, err);
    if (!status) {
        t5_watch *watch; /* the world knows it */
        status = t5_watch_start(*world, &watch, err);
    }
done:
    if (status) {
        t5_comm_free(*world);
        *world = NULL;
        MPI_Finalize();
    }
    return status;
}

t5_status t5_comm_set_timeout(t5_comm *world, double seconds, t5_error *err) {
    return t5_watch_set_limit(world->watch, world, seconds, err);
}

void t5_comm_progress(t5_comm *comm) {
    t5_watch_step(comm->watch);
}

void t5_comm_finish(t5_comm *world) {
    if (!world)
        return;
    t5_watch *watch = world->watch;
    t5_error err = {0};
    /* MPI_Finalize waits for all ranks without saying for whom: they meet here first. */
    if (watch && t5_comm_barrier(world, &err) != T5_OK)
        t5_comm_abort(world, 1);
    t5_watch_close(watch);
    t5_comm_free(world);
    MPI_Finalize();
    t5_watch_destroy(watch);
}

/* MPI_Abort asks a daemon of mpirun's, which may be out of reach: then the process ends itself. */
void t5_comm_abort(t5_comm *comm, int exit_status) {
    const unsigned patience = 10;
    signal(SIGALRM, SIG_DFL);
    alarm(patience);
    MPI_Abort(comm ? comm->handle : MPI_COMM_WORLD, exit_status);
    __builtin_trap(); /* MPI_Abort does not come back */
}

int t5_comm_rank(const t5_comm *comm) {
    return comm->rank;
}
int t5_comm_size(const t5_comm *comm) {
    return comm->size;
}
int t5_comm_local_size(const t5_comm *comm) {
    return comm->local_size;
}
int t5_comm_local_rank(const t5_comm *comm) {
    return comm->local_rank;
}

t5_status t5_comm_group(t5_comm *world, int size, t5_comm **group, t5_error *err) {
    MPI_Comm handle = MPI_COMM_NULL;
    *group = NULL;
    if (size < 1 || world->size % size)
        return t5_fail(err, T5_ERR_INPUT, "%d ranks cannot be split into groups of %d", world->size,
                       size);
    t5_mpi_begin(world, "splitting the world");
    t5_status status =
        t5_mpi_check(MPI_Comm_split(world->handle, world->rank / size, world->rank, &handle),
                     "MPI_Comm_split", err);
    if (!status)
        status = t5_comm_wrap(handle, group, err);
    t5_mpi_end(world);
    if (!status)
        t5_watch_add(world->watch, *group);
    return status;
}

void t5_comm_free(t5_comm *comm) {
    if (!comm)
        return;
    t5_watch_remove(comm);
    MPI_Comm_free(&comm->handle);
    free(comm->world_rank);
    free(comm);
}
