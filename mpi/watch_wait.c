/* The main thread's wait: how long it lasts, who is missing, and what is said of it. */
#include "base/log.h"
#include "mpi/watch_internal.h"
#include <stdio.h>

static const double patience_with_answers = 2;

static void ask(t5_watch *w) {
    const t5_comm *c = w->wait.comm;
    const t5_note note = {.kind = T5_NOTE_ASK, .comm = c->id, .question = ++w->question};
    w->wait.asked = true;
    w->wait.asking = 0;
    for (int i = 0; i < c->size; i++) {
        w->peers[c->world_rank[i]].answered = false;
        if (i != c->rank)
            t5_notes_send(w->notes, c->world_rank[i], &note);
    }
}

static bool all_answered(const t5_watch *w) {
    const t5_comm *c = w->wait.comm;
    for (int i = 0; i < c->size; i++)
        if (i != c->rank && !w->peers[c->world_rank[i]].answered)
            return false;
    return true;
}

/* The ranks that have not entered the call, as text; *excused: one of them waits in the service. */
static int name_missing(const t5_watch *w, char *text, size_t size, bool *excused) {
    const t5_comm *c = w->wait.comm;
    int missing = 0;
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < c->size; i++) {
        const t5_peer *p = &w->peers[c->world_rank[i]];
        if (i == c->rank || (p->answered && p->answer.calls >= c->calls))
            continue;
        *excused |= p->answered && p->answer.in_service;
        missing++;
        if (used < size)
            used +=
                (size_t)snprintf(text + used, size - used, "%srank %d (%s)", used ? ", " : "",
                                 c->world_rank[i], p->answered ? "busy elsewhere" : "no answer");
    }
    return missing;
}

static void end_wait(t5_watch *w, double limit) {
    char names[256];
    bool excused = false;
    t5_error err = {0};
    if (w->wait.doing == T5_IN_SERVICE)
        t5_fail(&err, T5_ERR_COMM,
                "rank 0 has not answered a request for %g s (parallel.timeout_s)", limit);
    else if (name_missing(w, names, sizeof names, &excused) > 0)
        t5_fail(&err, T5_ERR_COMM,
                "waited more than %g s (parallel.timeout_s; %s) for other ranks; missing: %s",
                limit, w->wait.what, names);
    else
        t5_fail(&err, T5_ERR_COMM,
                "waited more than %g s (parallel.timeout_s; %s), though all ranks are there: "
                "does the network carry nothing?",
                limit, w->wait.what);
    if (excused) {
        w->wait.waited = 0;
        w->wait.asked = false;
    } else if (w->wait.own_limit) {
        w->wait.over = err;
    } else {
        t5_log(T5_LOG_ERROR, "%s", err.text);
        t5_comm_abort(NULL, 1);
    }
}

void t5_watch_look_at_wait(t5_watch *w, double gap) {
    t5_wait_state *s = &w->wait;
    const double limit = s->own_limit ? s->limit : w->configured ? w->limit : 0;
    if (s->doing == T5_IDLE || s->over.status != T5_OK)
        return;
    s->waited += gap;
    if (limit <= 0 || s->waited <= limit)
        return;
    if (s->doing == T5_IN_CALL && !s->asked) {
        ask(w);
        return;
    }
    s->asking += gap;
    if (s->doing == T5_IN_SERVICE || all_answered(w) || s->asking > patience_with_answers)
        end_wait(w, limit);
}

/* ---- without a wait ---- */

/* Whoever waits for others is watched above. Who does not, must come to something: the others may
 * wait for this rank where nobody asks for it, for a trial or at the end. They are given the first
 * word where they do ask. */
void t5_watch_look_at_progress(t5_watch *w, double gap) {
    const double limit = w->configured ? 2 * w->limit : 0;
    uint64_t marks = atomic_load_explicit(&w->steps, memory_order_relaxed);
    for (const t5_comm *c = w->comms; c; c = c->next)
        marks += atomic_load_explicit(&c->calls, memory_order_relaxed);
    w->still = w->wait.doing == T5_IDLE && marks == w->marks ? w->still + gap : 0;
    w->marks = marks;
    if (limit <= 0 || w->still <= limit)
        return;
    t5_log(
        T5_LOG_ERROR,
        "rank %d has come no further for %g s (twice parallel.timeout_s), though it waits for no "
        "other rank: a disk or a GPU may hang",
        w->rank, limit);
    t5_comm_abort(NULL, 1);
}
