#include "data/shard.h"
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A block is this header, then row (n), input_start and target_start (n + 1 each), all int64, then
 * the ids of inputs and of targets, int32. In the byte order of the machine: ranks of one job share
 * it, and the magic number tells when they do not. */
typedef struct header {
    uint64_t magic;
    int64_t n, first, n_total;
    int64_t n_input, n_target; /* ids */
} header;

static const uint64_t shard_magic = 0x6472616873357401u; /* "\1t5shard" in little endian */

/* Bytes of a block with these counts, which are at least 0; false if that overflows. */
static bool block_size(const header *h, size_t *bytes) {
    const int64_t most = INT64_MAX / 64;
    if (h->n > most || h->n_input > most || h->n_target > most)
        return false;
    uint64_t size = sizeof *h + 8 * (3 * (uint64_t)h->n + 2) +
                    4 * ((uint64_t)h->n_input + (uint64_t)h->n_target);
    *bytes = (size_t)size;
    return *bytes == size;
}

/* Points the shard's arrays into its block. */
static void lay_out(t5_shard *s, const header *h) {
    s->n = h->n;
    s->first = h->first;
    s->n_total = h->n_total;
    s->row = (int64_t *)((char *)s->block + sizeof *h);
    s->input_start = s->row + h->n;
    s->target_start = s->input_start + h->n + 1;
    s->input = (int32_t *)(s->target_start + h->n + 1);
    s->target = s->input + h->n_input;
}

/* The header of a shard of these rows. An input that has to be encoded anew is so here, for its
 * length, and again when it is copied: those are few, and nothing has to be kept. */
static t5_status count(const t5_tokens *tokens, int n_labels, const int64_t *rows, int32_t *room,
                       header *h, t5_error *err) {
    for (int64_t i = 0; i < h->n; i++) {
        const int32_t *ids;
        int n;
        t5_status status = t5_tokens_input(tokens, rows[i], n_labels, room, &ids, &n, err);
        if (status)
            return status;
        h->n_input += n;
        h->n_target += tokens->target_start[rows[i] + 1] - tokens->target_start[rows[i]];
    }
    return T5_OK;
}

/* Row `from` of the tokens as row i of the shard, whose rows before i are there. */
static t5_status copy_row(const t5_tokens *tokens, int n_labels, int64_t from, int32_t *room,
                          t5_shard *s, int64_t i, t5_error *err) {
    const int32_t *ids;
    int n;
    t5_status status = t5_tokens_input(tokens, from, n_labels, room, &ids, &n, err);
    if (status)
        return status;
    int64_t target = tokens->target_start[from];
    int64_t n_target = tokens->target_start[from + 1] - target;
    s->row[i] = from;
    memcpy(s->input + s->input_start[i], ids, (size_t)n * sizeof *ids);
    memcpy(s->target + s->target_start[i], tokens->target + target,
           (size_t)n_target * sizeof *s->target);
    s->input_start[i + 1] = s->input_start[i] + n;
    s->target_start[i + 1] = s->target_start[i] + n_target;
    return T5_OK;
}

t5_status t5_shard_make(const t5_tokens *tokens, int n_labels, const int64_t *rows, int64_t n,
                        int64_t first, int64_t n_total, t5_shard **shard, t5_error *err) {
    header h = {.magic = shard_magic, .n = n, .first = first, .n_total = n_total};
    t5_shard *s = calloc(1, sizeof *s);
    int32_t *room = malloc((size_t)tokens->max_input * sizeof *room);
    t5_status status = s && room ? count(tokens, n_labels, rows, room, &h, err) : T5_ERR_MEMORY;
    if (!status && (!block_size(&h, &s->block_bytes) || !(s->block = malloc(s->block_bytes))))
        status = T5_ERR_MEMORY;
    if (status) {
        t5_fail(err, status, "out of memory for a shard of %lld rows", (long long)n);
        goto done;
    }
    memcpy(s->block, &h, sizeof h);
    lay_out(s, &h);
    s->input_start[0] = s->target_start[0] = 0;
    for (int64_t i = 0; i < n && !status; i++)
        status = copy_row(tokens, n_labels, rows[i], room, s, i, err);
done:
    free(room);
    if (status)
        t5_shard_destroy(s);
    else
        *shard = s;
    return status;
}

/* Compressed rows: from 0 to n_ids, every row with at least one id (its end token) and no more than
 * an int counts. */
static bool starts_valid(const int64_t *start, int64_t n, int64_t n_ids) {
    if (start[0] != 0 || start[n] != n_ids)
        return false;
    for (int64_t i = 0; i < n; i++) {
        if (start[i + 1] <= start[i] || start[i + 1] > n_ids || start[i + 1] - start[i] > INT_MAX)
            return false;
    }
    return true;
}

static bool ids_valid(const int32_t *ids, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] < 0)
            return false;
    }
    return true;
}

/* NULL, or what is wrong with the arrays of a block whose size fits its header. */
static const char *wrong_with(const t5_shard *s, const header *h) {
    for (int64_t i = 0; i < s->n; i++) {
        if (s->row[i] < 0)
            return "a row number is negative";
    }
    if (!starts_valid(s->input_start, s->n, h->n_input) ||
        !starts_valid(s->target_start, s->n, h->n_target))
        return "the rows' offsets do not ascend from 0 to the number of tokens";
    if (!ids_valid(s->input, h->n_input) || !ids_valid(s->target, h->n_target))
        return "a token id is negative";
    return NULL;
}

t5_status t5_shard_from_block(void *block, size_t bytes, t5_shard **shard, t5_error *err) {
    header h;
    size_t expected = 0;
    if (bytes < sizeof h)
        return t5_fail(err, T5_ERR_INPUT, "a shard of %zu bytes is shorter than its header", bytes);
    memcpy(&h, block, sizeof h);
    if (h.magic != shard_magic)
        return t5_fail(err, T5_ERR_INPUT, "%zu bytes that are not a shard", bytes);
    if (h.n < 0 || h.first < 0 || h.n_total < h.n || h.first > h.n_total - h.n || h.n_input < 0 ||
        h.n_target < 0)
        return t5_fail(err, T5_ERR_INPUT,
                       "a shard's header is damaged: %lld rows from %lld of %lld", (long long)h.n,
                       (long long)h.first, (long long)h.n_total);
    if (!block_size(&h, &expected) || bytes != expected)
        return t5_fail(err, T5_ERR_INPUT, "a shard of %zu bytes; its header asks for %zu", bytes,
                       expected);
    t5_shard *s = calloc(1, sizeof *s);
    if (!s)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for a shard");
    s->block = block;
    s->block_bytes = bytes;
    lay_out(s, &h);
    const char *wrong = wrong_with(s, &h);
    if (wrong) {
        free(s);
        return t5_fail(err, T5_ERR_INPUT, "a damaged shard: %s", wrong);
    }
    *shard = s;
    return T5_OK;
}

void t5_shard_destroy(t5_shard *shard) {
    if (!shard)
        return;
    free(shard->block);
    free(shard);
}
