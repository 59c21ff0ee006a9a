#include "run/epoch.h"
#include "base/rng.h"
#include <stdlib.h>
#include <string.h>

struct t5_epoch {
    const t5_shard *shard;
    uint64_t seed;
    uint32_t number;
    int64_t n; /* rows of the split */
    int batch, rank, ranks;
    int64_t steps;
    int64_t *targets; /* (steps) target tokens of the global batch */
    /* several ranks: the received rows, and where each of mine starts in them */
    int32_t *received;
    int64_t *at;    /* (n_mine) index of the row's record in received */
    int64_t *first; /* (steps + 1) number of my first row of each step */
};

/* A row on its way: place in the epoch (2 words), position in the split, lengths, ids. */
enum { RECORD_HEAD = 5 };

static int64_t cut(int64_t n, int part, int parts) {
    return n * part / parts;
}

static int64_t rows_of_step(const t5_epoch *e, int64_t step) {
    int64_t rest = e->n - step * e->batch;
    return rest < e->batch ? rest : e->batch;
}

/* The rank that trains on place i of the epoch. */
static int trainer_of(const t5_epoch *e, int64_t i) {
    int64_t step = i / e->batch, slot = i % e->batch, s = rows_of_step(e, step);
    int r = (int)(slot * e->ranks / s);
    while (slot < cut(s, r, e->ranks))
        r--;
    while (slot >= cut(s, r + 1, e->ranks))
        r++;
    return r;
}

static t5_epoch_row shard_row(const t5_shard *shard, int64_t position) {
    int64_t k = position - shard->first;
    return (t5_epoch_row){
        .position = (uint32_t)position,
        .n_input = (int)(shard->input_start[k + 1] - shard->input_start[k]),
        .n_target = (int)(shard->target_start[k + 1] - shard->target_start[k]),
        .input = shard->input + shard->input_start[k],
        .target = shard->target + shard->target_start[k],
    };
}

static bool mine(const t5_shard *shard, int64_t position) {
    return position >= shard->first && position < shard->first + shard->n;
}

/* Lays out the records of my shard by destination. Two passes over the epoch's places: the first
 * (out == NULL) only counts words per rank. */
static void lay_out(const t5_epoch *e, size_t *words, int32_t *out, size_t *offset) {
    for (int64_t i = 0; i < e->n; i++) {
        int64_t position = (int64_t)t5_shuffle_at(e->seed, e->number, (uint64_t)e->n, (uint64_t)i);
        if (!mine(e->shard, position))
            continue;
        t5_epoch_row row = shard_row(e->shard, position);
        int to = trainer_of(e, i);
        size_t size = (size_t)(RECORD_HEAD + row.n_input + row.n_target);
        if (!out) {
            words[to] += size;
            continue;
        }
        int32_t *p = out + offset[to];
        memcpy(p, &i, sizeof i);
        p[2] = (int32_t)row.position;
        p[3] = row.n_input;
        p[4] = row.n_target;
        memcpy(p + RECORD_HEAD, row.input, (size_t)row.n_input * sizeof *p);
        memcpy(p + RECORD_HEAD + row.n_input, row.target, (size_t)row.n_target * sizeof *p);
        offset[to] += size;
    }
}

/* Number of my rows before place i of the epoch, for a place that is mine. */
static int64_t my_number(const t5_epoch *e, int64_t i) {
    int64_t step = i / e->batch;
    return e->first[step] + i % e->batch - cut(rows_of_step(e, step), e->rank, e->ranks);
}

static t5_status index_received(t5_epoch *e, size_t words, t5_error *err) {
    int64_t n_mine = e->first[e->steps];
    e->at = malloc((size_t)(n_mine + 1) * sizeof *e->at);
    if (!e->at)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the rows of an epoch");
    for (size_t w = 0; w < words;) {
        int64_t place;
        memcpy(&place, e->received + w, sizeof place);
        e->at[my_number(e, place)] = (int64_t)w;
        w += (size_t)(RECORD_HEAD + e->received[w + 3] + e->received[w + 4]);
    }
    return T5_OK;
}

static t5_status exchange(t5_comm *group, t5_epoch *e, t5_error *err) {
    size_t *words = calloc(4 * (size_t)e->ranks, sizeof *words);
    size_t *offset = words + e->ranks, *send = offset + e->ranks, *receive = send + e->ranks;
    int32_t *out = NULL;
    size_t total = 0;

    if (words) {
        lay_out(e, words, NULL, NULL);
        for (int r = 0; r < e->ranks; r++) {
            offset[r] = total;
            total += words[r];
            send[r] = words[r] * sizeof *out;
        }
        out = malloc((total + 1) * sizeof *out);
    }
    if (!words || !out)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the exchange of %zu token ids", total);
    if (t5_comm_agree(group, err) != T5_OK)
        goto done;
    lay_out(e, words, out, offset);
    if (t5_comm_exchange(group, out, send, (void **)&e->received, receive, err) != T5_OK)
        goto done;
    total = 0;
    for (int r = 0; r < e->ranks; r++)
        total += receive[r] / sizeof *out;
    index_received(e, total, err);
done:
    free(words);
    free(out);
    return err->status;
}

static t5_status count_targets(t5_comm *group, t5_epoch *e, t5_error *err) {
    for (int64_t step = 0; step < e->steps; step++)
        for (int k = 0; k < t5_epoch_rows(e, step); k++)
            e->targets[step] += t5_epoch_row_at(e, step, k).n_target;
    return e->ranks > 1 ? t5_comm_sum_int64(group, e->targets, e->steps, err) : T5_OK;
}

t5_status t5_epoch_begin(t5_comm *group, const t5_shard *shard, uint64_t seed, uint32_t epoch,
                         int batch_size, t5_epoch **out, t5_error *err) {
    t5_epoch *e = calloc(1, sizeof *e);
    if (e) {
        *e = (t5_epoch){.shard = shard,
                        .seed = seed,
                        .number = epoch,
                        .n = shard->n_total,
                        .batch = batch_size,
                        .rank = t5_comm_rank(group),
                        .ranks = t5_comm_size(group),
                        .steps = (shard->n_total + batch_size - 1) / batch_size};
        e->targets = calloc((size_t)e->steps + 1, sizeof *e->targets);
        e->first = calloc((size_t)e->steps + 1, sizeof *e->first);
    }
    if (!e || !e->targets || !e->first)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for an epoch of %lld rows",
                (long long)shard->n_total);
    if (t5_comm_agree(group, err) != T5_OK)
        goto done;
    for (int64_t s = 0; s < e->steps; s++) {
        int64_t rows = rows_of_step(e, s);
        e->first[s + 1] =
            e->first[s] + cut(rows, e->rank + 1, e->ranks) - cut(rows, e->rank, e->ranks);
    }
    if (e->ranks > 1)
        exchange(group, e, err);
    if (t5_comm_agree(group, err) == T5_OK)
        count_targets(group, e, err);
done:
    if (err->status != T5_OK) {
        t5_epoch_end(e);
        e = NULL;
    }
    *out = e;
    return err->status;
}

void t5_epoch_end(t5_epoch *e) {
    if (!e)
        return;
    free(e->targets);
    free(e->first);
    free(e->at);
    free(e->received);
    free(e);
}

int64_t t5_epoch_steps(const t5_epoch *e) {
    return e->steps;
}

int t5_epoch_rows(const t5_epoch *e, int64_t step) {
    return (int)(e->first[step + 1] - e->first[step]);
}

t5_epoch_row t5_epoch_row_at(const t5_epoch *e, int64_t step, int k) {
    if (e->ranks == 1)
        return shard_row(e->shard, (int64_t)t5_shuffle_at(e->seed, e->number, (uint64_t)e->n,
                                                          (uint64_t)(step * e->batch + k)));
    const int32_t *p = e->received + e->at[e->first[step] + k];
    return (t5_epoch_row){.position = (uint32_t)p[2],
                          .n_input = p[3],
                          .n_target = p[4],
                          .input = p + RECORD_HEAD,
                          .target = p + RECORD_HEAD + p[3]};
}

int t5_epoch_global_rows(const t5_epoch *e, int64_t step) {
    return (int)rows_of_step(e, step);
}
int64_t t5_epoch_global_targets(const t5_epoch *e, int64_t step) {
    return e->targets[step];
}
