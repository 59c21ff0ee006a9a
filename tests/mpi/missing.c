/* A job in which something does not come: missing SCENARIO, started by missing.sh with three ranks.
 * Whoever is stopped stays so until mpirun ends it. */
#include "mpi/service.h"
#include "mpi/watch.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const double limit = 1;
/* set before MPI_Finalize, which is this program's own */
static bool stop_in_finalize;

int MPI_Finalize(void) {
    if (stop_in_finalize)
        raise(SIGSTOP);
    return PMPI_Finalize();
}

static void must(t5_status status, const t5_error *err) {
    if (status == T5_OK)
        return;
    fprintf(stderr, "failed: %s\n", err->text);
    t5_comm_abort(NULL, 3);
}

/* Kind 0: an answer after `seconds`; kind 1: the helper itself sleeps for so long. */
typedef struct host {
    double seconds, first;
} host;

static bool handle(void *user, int rank, int kind, const void *request, size_t bytes,
                   t5_reply *reply) {
    host *h = user;
    (void)rank, (void)request, (void)bytes, (void)reply;
    if (kind == 1)
        t5_mpi_sleep(h->seconds);
    if (h->first == 0)
        h->first = t5_mpi_now();
    return t5_mpi_now() - h->first >= h->seconds;
}

static void call(t5_service *service, int kind) {
    t5_error err = {0};
    void *reply;
    size_t bytes;
    must(t5_service_call(service, kind, NULL, 0, &reply, &bytes, &err), &err);
    free(reply);
}

/* The service, the rank that stops at its beginning, and what happens in it. All ranks are a group,
 * whose first asks while the others wait for what it will say. */
static void with_service(t5_comm *world, host *h, int stopped, int kind) {
    t5_error err = {0};
    t5_service *service;
    t5_comm *group;
    must(t5_service_start(world, handle, h, &service, &err), &err);
    must(t5_comm_group(world, t5_comm_size(world), &group, &err), &err);
    if (t5_comm_rank(world) == stopped)
        raise(SIGSTOP);
    if (kind >= 0) {
        if (t5_comm_rank(group) == 0 || stopped == 0)
            call(service, kind);
        must(t5_comm_barrier(group, &err), &err);
    }
    t5_comm_free(group);
    must(t5_service_stop(service, &err), &err);
}

/* Rank 1 does something for long that is no call to the others, who have no more to do and wait for
 * it at the end, which has no limit. Does it say that it comes further? */
static void wait_for_one(t5_comm *world, bool says_so) {
    t5_error err = {0};
    t5_service *service;
    must(t5_service_start(world, handle, &(host){0}, &service, &err), &err);
    for (int i = 0; i < 8 && t5_comm_rank(world) == 1; i++) {
        t5_mpi_sleep(limit / 2);
        if (says_so)
            t5_comm_progress(world);
    }
    must(t5_service_stop(service, &err), &err);
}

/* All processes stop together for longer than the limit, as a job that the user or Slurm suspends;
 * a process of rank 0 lets them go on. */
static void suspend_all(t5_comm *world) {
    t5_error err = {0};
    const pid_t mine = getpid();
    void *all;
    size_t *offsets;
    must(t5_comm_gather(world, &mine, sizeof mine, &all, &offsets, &err), &err);
    if (t5_comm_rank(world) == 0 && fork() == 0) {
        const pid_t *pids = all;
        t5_mpi_sleep(3 * limit);
        for (int r = 0; r < t5_comm_size(world); r++)
            kill(pids[r], SIGCONT);
        _exit(0);
    }
    free(all);
    free(offsets);
    must(t5_comm_barrier(world, &err), &err);
    raise(SIGSTOP);
}

static void be_slow(t5_comm *world) {
    t5_error err = {0};
    for (int i = 0; i < 6; i++) {
        if (t5_comm_rank(world) == i % 3)
            t5_mpi_sleep(0.6 * limit);
        must(t5_comm_agree(world, &err), &err);
    }
}

static void play(t5_comm *world, const char *scenario) {
    const int rank = t5_comm_rank(world);
    t5_error err = {0};
    float x = 1;
    if (strcmp(scenario, "stopped") == 0) {
        if (rank == 2)
            raise(SIGSTOP);
        must(t5_comm_sum_float(world, &x, 1, &err), &err);
    } else if (strcmp(scenario, "root_stopped") == 0) {
        if (rank == 0)
            raise(SIGSTOP);
        must(t5_comm_bcast(world, 0, &x, sizeof x, &err), &err);
    } else if (strcmp(scenario, "busy") == 0) {
        if (rank == 1)
            t5_mpi_sleep(60);
        must(t5_comm_barrier(world, &err), &err);
    } else if (strcmp(scenario, "stuck") == 0 || strcmp(scenario, "alone") == 0) {
        wait_for_one(world, strcmp(scenario, "alone") == 0);
    } else if (strcmp(scenario, "slow") == 0) {
        be_slow(world);
    } else if (strcmp(scenario, "suspended") == 0) {
        suspend_all(world);
    } else if (strcmp(scenario, "long_queue") == 0) {
        with_service(world, &(host){.seconds = 4 * limit}, -1, 0);
    } else if (strcmp(scenario, "queue_without_root") == 0) {
        with_service(world, &(host){.seconds = 60}, 0, 0);
    } else if (strcmp(scenario, "queue_without_helper") == 0) {
        with_service(world, &(host){.seconds = 60}, -1, 1);
    } else if (strcmp(scenario, "last_trial") == 0) {
        with_service(world, &(host){0}, 1, -1);
    } else if (strcmp(scenario, "end") == 0) {
        if (rank == 1)
            raise(SIGSTOP);
    } else if (strcmp(scenario, "finalize") == 0) {
        stop_in_finalize = rank == 2;
    } else {
        fprintf(stderr, "no scenario %s\n", scenario);
        t5_comm_abort(NULL, 3);
    }
}

int main(int argc, char **argv) {
    t5_comm *world;
    t5_error err = {0};
    if (t5_comm_start(&argc, &argv, &world, &err) != T5_OK || argc != 2) {
        fprintf(stderr, "missing: %s\n", err.text);
        return 3;
    }
    must(t5_comm_set_timeout(world, limit, &err), &err);
    play(world, argv[1]);
    t5_comm_finish(world);
    puts("all came");
    return 0;
}
