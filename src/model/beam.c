#include "model/beam.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

t5_beam *t5_beam_create(int width, int max_length, int32_t eos_id) {
    assert(width >= 1 && max_length >= 1);
    t5_beam *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    const size_t n = (size_t)width, ids = (n + 1) * (size_t)max_length;
    b->width = width;
    b->max_length = max_length;
    b->eos_id = eos_id;
    b->n_running = 1;
    b->running = calloc(n, sizeof *b->running);
    b->finished = calloc(n + 1, sizeof *b->finished);
    b->best = calloc(2 * n, sizeof *b->best);
    int32_t *room = calloc(ids, sizeof *room);
    if (!b->running || !b->finished || !b->best || !room) {
        free(room);
        t5_beam_destroy(b);
        return NULL;
    }
    for (size_t i = 0; i <= n; i++)
        b->finished[i].ids = room + i * (size_t)max_length;
    return b;
}

void t5_beam_destroy(t5_beam *b) {
    if (!b)
        return;
    if (b->finished) {
        /* Finished hypotheses swap their rooms; the lowest address is the allocation. */
        int32_t *room = b->finished[0].ids;
        for (int i = 1; i <= b->width; i++)
            if (b->finished[i].ids < room)
                room = b->finished[i].ids;
        free(room);
    }
    free(b->best);
    free(b->finished);
    free(b->running);
    free(b);
}

/* The best `room` continuations of all running beams, best first; ties: the earlier beam, then the
 * lower token. */
static int best_continuations(const t5_beam *b, int k, const float *value, const int32_t *id,
                              t5_beam_next *best, int room) {
    int n = 0;
    for (int parent = 0; parent < b->n_running; parent++)
        for (int j = 0; j < k; j++) {
            float v = value[parent * k + j], sum = v + b->running[parent];
            if (!(v > -INFINITY))
                break; /* nothing but -INFINITY follows; NaN is nothing, too */
            if (n == room && !(sum > best[n - 1].sum))
                break;
            int at = n < room ? n++ : n - 1;
            for (; at > 0 && best[at - 1].sum < sum; at--)
                best[at] = best[at - 1];
            best[at] = (t5_beam_next){parent, id[parent * k + j], sum};
        }
    return n;
}

/* Keeps the hypothesis if it is among the best `width`. */
static void finish(t5_beam *b, const t5_beam_next *c, int position, const int32_t *history,
                   int history_ld) {
    const int n_tokens = position + 1;
    t5_beam_finished *room = &b->finished[b->width];
    room->score = c->sum / (float)n_tokens;
    room->n_tokens = n_tokens;
    memcpy(room->ids, history + (int64_t)c->parent * history_ld + 1,
           (size_t)position * sizeof *room->ids);
    room->ids[position] = c->token;
    t5_beam_finished hypothesis = *room;
    int at = b->n_finished < b->width ? b->n_finished++ : b->width;
    *room = b->finished[at];
    for (; at > 0 && b->finished[at - 1].score < hypothesis.score; at--)
        b->finished[at] = b->finished[at - 1];
    b->finished[at] = hypothesis;
}

int t5_beam_step(t5_beam *b, int position, int k, const float *value, const int32_t *id,
                 const int32_t *history, int history_ld, t5_beam_next *next) {
    assert(!b->done && position >= 0 && position < b->max_length);
    const bool last = position + 1 == b->max_length;
    const int n = best_continuations(b, k, value, id, b->best, 2 * b->width);
    int n_next = 0;
    for (int i = 0; i < n; i++) {
        const t5_beam_next *c = &b->best[i];
        if (c->token == b->eos_id || last) {
            if (i < b->width)
                finish(b, c, position, history, history_ld);
        } else if (n_next < b->width) {
            next[n_next++] = *c;
        }
    }
    b->done = last || n_next == 0 || b->n_finished == b->width;
    if (b->done)
        return 0;
    b->n_running = n_next;
    for (int i = 0; i < n_next; i++)
        b->running[i] = next[i].sum;
    return n_next;
}
