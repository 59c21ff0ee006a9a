/* The helper thread on rank 0. Polling with short sleeps, because it is the only way that answers
 * in milliseconds inside and between hosts while rank 0 computes, without a core of its own. */
#include "mpi/helper.h"
#include "base/log.h"
#include "mpi/watch.h"
#include <pthread.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct request {
    struct request *next;
    int rank, kind;
    bool told; /* no reply is wanted */
    size_t bytes;
    const void *data;
} request;

/* All of it belongs to the thread between start and finish. */
struct t5_helper {
    pthread_t thread;
    t5_comm *requests, *replies;
    t5_watch *watch;
    t5_service_handler *handler;
    void *user;
    void *buffer;      /* T5_REQUEST_BYTES: the request being looked at */
    request *deferred; /* oldest first, each with its data in the same allocation */
    double asked;      /* when the deferred ones were last asked */
    bool *gone;        /* (ranks) have said goodbye */
    int goodbyes;
    double signed_at; /* when those who wait were last told that somebody is here */
    t5_error lost;    /* the first tell that could not be kept */
};

/* A failing MPI leaves the askers waiting for ever and cannot tell them so. */
static void must(const t5_helper *h, t5_status status, const t5_error *err) {
    if (!status)
        return;
    t5_log(T5_LOG_ERROR, "the helper thread of rank 0: %s", err->text);
    t5_comm_abort(h->requests, 1);
}

static void reply_to(const t5_helper *h, int rank, const t5_error *error, const void *data,
                     size_t bytes) {
    t5_reply_header header = {.bytes = bytes, .error = *error};
    t5_error err = {0};
    t5_status status = t5_mpi_send(h->replies, &header, sizeof header, rank, T5_TAG_REPLY, &err);
    if (!status)
        status = t5_mpi_send(h->replies, data, bytes, rank, T5_TAG_REPLY_DATA, &err);
    must(h, status, &err);
}

static void tell_header(const t5_helper *h, int rank, bool later) {
    const t5_reply_header header = {.later = later};
    t5_error err = {0};
    must(h, t5_mpi_send(h->replies, &header, sizeof header, rank, T5_TAG_REPLY, &err), &err);
}

/* Those who wait for long give up if they hear nothing. */
static void say_later(t5_helper *h) {
    const double limit = t5_watch_limit(h->watch), every = limit < 20 ? limit / 4 : 5;
    const double now = t5_mpi_now();
    if (limit <= 0 || now - h->signed_at < every)
        return;
    h->signed_at = now;
    for (const request *q = h->deferred; q; q = q->next)
        if (!q->told)
            tell_header(h, q->rank, true);
    for (int r = 0; r < h->requests->size; r++)
        if (h->gone[r])
            tell_header(h, r, true);
}

/* Has one request handled; false: not yet. */
static bool ask(const t5_helper *h, const request *q) {
    t5_reply reply = {0};
    if (h->lost.status) {
        if (!q->told)
            reply_to(h, q->rank, &h->lost, NULL, 0);
        return true;
    }
    if (!h->handler(h->user, q->rank, q->kind, q->data, q->bytes, &reply))
        return false;
    if (!q->told) {
        const t5_error fine = {0};
        reply_to(h, q->rank, &fine, reply.owned ? reply.owned : reply.data, reply.bytes);
    }
    free(reply.owned);
    return true;
}

/* Asks the deferred ones again, and again as long as one of them could be answered: that may be
 * what another one waits for. */
static void ask_deferred(t5_helper *h) {
    bool again = true;
    while (again) {
        again = false;
        for (request **at = &h->deferred; *at;) {
            request *q = *at;
            if (!ask(h, q)) {
                at = &q->next;
                continue;
            }
            *at = q->next;
            free(q);
            again = true;
        }
    }
    h->asked = t5_mpi_now();
}

/* No memory to keep a request: one who waits is told at once, else whoever calls next. */
static void refuse(t5_helper *h, const request *q) {
    t5_error error = {0};
    t5_fail(&error, T5_ERR_MEMORY, "rank 0 has no memory for a request of %zu bytes from rank %d",
            q->bytes, q->rank);
    if (!q->told)
        reply_to(h, q->rank, &error, NULL, 0);
    else if (!h->lost.status)
        h->lost = error;
}

static void defer(t5_helper *h, const request *q) {
    /* the handler sees structs in the data */
    const size_t aligned =
        (sizeof *q + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    request **at = &h->deferred;
    request *kept = malloc(aligned + q->bytes);
    if (!kept) {
        refuse(h, q);
        return;
    }
    *kept = *q;
    kept->data = memcpy((char *)kept + aligned, q->data, q->bytes);
    while (*at)
        at = &(*at)->next;
    *at = kept;
}

/* Takes one message, if there is one. */
static bool look(t5_helper *h) {
    t5_error err = {0};
    int found = 0, count = 0;
    MPI_Message message;
    MPI_Status probed;
    must(h,
         t5_mpi_check(MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, h->requests->handle, &found,
                                  &message, &probed),
                      "MPI_Improbe", &err),
         &err);
    if (!found)
        return false;
    must(h, t5_mpi_check(MPI_Get_count(&probed, MPI_BYTE, &count), "MPI_Get_count", &err), &err);
    MPI_Request receiving;
    must(h,
         t5_mpi_check(MPI_Imrecv(h->buffer, count, MPI_BYTE, &message, &receiving), "MPI_Imrecv",
                      &err),
         &err);
    must(h, t5_mpi_wait(h->requests, &receiving, T5_WAIT_BUSY, "MPI_Imrecv", &err), &err);
    if (probed.MPI_TAG == T5_TAG_GOODBYE) {
        h->gone[probed.MPI_SOURCE] = true;
        h->goodbyes++;
        return true;
    }
    const request q = {.rank = probed.MPI_SOURCE,
                       .kind = probed.MPI_TAG / 2,
                       .told = probed.MPI_TAG % 2,
                       .bytes = (size_t)count,
                       .data = h->buffer};
    if (!ask(h, &q))
        defer(h, &q);
    return true;
}

/* A rank's messages come in its order, so after the last goodbye nothing can be under way. */
static void *run(void *helper) {
    const double look_every = 1e-3, ask_every = 50e-3;
    t5_helper *h = helper;
    while (h->goodbyes < h->requests->size) {
        bool found = look(h);
        if (found || (h->deferred && t5_mpi_now() - h->asked >= ask_every))
            ask_deferred(h);
        say_later(h);
        if (!found)
            t5_mpi_sleep(look_every);
    }
    for (int r = 0; r < h->requests->size; r++)
        tell_header(h, r, false);
    return NULL;
}

static void destroy(t5_helper *h) {
    if (!h)
        return;
    free(h->buffer);
    free(h->gone);
    free(h);
}

t5_status t5_helper_start(t5_comm *requests, t5_comm *replies, t5_watch *watch,
                          t5_service_handler *handler, void *user, t5_helper **helper,
                          t5_error *err) {
    t5_helper *h = calloc(1, sizeof *h);
    *helper = NULL;
    if (h) {
        h->buffer = malloc(T5_REQUEST_BYTES);
        h->gone = calloc((size_t)requests->size, sizeof *h->gone);
    }
    if (!h || !h->buffer || !h->gone) {
        destroy(h);
        return t5_fail(err, T5_ERR_MEMORY, "no memory for the helper thread");
    }
    h->requests = requests;
    h->replies = replies;
    h->watch = watch;
    h->handler = handler;
    h->user = user;
    if (t5_mpi_thread(&h->thread, run, h, err) != T5_OK) {
        destroy(h);
        return err->status;
    }
    *helper = h;
    return T5_OK;
}

void t5_helper_finish(t5_helper *h, t5_error *lost) {
    if (!h)
        return;
    pthread_join(h->thread, NULL);
    *lost = h->lost;
    while (h->deferred) {
        request *q = h->deferred;
        h->deferred = q->next;
        free(q);
    }
    destroy(h);
}
