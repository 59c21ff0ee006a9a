#include "base/rng.h"
#include "model/decode.h"
#include "model/internal.h"
#include <assert.h>
#include <stdlib.h>

/* Positions are half of a dropout counter's word (device.h). */
enum { MAX_LENGTH = 65535 };

static t5_status check_ids(const t5_model *m, const char *what, const int32_t *ids, int n,
                           t5_error *err) {
    for (int t = 0; t < n; t++)
        if (ids[t] < 0 || ids[t] >= m->shape.vocab)
            return t5_fail(err, T5_ERR_INPUT, "%s %d at token %d is not in the vocabulary of %d",
                           what, ids[t], t, m->shape.vocab);
    return T5_OK;
}

static t5_status check_starts(const char *what, const int32_t *start, int n_seq, int n,
                              int shortest, t5_error *err) {
    if (start[0] != 0 || start[n_seq] != n)
        return t5_fail(err, T5_ERR_INPUT,
                       "the %s sequences cover tokens %d to %d, there are %d tokens", what,
                       start[0], start[n_seq], n);
    for (int i = 0; i < n_seq; i++) {
        int64_t length = (int64_t)start[i + 1] - start[i];
        if (length < shortest || length > MAX_LENGTH)
            return t5_fail(err, T5_ERR_INPUT, "%s sequence %d has %lld tokens, not %d to %d", what,
                           i, (long long)length, shortest, (int)MAX_LENGTH);
    }
    return T5_OK;
}

static t5_status check_input(const t5_model *m, const t5_input *in, bool decoder, t5_error *err) {
    if (in->n_seq < 1 || in->n_enc < 0 || in->n_dec < 0)
        return t5_fail(err, T5_ERR_INPUT, "a batch of %d sequences, %d and %d tokens", in->n_seq,
                       in->n_enc, in->n_dec);
    t5_status status = check_starts("input", in->enc_start, in->n_seq, in->n_enc, 1, err);
    if (status == T5_OK)
        status = check_ids(m, "input id", in->enc_ids, in->n_enc, err);
    if (status != T5_OK || !decoder)
        return status;
    status = check_starts("target", in->dec_start, in->n_seq, in->n_dec, 0, err);
    if (status == T5_OK)
        status = check_ids(m, "decoder id", in->dec_ids, in->n_dec, err);
    if (status == T5_OK)
        status = check_ids(m, "label", in->labels, in->n_dec, err);
    return status;
}

t5_status t5_check_row(const t5_model *m, const int32_t *ids, int n_input, int n_target,
                       t5_error *err) {
    if (n_input > MAX_LENGTH || n_target > MAX_LENGTH)
        return t5_fail(err, T5_ERR_INPUT, "a row of %d and %d tokens, not at most %d", n_input,
                       n_target, (int)MAX_LENGTH);
    t5_status status = check_ids(m, "input id", ids, n_input, err);
    return status == T5_OK ? check_ids(m, "label", ids + n_input, n_target, err) : status;
}

t5_status t5_model_grow(t5_model *m, void **d_p, size_t *room, size_t bytes, t5_error *err) {
    const t5_device_ops *ops = m->dev->ops;
    t5_error first = {0};
    if (bytes <= *room)
        return T5_OK;
    t5_replays_forget(&m->replays, m->dev);
    ops->free(m->dev, *d_p);
    *d_p = NULL;
    *room = 0;
    t5_status status = ops->alloc(m->dev, bytes, d_p, &first);
    if (status != T5_OK && m->decoder) { /* kept for the next answers; this is wanted now */
        t5_decoder_destroy(m->decoder);
        m->decoder = NULL;
        first = (t5_error){0};
        status = ops->alloc(m->dev, bytes, d_p, &first);
    }
    if (status != T5_OK)
        return t5_fail(err, status, "%s", first.text);
    *room = bytes;
    return T5_OK;
}

t5_status t5_work_reserve(t5_model *m, t5_pass_kind kind, int n_enc, int n_dec, int n_seq,
                          t5_error *err) {
    t5_work need = {0};
    t5_work_plan(&m->shape, m->compute, kind, n_enc, n_dec, n_seq, NULL, &need);
    t5_status status = t5_model_grow(m, &m->d_block, &m->block_bytes, need.bytes, err);
    if (status != T5_OK)
        t5_error_prefix(err, "work memory of a batch of %d + %d tokens", n_enc, n_dec);
    return status;
}

void t5_work_use(t5_model *m, t5_pass_kind kind, int n_enc, int n_dec, int n_seq, int max_enc,
                 int max_dec, float drop_p) {
    t5_work_plan(&m->shape, m->compute, kind, n_enc, n_dec, n_seq, m->d_block, &m->work);
    m->work.stack[T5_ENCODER].max_len = max_enc;
    m->work.stack[T5_DECODER].max_len = max_dec;
    m->work.drop_p = drop_p;
}

static t5_status reserve_stage(t5_model *m, t5_error *err) {
    if (m->work.staged <= m->stage_bytes)
        return T5_OK;
    char *stage = realloc(m->stage, m->work.staged);
    if (!stage)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory: %zu bytes to stage a batch",
                       m->work.staged);
    m->stage = stage;
    m->stage_bytes = m->work.staged;
    return T5_OK;
}

/* The host's side of an address among the work's first `staged` bytes. */
static void *staged(const t5_model *m, const void *d_p) {
    return m->stage + ((const char *)d_p - (const char *)m->d_block);
}

static void stage_stack(t5_model *m, int s, const int32_t *ids, const int32_t *start,
                        const uint32_t *row) {
    t5_stack_work *w = &m->work.stack[s];
    int32_t *to_ids = staged(m, w->d_ids), *to_start = staged(m, w->d_start);
    int32_t *to_len = staged(m, w->d_len);
    uint32_t *to_tok = staged(m, w->d_tok);
    w->max_len = 0;
    to_start[0] = 0;
    for (int i = 0; i < m->work.n_seq; i++) {
        int length = w->n > 0 ? start[i + 1] - start[i] : 0;
        for (int p = 0; p < length; p++) {
            int t = start[i] + p;
            to_ids[t] = ids[t];
            to_tok[2 * t] = row[i];
            to_tok[2 * t + 1] = (uint32_t)p;
        }
        to_len[i] = length;
        to_start[i + 1] = to_start[i] + length;
        w->max_len = length > w->max_len ? length : w->max_len;
    }
}

t5_status t5_pass_begin(t5_model *m, const t5_input *in, t5_pass_kind kind, bool decoder,
                        float drop_p, t5_error *err) {
    t5_status status = check_input(m, in, decoder, err);
    if (status != T5_OK)
        return status;
    int n_dec = decoder ? in->n_dec : 0;
    status = t5_work_reserve(m, kind, in->n_enc, n_dec, in->n_seq, err);
    if (status != T5_OK)
        return status;
    t5_work_use(m, kind, in->n_enc, n_dec, in->n_seq, 0, 0, drop_p);
    status = reserve_stage(m, err);
    if (status != T5_OK)
        return status;
    stage_stack(m, T5_ENCODER, in->enc_ids, in->enc_start, in->row);
    stage_stack(m, T5_DECODER, in->dec_ids, in->dec_start, in->row);
    int32_t *labels = staged(m, m->work.d_label);
    for (int t = 0; t < n_dec; t++)
        labels[t] = in->labels[t];
    m->dev->ops->to_device(m->dev, m->d_block, m->stage, m->work.staged);
    return T5_OK;
}

t5_dropout t5_dropout_at(const t5_model *m, int s, int layer, int place) {
    return (t5_dropout){
        .p = m->work.drop_p,
        .seed = m->drop_seed,
        .site =
            (uint32_t)T5_RNG_DROPOUT | (uint32_t)s << 20 | (uint32_t)layer << 4 | (uint32_t)place,
        .d_step = &m->d_scalars->drop_step,
        .d_tok = m->work.stack[s].d_tok,
    };
}
