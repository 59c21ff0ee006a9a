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
    int64_t *tokens;   /* (2 steps) of each step's global batch: target tokens, then all tokens */
    int32_t *records;  /* my rows of the epoch, in the order in which the ranks sent them */
    int64_t n_records; /* words */
    int64_t *at;       /* (n_mine) where each of my rows' records begins */
    int64_t *first;    /* (steps + 1) number of my first row of each step */
};

/* A row's record: place in the epoch (2 words), position in the split, lengths, ids. */
enum { RECORD_PLACE, RECORD_POSITION = 2, RECORD_INPUT, RECORD_TARGET, RECORD_HEAD };

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

static bool mine(const t5_shard *shard, int64_t position) {
    return position >= shard->first && position < shard->first + shard->n;
}

/* The record of row k of the shard, in `out` unless that is NULL; its length in words. */
static size_t put_record(const t5_shard *shard, int64_t k, int64_t place, int32_t *out) {
    const int64_t *input = shard->input_start + k, *target = shard->target_start + k;
    size_t n_input = (size_t)(input[1] - input[0]), n_target = (size_t)(target[1] - target[0]);
    if (out) {
        memcpy(out + RECORD_PLACE, &place, sizeof place);
        out[RECORD_POSITION] = (int32_t)(shard->first + k);
        out[RECORD_INPUT] = (int32_t)n_input;
        out[RECORD_TARGET] = (int32_t)n_target;
        memcpy(out + RECORD_HEAD, shard->input + input[0], n_input * sizeof *out);
        memcpy(out + RECORD_HEAD + n_input, shard->target + target[0], n_target * sizeof *out);
    }
    return RECORD_HEAD + n_input + n_target;
}

/* Lays out the records of my shard by destination, those for rank r from out + offset[r] on.
 * Without `out` it only counts words per rank. */
static void lay_out(const t5_epoch *e, size_t *words, int32_t *out, const size_t *offset) {
    memset(words, 0, (size_t)e->ranks * sizeof *words);
    for (int64_t i = 0; i < e->n; i++) {
        int64_t position = (int64_t)t5_shuffle_at(e->seed, e->number, (uint64_t)e->n, (uint64_t)i);
        if (!mine(e->shard, position))
            continue;
        int to = trainer_of(e, i);
        words[to] += put_record(e->shard, position - e->shard->first, i,
                                out ? out + offset[to] + words[to] : NULL);
    }
}

/* Number of my rows before place i of the epoch, for a place that is mine. */
static int64_t my_number(const t5_epoch *e, int64_t i) {
    int64_t step = i / e->batch;
    return e->first[step] + i % e->batch - cut(rows_of_step(e, step), e->rank, e->ranks);
}

static t5_status index_records(t5_epoch *e, t5_error *err) {
    int64_t n_mine = e->first[e->steps];
    e->at = malloc((size_t)(n_mine + 1) * sizeof *e->at);
    if (!e->at)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the rows of an epoch");
    for (int64_t w = 0; w < e->n_records;) {
        const int32_t *r = e->records + w;
        int64_t place;
        memcpy(&place, r + RECORD_PLACE, sizeof place);
        e->at[my_number(e, place)] = w;
        w += (int64_t)RECORD_HEAD + r[RECORD_INPUT] + r[RECORD_TARGET];
    }
    return T5_OK;
}

/* Everybody's records to the ranks that train on them. */
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
    if (e->ranks == 1) {
        e->records = out;
        e->n_records = (int64_t)total;
        out = NULL;
    } else if (t5_comm_exchange(group, out, send, (void **)&e->records, receive, err) != T5_OK) {
        goto done;
    }
    for (int r = 0; e->ranks > 1 && r < e->ranks; r++)
        e->n_records += (int64_t)(receive[r] / sizeof *out);
    index_records(e, err);
done:
    free(words);
    free(out);
    return err->status;
}

static t5_status count_tokens(t5_comm *group, t5_epoch *e, t5_error *err) {
    for (int64_t step = 0; step < e->steps; step++)
        for (int k = 0; k < t5_epoch_rows(e, step); k++) {
            t5_epoch_row row = t5_epoch_row_at(e, step, k);
            e->tokens[2 * step] += row.n_target;
            e->tokens[2 * step + 1] += row.n_input + row.n_target;
        }
    return e->ranks > 1 ? t5_comm_sum_int64(group, e->tokens, 2 * e->steps, err) : T5_OK;
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
        e->tokens = calloc(2 * (size_t)e->steps + 1, sizeof *e->tokens);
        e->first = calloc((size_t)e->steps + 1, sizeof *e->first);
    }
    if (!e || !e->tokens || !e->first)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for an epoch of %lld rows",
                (long long)shard->n_total);
    if (t5_comm_agree(group, err) != T5_OK)
        goto done;
    for (int64_t s = 0; s < e->steps; s++) {
        int64_t rows = rows_of_step(e, s);
        e->first[s + 1] =
            e->first[s] + cut(rows, e->rank + 1, e->ranks) - cut(rows, e->rank, e->ranks);
    }
    exchange(group, e, err);
    if (t5_comm_agree(group, err) == T5_OK)
        count_tokens(group, e, err);
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
    free(e->tokens);
    free(e->first);
    free(e->at);
    free(e->records);
    free(e);
}

int t5_epoch_rows(const t5_epoch *e, int64_t step) {
    return (int)(e->first[step + 1] - e->first[step]);
}

t5_epoch_row t5_epoch_row_at(const t5_epoch *e, int64_t step, int k) {
    int64_t at = e->at[e->first[step] + k];
    const int32_t *r = e->records + at;
    return (t5_epoch_row){.position = (uint32_t)r[RECORD_POSITION],
                          .n_input = r[RECORD_INPUT],
                          .n_target = r[RECORD_TARGET],
                          .at = at + RECORD_HEAD};
}

const int32_t *t5_epoch_ids(const t5_epoch *e, int64_t *n) {
    *n = e->n_records;
    return e->records;
}

int t5_epoch_global_rows(const t5_epoch *e, int64_t step) {
    return (int)rows_of_step(e, step);
}
int64_t t5_epoch_global_targets(const t5_epoch *e, int64_t step) {
    return e->tokens[2 * step];
}
int64_t t5_epoch_global_tokens(const t5_epoch *e, int64_t step) {
    return e->tokens[2 * step + 1];
}
