#include "data/batch.h"
#include "data/grow.h"
#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

void t5_batch_init(t5_batch *b) {
    *b = (t5_batch){0};
}

void t5_batch_free(t5_batch *b) {
    free(b->enc_ids);
    free(b->dec_ids);
    free(b->labels);
    free(b->enc_start);
    free(b->dec_start);
    free(b->row);
    t5_batch_init(b);
}

void t5_batch_clear(t5_batch *b) {
    b->n_seq = b->n_enc = b->n_dec = 0;
    b->max_enc = b->max_dec = 0;
}

/* Room for `want` elements in an array whose capacity cap was taken from. */
static bool grow_int32(int32_t **array, int cap, int want, int *new_cap) {
    size_t room = (size_t)cap;
    int32_t *grown = t5_grown(*array, &room, (size_t)want, sizeof **array);
    if (!grown)
        return false;
    *array = grown;
    *new_cap = room > INT_MAX ? INT_MAX : (int)room;
    return true;
}

static bool reserve(t5_batch *b, int n_input, int n_target) {
    int cap_seq, cap_enc, cap_dec; /* noted once every array has grown */
    size_t cap_row = (size_t)b->cap_seq;
    uint32_t *row = t5_grown(b->row, &cap_row, (size_t)b->n_seq + 2, sizeof *row);
    if (!row)
        return false;
    b->row = row;
    if (!grow_int32(&b->enc_start, b->cap_seq, b->n_seq + 2, &cap_seq) ||
        !grow_int32(&b->dec_start, b->cap_seq, b->n_seq + 2, &cap_seq))
        return false;
    b->cap_seq = cap_seq;
    if (!grow_int32(&b->enc_ids, b->cap_enc, b->n_enc + n_input, &cap_enc))
        return false;
    b->cap_enc = cap_enc;
    if (!grow_int32(&b->dec_ids, b->cap_dec, b->n_dec + n_target, &cap_dec) ||
        !grow_int32(&b->labels, b->cap_dec, b->n_dec + n_target, &cap_dec))
        return false;
    b->cap_dec = cap_dec;
    return true;
}

t5_status t5_batch_append(t5_batch *b, const int32_t *input, int n_input, const int32_t *target,
                          int n_target, int32_t start_id, uint32_t row, t5_error *err) {
    assert(n_input > 0 && n_target >= 0);
    if (n_input > INT_MAX - b->n_enc || n_target > INT_MAX - b->n_dec || b->n_seq > INT_MAX - 2)
        return t5_fail(err, T5_ERR_INPUT, "a batch of more than %d tokens; use a smaller batch",
                       INT_MAX);
    if (!reserve(b, n_input, n_target))
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for a batch of %d rows", b->n_seq + 1);
    int s = b->n_seq++;
    b->row[s] = row;
    b->enc_start[s] = b->n_enc;
    b->dec_start[s] = b->n_dec;
    memcpy(b->enc_ids + b->n_enc, input, (size_t)n_input * sizeof *input);
    if (n_target > 0) {
        memcpy(b->labels + b->n_dec, target, (size_t)n_target * sizeof *target);
        b->dec_ids[b->n_dec] = start_id;
        memcpy(b->dec_ids + b->n_dec + 1, target, ((size_t)n_target - 1) * sizeof *target);
    }
    b->n_enc += n_input;
    b->n_dec += n_target;
    b->enc_start[s + 1] = b->n_enc;
    b->dec_start[s + 1] = b->n_dec;
    if (n_input > b->max_enc)
        b->max_enc = n_input;
    if (n_target > b->max_dec)
        b->max_dec = n_target;
    return T5_OK;
}
