#include "model/decode.h"
#include "model/internal.h"
#include <assert.h>
#include <stdlib.h>

static t5_status allocate_slots(t5_model *m, t5_error *err) {
    for (int s = 0; s < T5_STACKS; s++) {
        size_t n = (size_t)m->layout.stack[s].n_layers;
        m->work.stack[s].layer = calloc(n, sizeof *m->work.stack[s].layer);
        if (!m->work.stack[s].layer)
            return t5_fail(err, T5_ERR_MEMORY, "out of memory for a model's layers");
    }
    return T5_OK;
}

static t5_status allocate_arenas(t5_model *m, t5_error *err) {
    static const char *const names[] = {"weights", "gradients", "first moments", "second moments"};
    const t5_device_ops *ops = m->dev->ops;
    size_t n = (size_t)m->layout.n;
    for (int a = T5_ARENA_WEIGHT; a <= (m->train ? T5_ARENA_V : T5_ARENA_WEIGHT); a++) {
        void *d_p;
        size_t extra = a == T5_ARENA_GRAD ? T5_GRAD_EXTRA : 0;
        if (ops->alloc(m->dev, (n + extra) * sizeof(float), &d_p, err) != T5_OK)
            return t5_error_prefix(err, "the model's %s", names[a]);
        m->d_arena[a] = d_p;
    }
    if (m->bf16 && ops->alloc(m->dev, n * t5_dtype_size(T5_BF16), &m->d_copy, err) != T5_OK)
        return t5_error_prefix(err, "the weights' bfloat16 copy");
    void *d_sums, *d_log;
    if (ops->alloc(m->dev, T5_SUMS * sizeof *m->d_sums, &d_sums, err) != T5_OK)
        return err->status;
    m->d_sums = d_sums;
    if (m->train && ops->alloc(m->dev, T5_STEPS_PENDING * sizeof *m->d_log, &d_log, err) != T5_OK)
        return err->status;
    m->d_log = m->train ? d_log : NULL;
    return t5_reserve_rows(m, 0, err);
}

t5_status t5_model_create(t5_device *dev, const t5_shape *shape, bool bf16, bool train,
                          t5_model **model, t5_error *err) {
    t5_error local = {0};
    t5_error *e = err ? err : &local;
    *model = NULL;
    t5_status status = t5_shape_check(shape, e);
    if (status != T5_OK)
        return status;
    if (bf16 && !dev->has_bf16)
        return t5_fail(e, T5_ERR_DEVICE, "%s has no bfloat16 products: use precision fp32",
                       dev->info);
    t5_model *m = calloc(1, sizeof *m);
    if (!m)
        return t5_fail(e, T5_ERR_MEMORY, "out of memory for a model");
    m->dev = dev;
    m->shape = *shape;
    m->bf16 = bf16;
    m->train = train;
    m->compute = bf16 ? T5_BF16 : T5_F32;
    status = t5_layout_create(shape, &m->layout, e);
    if (status == T5_OK)
        status = allocate_slots(m, e);
    if (status == T5_OK)
        status = allocate_arenas(m, e);
    if (status != T5_OK) {
        t5_model_destroy(m);
        return status;
    }
    *model = m;
    return T5_OK;
}

void t5_model_destroy(t5_model *m) {
    if (!m)
        return;
    const t5_device_ops *ops = m->dev->ops;
    t5_replays_forget(&m->replays, m->dev);
    t5_decoder_destroy(m->decoder);
    for (int a = 0; a < 4; a++)
        ops->free(m->dev, m->d_arena[a]);
    ops->free(m->dev, m->d_copy);
    ops->free(m->dev, m->d_sums);
    ops->free(m->dev, m->d_log);
    ops->free(m->dev, m->d_scalars);
    ops->free(m->dev, m->d_ids_block);
    ops->free(m->dev, m->d_block);
    for (int s = 0; s < T5_STACKS; s++)
        free(m->work.stack[s].layer);
    t5_layout_free(&m->layout);
    free(m->stage);
    free(m->scalars);
    free(m);
}

const t5_shape *t5_model_shape(const t5_model *m) {
    return &m->shape;
}

t5_device *t5_model_device(const t5_model *m) {
    return m->dev;
}

int t5_model_n_params(const t5_model *m) {
    return m->layout.n_params;
}

const t5_param *t5_model_param(const t5_model *m, int i) {
    assert(i >= 0 && i < m->layout.n_params);
    return &m->layout.param[i];
}

int64_t t5_model_n_arena(const t5_model *m) {
    return m->layout.n;
}

float *t5_model_arena(t5_model *m, t5_arena which) {
    return m->d_arena[which];
}

t5_status t5_model_read(t5_model *m, t5_arena which, int64_t offset, int64_t n, float *dst,
                        t5_error *err) {
    assert(m->d_arena[which] && offset >= 0 && n >= 0 && offset + n <= m->layout.n);
    return m->dev->ops->to_host(m->dev, dst, m->d_arena[which] + offset, (size_t)n * sizeof *dst,
                                err);
}

float *t5_model_in_place(t5_model *m, t5_arena which, int64_t offset, t5_error *err) {
    assert(m->d_arena[which] && offset >= 0 && offset <= m->layout.n);
    if (!m->dev->host_memory || m->dev->ops->sync(m->dev, err) != T5_OK)
        return NULL;
    return m->d_arena[which] + offset;
}

/* Waits, so that a failure shows here and not in the next pass. */
t5_status t5_model_write(t5_model *m, t5_arena which, int64_t offset, int64_t n, const float *src,
                         t5_error *err) {
    assert(m->d_arena[which] && offset >= 0 && n >= 0 && offset + n <= m->layout.n);
    const t5_device_ops *ops = m->dev->ops;
    float *d_dst = m->d_arena[which] + offset;
    if (src != d_dst) /* t5_model_in_place */
        ops->to_device(m->dev, d_dst, src, (size_t)n * sizeof *src);
    if (m->bf16 && which == T5_ARENA_WEIGHT)
        ops->cast(m->dev, d_dst, (uint16_t *)m->d_copy + offset, n);
    return ops->sync(m->dev, err);
}

void t5_model_set_dropout(t5_model *m, float p, uint32_t seed, uint32_t step) {
    assert(p >= 0 && p < 1);
    m->drop_p = p;
    m->drop_seed = seed;
    m->drop_step = step;
}

void t5_send_scalars(t5_model *m) {
    m->dev->ops->to_device(m->dev, m->d_scalars, m->scalars, sizeof *m->scalars);
}
