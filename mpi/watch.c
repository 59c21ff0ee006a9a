#include "base/log.h"
#include "mpi/watch_internal.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double tick = 0.05, most_between_signs = 5;

static double sign_interval(double limit) {
    double every = limit / 8 < most_between_signs ? limit / 8 : most_between_signs;
    return limit > 0 ? every : INFINITY;
}

/* ---- signs of life ---- */

static void show_signs(t5_watch *w, double gap) {
    const t5_note sign = {.kind = T5_NOTE_SIGN};
    w->unsigned_for += gap;
    if (w->unsigned_for < w->sign_every)
        return;
    w->unsigned_for = 0;
    for (int r = 0; r < w->size; r++)
        if (r != w->rank && (r == 0 || w->rank == 0))
            t5_notes_send(w->notes, r, &sign);
}

static void miss_signs(t5_watch *w, double gap) {
    for (int r = 0; r < w->size; r++) {
        if (r == w->rank || (r != 0 && w->rank != 0))
            continue;
        w->peers[r].silent += gap;
        if (w->limit > 0 && w->peers[r].silent > w->limit) {
            t5_log(T5_LOG_ERROR,
                   "rank %d has shown no sign of life for %g s (parallel.timeout_s): its process "
                   "is stopped, or its host cannot be reached",
                   r, w->limit);
            t5_comm_abort(NULL, 1);
        }
    }
}

/* ---- notes from others ---- */

static const t5_comm *comm_of(const t5_watch *w, int id) {
    const t5_comm *c = w->comms;
    while (c && c->id != id)
        c = c->next;
    return c;
}

static void answer(t5_watch *w, int to, const t5_note *question) {
    const t5_comm *c = comm_of(w, question->comm);
    const t5_note note = {.kind = T5_NOTE_ANSWER,
                          .comm = question->comm,
                          .calls = c ? c->calls : 0,
                          .in_service = w->wait.doing == T5_IN_SERVICE,
                          .question = question->question};
    t5_notes_send(w->notes, to, &note);
}

static void listen(t5_watch *w) {
    t5_note note;
    int from;
    while (t5_notes_receive(w->notes, &note, &from)) {
        t5_peer *p = &w->peers[from];
        p->silent = 0;
        if (note.kind == T5_NOTE_ASK)
            answer(w, from, &note);
        else if (note.kind == T5_NOTE_ANSWER && note.question == w->question) {
            p->answered = true;
            p->answer = note;
        }
    }
}

/* ---- the thread ---- */

/* MPI_Finalize and what little is done before it. */
static void guard_the_end(t5_watch *w, double gap) {
    w->closed_for += gap;
    if (w->limit > 0 && w->closed_for > w->limit) {
        t5_log(T5_LOG_ERROR,
               "MPI has not come to its end for %g s (parallel.timeout_s): another rank is stopped "
               "or cannot be reached; all results are written",
               w->limit);
        t5_comm_abort(NULL, 1);
    }
}

static void sleep_a_tick(t5_watch *w) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(tick * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!w->ended && pthread_cond_timedwait(&w->wake, &w->lock, &until) != ETIMEDOUT)
        ;
}

static void *run(void *watch) {
    t5_watch *w = watch;
    pthread_mutex_lock(&w->lock);
    for (double before = t5_mpi_now(); !w->ended;) {
        sleep_a_tick(w);
        /* a longer gap is one in which this process did not run, and perhaps no other did */
        const double now = t5_mpi_now(), elapsed = now - before;
        const double gap = fmin(elapsed, 4 * tick);
        before = now;
        if (w->closed) {
            guard_the_end(w, gap);
            continue;
        }
        listen(w);
        show_signs(w, elapsed);
        miss_signs(w, gap);
        t5_watch_look_at_wait(w, gap);
        t5_watch_look_at_progress(w, gap);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- for the main thread ---- */

static t5_status start_thread(t5_watch *w, t5_error *err) {
    pthread_condattr_t attributes;
    pthread_mutex_init(&w->lock, NULL); /* with default attributes none of these can fail here */
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (t5_mpi_thread(&w->thread, run, w, err) == T5_OK)
        return T5_OK;
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    return err->status;
}

t5_status t5_watch_start(t5_comm *world, t5_watch **watch, t5_error *err) {
    bool running = false;
    *watch = NULL;
    if (world->size == 1)
        return T5_OK;
    t5_watch *w = calloc(1, sizeof *w);
    t5_peer *peers = calloc((size_t)world->size, sizeof *peers);
    if (!w || !peers)
        t5_fail(err, T5_ERR_MEMORY, "no memory for the watch over the ranks");
    if (t5_comm_agree(world, err) == T5_OK) {
        w->rank = world->rank;
        w->size = world->size;
        w->peers = peers;
        w->limit = T5_WATCH_START_LIMIT;
        w->sign_every = sign_interval(w->limit);
        running = t5_notes_open(world, &w->notes, err) == T5_OK && start_thread(w, err) == T5_OK;
        t5_comm_agree(world, err);
    }
    if (err->status == T5_OK) {
        t5_watch_add(w, world);
        *watch = w;
        return T5_OK;
    }
    /* The notes' communicator stays: the others may not have theirs. */
    if (running)
        t5_watch_destroy(w);
    else
        free(w);
    if (!running)
        free(peers);
    return err->status;
}

void t5_watch_close(t5_watch *w) {
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->closed = true;
    pthread_mutex_unlock(&w->lock);
    t5_notes_close(w->notes);
}

void t5_watch_destroy(t5_watch *w) {
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ended = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w->peers);
    free(w);
}

/* The signs must come as often as the strictest rank expects them before the first one does. */
t5_status t5_watch_set_limit(t5_watch *w, t5_comm *world, double limit, t5_error *err) {
    if (!w)
        return T5_OK;
    pthread_mutex_lock(&w->lock);
    w->sign_every = fmin(w->sign_every, sign_interval(limit));
    pthread_mutex_unlock(&w->lock);
    if (t5_comm_barrier(world, err) != T5_OK)
        return err->status;
    pthread_mutex_lock(&w->lock);
    w->limit = limit;
    w->sign_every = sign_interval(limit);
    w->configured = true;
    for (int r = 0; r < w->size; r++)
        w->peers[r].silent = 0;
    pthread_mutex_unlock(&w->lock);
    return T5_OK;
}

double t5_watch_limit(t5_watch *w) {
    if (!w)
        return 0;
    pthread_mutex_lock(&w->lock);
    double limit = w->configured ? w->limit : 0;
    pthread_mutex_unlock(&w->lock);
    return limit;
}

/* Communicators are made by their ranks together, in one order: so their ids agree. */
void t5_watch_add(t5_watch *w, t5_comm *comm) {
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    comm->watch = w;
    comm->id = w->made++;
    comm->next = w->comms;
    w->comms = comm;
    pthread_mutex_unlock(&w->lock);
}

void t5_watch_remove(t5_comm *comm) {
    t5_watch *w = comm->watch;
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    t5_comm **at = &w->comms;
    while (*at && *at != comm)
        at = &(*at)->next;
    if (*at)
        *at = comm->next;
    comm->watch = NULL;
    pthread_mutex_unlock(&w->lock);
}

void t5_watch_step(t5_watch *w) {
    if (w)
        atomic_fetch_add_explicit(&w->steps, 1, memory_order_relaxed);
}

static void set_wait(t5_watch *w, const t5_wait_state *s) {
    if (!w)
        return;
    t5_watch_step(w);
    pthread_mutex_lock(&w->lock);
    w->wait = *s;
    pthread_mutex_unlock(&w->lock);
}

void t5_watch_begin(t5_watch *w, t5_comm *comm, const char *what) {
    set_wait(w, &(t5_wait_state){
                    .doing = comm ? T5_IN_CALL : T5_IN_SERVICE, .comm = comm, .what = what});
}

void t5_watch_begin_limited(t5_watch *w, t5_comm *comm, const char *what, double limit) {
    set_wait(
        w, &(t5_wait_state){
               .doing = T5_IN_CALL, .comm = comm, .what = what, .own_limit = true, .limit = limit});
}

void t5_watch_end(t5_watch *w) {
    set_wait(w, &(t5_wait_state){0});
}

bool t5_watch_is_over(t5_watch *w, t5_error *err) {
    if (!w)
        return false;
    pthread_mutex_lock(&w->lock);
    if (w->wait.over.status != T5_OK)
        *err = w->wait.over;
    bool over = w->wait.over.status != T5_OK;
    pthread_mutex_unlock(&w->lock);
    return over;
}
