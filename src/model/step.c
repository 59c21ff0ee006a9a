#include "model/step.h"
#include "model/internal.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- memory */

/* What the host sends for a pass: the scalars, then the rows. */
static t5_pack_row *staged_rows(const t5_model *m) {
    return (t5_pack_row *)(void *)((char *)m->scalars + sizeof *m->scalars);
}
static const t5_pack_row *device_rows(const t5_model *m) {
    return (const t5_pack_row *)(const void *)((char *)m->d_scalars + sizeof *m->scalars);
}
static size_t sent_bytes(int n_rows) {
    return sizeof(t5_scalars) + (size_t)n_rows * sizeof(t5_pack_row);
}

t5_status t5_reserve_rows(t5_model *m, int n_rows, t5_error *err) {
    const t5_device_ops *ops = m->dev->ops;
    void *d_sent;
    if (m->scalars && n_rows <= m->most_rows)
        return T5_OK;
    t5_scalars *sent = realloc(m->scalars, sent_bytes(n_rows));
    if (!sent)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for a batch of %d rows", n_rows);
    m->scalars = sent;
    if (ops->alloc(m->dev, sent_bytes(n_rows), &d_sent, err) != T5_OK)
        return t5_error_prefix(err, "a batch of %d rows", n_rows);
    t5_replays_forget(&m->replays, m->dev); /* they know the old place */
    ops->free(m->dev, m->d_scalars);
    m->d_scalars = d_sent;
    m->most_rows = n_rows;
    return T5_OK;
}

t5_status t5_model_keep_ids(t5_model *m, const int32_t *ids, int64_t n, t5_error *err) {
    const t5_device_ops *ops = m->dev->ops;
    m->ids = ids;
    m->n_ids = n;
    if (m->dev->host_memory) {
        m->d_ids = ids;
        return ops->sync(m->dev, err);
    }
    m->d_ids = NULL;
    if (t5_model_grow(m, &m->d_ids_block, &m->ids_bytes, (size_t)n * sizeof *ids, err) != T5_OK)
        return t5_error_prefix(err, "the token ids of %lld tokens", (long long)n);
    m->d_ids = m->d_ids_block;
    ops->to_device(m->dev, m->d_ids_block, ids, (size_t)n * sizeof *ids);
    return ops->sync(m->dev, err);
}

/* ---------------------------------------------------------------- a pass over some of the rows */

typedef struct part {
    t5_model *m;
    const t5_step *step;
    int first_row, n_rows;
    t5_sizes size; /* with padding, if there is any */
    bool first, last, replayed;
} part;

/* As many rows from `row` on as one pass takes; at least one, unless the step has none: its sum
 * needs a rank without rows all the same. */
static part next_part(t5_model *m, const t5_step *step, int row) {
    part p = {.m = m, .step = step, .first_row = row, .first = row == 0};
    const int limit = step->micro_batch_tokens;
    for (; row < step->n_rows; row++) {
        const t5_pack_row *r = &step->rows[row];
        int n_enc = p.size.n_enc + r->n_input, n_dec = p.size.n_dec + r->n_target;
        if (p.n_rows > 0 && limit > 0 && n_enc + n_dec > limit)
            break;
        p.size.n_enc = n_enc;
        p.size.n_dec = n_dec;
        p.size.max_enc = t5_larger(p.size.max_enc, r->n_input);
        p.size.max_dec = t5_larger(p.size.max_dec, r->n_target);
        p.n_rows++;
    }
    p.last = row == step->n_rows;
    /* a step of several passes is not replayed: whoever cuts batches has no memory for that */
    p.replayed = m->dev->replays && p.first && p.last && p.n_rows > 0;
    if (p.replayed)
        p.size = t5_size_class(p.size);
    return p;
}

static int cut(int n, int i, int parts) {
    return (int)((int64_t)n * i / parts);
}

/* The rows and the padding behind them, one after the other. */
static void stage_rows(const part *p) {
    t5_pack_row *out = staged_rows(p->m);
    int enc = 0, dec = 0;
    for (int i = 0; i < p->n_rows; i++) {
        out[i] = p->step->rows[p->first_row + i];
        out[i].enc_start = enc;
        out[i].dec_start = dec;
        enc += out[i].n_input;
        dec += out[i].n_target;
    }
    for (int i = 0; i < p->size.n_pad; i++)
        out[p->n_rows + i] = (t5_pack_row){
            .at = -1,
            .n_input = cut(p->size.n_enc - enc, i + 1, p->size.n_pad) -
                       cut(p->size.n_enc - enc, i, p->size.n_pad),
            .n_target = cut(p->size.n_dec - dec, i + 1, p->size.n_pad) -
                        cut(p->size.n_dec - dec, i, p->size.n_pad),
            .enc_start = enc + cut(p->size.n_enc - enc, i, p->size.n_pad),
            .dec_start = dec + cut(p->size.n_dec - dec, i, p->size.n_pad),
        };
}

static void pack(const part *p) {
    t5_model *m = p->m;
    const t5_stack_work *enc = &m->work.stack[T5_ENCODER], *dec = &m->work.stack[T5_DECODER];
    const t5_pack_args args = {.n_seq = m->work.n_seq,
                               .n_enc = enc->n,
                               .n_dec = dec->n,
                               .d_ids = m->d_ids,
                               .d_row = device_rows(m),
                               .start_id = m->shape.start_id,
                               .pad_id = m->shape.pad_id,
                               .d_enc_ids = enc->d_ids,
                               .d_enc_start = enc->d_start,
                               .d_enc_len = enc->d_len,
                               .d_enc_tok = enc->d_tok,
                               .d_dec_ids = dec->d_ids,
                               .d_label = m->work.d_label,
                               .d_dec_start = dec->d_start,
                               .d_dec_len = dec->d_len,
                               .d_dec_tok = dec->d_tok};
    m->dev->ops->pack(m->dev, &args);
}

/* Behind the gradients, before the last of them is final. */
static void add_rides(t5_model *m) {
    const t5_device_ops *ops = m->dev->ops;
    float *d_ride = t5_grad(m, m->layout.n);
    ops->copy(m->dev, d_ride, m->d_scalars->ride, sizeof m->d_scalars->ride);
    ops->narrow(m->dev, &m->d_sums[T5_SUM_LOSS], 1, d_ride);
}

/* What is queued in one go: layers [from, to) of the backward pass, and what belongs around them.
 */
typedef struct segment {
    const part *part;
    int from, to;
    bool update; /* nothing but the update */
} segment;

static void queue_segment(void *arg) {
    const segment *s = arg;
    const part *p = s->part;
    t5_model *m = p->m;
    if (s->from == 0 && !s->update) {
        if (p->n_rows > 0) {
            pack(p);
            t5_queue_forward(m, &p->step->loss, T5_PASS_TRAIN, p->first);
        } else {
            t5_queue_no_gradient(m);
        }
        if (p->last)
            add_rides(m);
    }
    if (p->n_rows > 0)
        t5_queue_backward(m, p->first, s->from, s->to);
    if (s->update || (p->last && !p->step->hook && s->to == t5_n_layers(m)))
        t5_queue_update(m, &p->step->optim, true);
}

/* Enough for a sum over a network to be about bandwidth: a layer of T5-base is two of these. */
enum { BUCKET_FLOATS = 4 << 20 };

/* Layers of the backward pass that complete the next bucket of gradients: up to which one. */
static int next_bucket(const t5_model *m, int from) {
    int64_t least = m->layout.n / (T5_REPLAY_PARTS - 2);
    int64_t begin = from > 0 ? t5_layer_end(m, from - 1) : 0;
    int to = from + 1;
    least = least < BUCKET_FLOATS ? BUCKET_FLOATS : least;
    while (to < t5_n_layers(m) && t5_layer_end(m, to - 1) - begin < least)
        to++;
    return to;
}

static void run(t5_model *m, t5_replay **replay, segment *s) {
    if (replay)
        m->dev->ops->replay(m->dev, replay, queue_segment, s);
    else
        queue_segment(s);
}

/* replay: places for the segments, NULL: they are not replayed. */
static void queue_part(const part *p, t5_replay **replay) {
    t5_model *m = p->m;
    const t5_grad_hook *hook = p->last ? p->step->hook : NULL;
    const int n = t5_n_layers(m);
    for (int from = 0, to; from < n; from = to) {
        to = hook ? next_bucket(m, from) : n;
        run(m, replay ? replay++ : NULL, &(segment){.part = p, .from = from, .to = to});
        int64_t first = from > 0 ? t5_layer_end(m, from - 1) : 0;
        if (hook)
            hook->ready(hook->arg, first, t5_layer_end(m, to - 1) - first);
    }
    if (hook) {
        hook->join(hook->arg);
        run(m, replay, &(segment){.part = p, .update = true});
    }
}

/* ---------------------------------------------------------------- the step */

/* What a replay has in it besides sizes. Compared as bytes: fields not set are 0. */
static void forget_if_others(t5_model *m, const t5_step *step) {
    t5_step_constants now;
    memset(&now, 0, sizeof now);
    now.focal = step->loss.focal;
    now.number[0] = step->loss.smoothing;
    now.number[1] = step->loss.gamma;
    now.number[2] = step->loss.alpha;
    now.number[3] = step->optim.beta1;
    now.number[4] = step->optim.beta2;
    now.number[5] = step->optim.eps;
    now.number[6] = step->optim.weight_decay;
    now.number[7] = step->optim.clip_norm;
    now.number[8] = m->drop_p;
    now.drop_seed = m->drop_seed;
    now.has_hook = step->hook != NULL;
    if (memcmp(&now, &m->constants, sizeof now) != 0)
        t5_replays_forget(&m->replays, m->dev);
    m->constants = now;
}

static void send_and_queue(const part *p) {
    t5_model *m = p->m;
    const t5_sizes *s = &p->size;
    t5_replay **replay = NULL;
    stage_rows(p);
    m->dev->ops->to_device(m->dev, m->d_scalars, m->scalars, sent_bytes(p->n_rows + s->n_pad));
    t5_work_use(m, T5_PASS_TRAIN, s->n_enc, s->n_dec, p->n_rows + s->n_pad, s->max_enc, s->max_dec,
                m->drop_p);
    if (p->replayed) {
        const int number[T5_REPLAY_NUMBERS] = {T5_REPLAY_STEP, s->n_enc,   s->n_dec,  p->n_rows,
                                               s->n_pad,       s->max_enc, s->max_dec};
        replay = t5_replays_find(&m->replays, m->dev, number);
    }
    queue_part(p, replay);
}

static t5_status check_rows(const t5_model *m, const t5_step *step, t5_error *err) {
    for (int i = 0; i < step->n_rows; i++) {
        const t5_pack_row *r = &step->rows[i];
        if (r->n_input < 1 || r->n_target < 1 || r->at < 0 ||
            r->at + r->n_input + r->n_target > m->n_ids)
            return t5_fail(err, T5_ERR_INPUT,
                           "row %d of a batch: %d and %d tokens at %lld, of %lld token ids", i,
                           r->n_input, r->n_target, (long long)r->at, (long long)m->n_ids);
        t5_status status = t5_check_row(m, m->ids + r->at, r->n_input, r->n_target, err);
        if (status != T5_OK)
            return status;
    }
    return T5_OK;
}

/* Checks the rows and gets the memory of all passes, so that nothing fails half-way. */
static t5_status make_room(t5_model *m, const t5_step *step, t5_error *err) {
    t5_status status = check_rows(m, step, err);
    for (int row = 0; status == T5_OK && row < step->n_rows;) {
        part p = next_part(m, step, row);
        row += p.n_rows;
        status = t5_reserve_rows(m, p.n_rows + p.size.n_pad, err);
        if (status == T5_OK)
            status = t5_work_reserve(m, T5_PASS_TRAIN, p.size.n_enc, p.size.n_dec,
                                     p.n_rows + p.size.n_pad, err);
    }
    return status;
}

static void keep_result(t5_model *m) {
    const t5_device_ops *ops = m->dev->ops;
    t5_step_log *log = &m->d_log[m->n_pending++];
    ops->copy(m->dev, log->sums, m->d_sums, sizeof log->sums);
    ops->copy(m->dev, log->ride, t5_grad(m, m->layout.n), sizeof log->ride);
}

t5_status t5_model_step(t5_model *m, const t5_step *step, t5_error *err) {
    assert(m->train && m->n_pending < T5_STEPS_PENDING);
    t5_status status = make_room(m, step, err);
    if (status != T5_OK)
        return status;
    forget_if_others(m, step);
    t5_set_rates(m, &step->optim);
    m->scalars->drop_step = m->drop_step;
    m->scalars->scale = step->scale;
    memcpy(m->scalars->ride, step->ride, sizeof step->ride);
    int row = 0;
    do {
        part p = next_part(m, step, row);
        row += p.n_rows;
        send_and_queue(&p);
    } while (row < step->n_rows);
    keep_result(m);
    return T5_OK;
}

t5_status t5_model_step_results(t5_model *m, t5_step_result out[T5_STEPS_PENDING], int *n,
                                t5_error *err) {
    t5_step_log log[T5_STEPS_PENDING];
    *n = 0;
    t5_status status =
        m->dev->ops->to_host(m->dev, log, m->d_log, (size_t)m->n_pending * sizeof *log, err);
    for (int i = 0; status == T5_OK && i < m->n_pending; i++) {
        out[i] = (t5_step_result){.loss_sum = log[i].sums[T5_SUM_LOSS],
                                  .grad_norm = sqrt(log[i].sums[T5_SUM_NORM2])};
        memcpy(out[i].ride, log[i].ride, sizeof log[i].ride);
        *n = i + 1;
    }
    m->n_pending = 0;
    return status;
}
