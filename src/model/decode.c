#include "model/decode_internal.h"
#include <assert.h>

/* ---------------------------------------------------------------- opening */

/* Key and value of every encoder token, for every decoder layer. */
static void encode(t5_decoder *d) {
    t5_model *m = d->m;
    t5_stack_forward(m, T5_ENCODER);
    for (int l = 0; l < m->shape.dec_layers; l++) {
        t5_mat cross = d->cross[l];
        cross.rows = m->work.stack[T5_ENCODER].n;
        t5_linear(m, m->work.stack[T5_ENCODER].final.h,
                  m->layout.stack[T5_DECODER].block[l].cross_kv, cross);
    }
}

/* What stays as it is over all steps. */
static void prepare(t5_decoder *d, const t5_input *in) {
    t5_device *dev = d->m->dev;
    for (int s = 0; s < in->n_seq; s++) {
        d->enc_start[s] = in->enc_start[s];
        d->enc_len[s] = in->enc_start[s + 1] - in->enc_start[s];
    }
    for (int i = 0; i <= d->capacity; i++) {
        t5_decoder_host(d, STEP_SELF_QUERY)[i] = i;
        t5_decoder_host(d, STEP_SELF_KEY)[i] = i * d->settings.max_length;
    }
    if (d->settings.allowed)
        dev->ops->to_device(dev, d->d_allowed, d->settings.allowed, (size_t)d->m->shape.vocab);
}

t5_status t5_decoder_open(t5_model *model, const t5_input *in, const t5_decode_settings *settings,
                          t5_decoder **decoder, t5_error *err) {
    assert(in->n_seq >= 1 && settings->width >= 1 && settings->max_length >= 1 && settings->k >= 1);
    t5_decoder *d = NULL;
    t5_status status = t5_pass_begin(model, in, T5_PASS_EVALUATE, false, 0.0f, err);
    if (status == T5_OK)
        status = t5_decoder_take(model, settings, in->n_seq, in->n_enc, &d, err);
    if (status == T5_OK) {
        encode(d);
        prepare(d, in);
        status = model->dev->ops->sync(model->dev, err); /* the staging is free again */
        d->sound = status == T5_OK;
    }
    if (status != T5_OK) {
        t5_decoder_close(d);
        d = NULL;
    }
    *decoder = d;
    return status;
}

/* ---------------------------------------------------------------- a step */

/* The queries and keys of cross-attention: one entry for each run of live sequences of a row. */
static void group_rows(t5_decoder *d) {
    int32_t *query = t5_decoder_host(d, STEP_CROSS_QUERY);
    int n = 0;
    d->most_of_row = 0;
    for (int i = 0; i < d->live.n; i++) {
        if (i == 0 || d->live.row[i] != d->live.row[i - 1]) {
            query[n] = i;
            t5_decoder_host(d, STEP_CROSS_KEY)[n] = d->enc_start[d->live.row[i]];
            t5_decoder_host(d, STEP_CROSS_LEN)[n++] = d->enc_len[d->live.row[i]];
        }
        if (i + 1 - query[n - 1] > d->most_of_row)
            d->most_of_row = i + 1 - query[n - 1];
    }
    query[n] = d->live.n;
    d->live_rows = n;
}

/* What is computed and never read: lanes with some token and their own cache, whatever it holds,
 * which attend to no input; rows without queries. */
static void fill_classes(t5_decoder *d) {
    for (int i = d->live.n; i < d->plan.lanes; i++) {
        t5_decoder_host(d, STEP_ID)[i] = d->m->shape.pad_id;
        t5_decoder_host(d, STEP_PARENT)[i] = i;
        t5_decoder_host(d, STEP_SELF_LEN)[i] = d->live.position + 1;
    }
    for (int i = d->live_rows; i < d->plan.rows; i++) {
        t5_decoder_host(d, STEP_CROSS_QUERY)[i + 1] = d->live.n;
        t5_decoder_host(d, STEP_CROSS_KEY)[i] = 0;
        t5_decoder_host(d, STEP_CROSS_LEN)[i] = 0;
    }
}

/* Plans the step and sends what it reads. */
static void send_step(t5_decoder *d) {
    t5_device *dev = d->m->dev;
    const int length = d->settings.max_length;
    for (int i = 0; i < d->live.n; i++) {
        t5_decoder_host(d, STEP_ID)[i] =
            d->live.history[(size_t)i * (size_t)length + (size_t)d->live.position];
        t5_decoder_host(d, STEP_PARENT)[i] = d->live.parent[i];
        t5_decoder_host(d, STEP_SELF_LEN)[i] = d->live.position + 1;
    }
    group_rows(d);
    d->plan = t5_decoder_plan(d);
    fill_classes(d);
    dev->ops->to_device(dev, d->d_step, d->step,
                        STEP_BLOCKS * (size_t)(d->capacity + 1) * sizeof *d->step);
    if (d->settings.penalty != 1.0f)
        dev->ops->to_device(dev, d->d_history, d->live.history,
                            (size_t)d->live.n * (size_t)length * sizeof *d->live.history);
}

t5_status t5_decoder_step(t5_decoder *d, t5_candidates *candidates, t5_error *err) {
    t5_device *dev = d->m->dev;
    assert(d->live.n >= 1 && d->live.position < d->settings.max_length);
    send_step(d);
    t5_decoder_run(d);
    d->shifted = d->plan.shifted;
    const int n = d->plan.lanes;
    t5_status status =
        dev->ops->to_host(dev, d->result, d->d_result, t5_decoder_result_bytes(d, n), err);
    float *best = (float *)(void *)(d->result + t5_decoder_best_at(d, n));
    for (int i = 0; d->settings.log_total && status == T5_OK && i < d->live.n; i++)
        best[i] -= best[n + i];
    *candidates =
        (t5_candidates){.value = (const float *)(const void *)d->result,
                        .id = (const int32_t *)(const void *)(d->result + t5_decoder_id_at(d, n)),
                        .log_total = d->settings.log_total ? best : NULL};
    return status;
}

void t5_decoder_advance(t5_decoder *d, int n, const int *parent, const int32_t *token) {
    t5_live_advance(&d->live, n, parent, token);
}

const t5_live *t5_decoder_live(const t5_decoder *d) {
    return &d->live;
}
