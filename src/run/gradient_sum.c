#include "run/gradient_sum.h"
#include <stdlib.h>

struct t5_gradient_sum {
    t5_reducer *reducer;
    t5_model *model;
    uint16_t *d_half; /* (n_arena) bfloat16 gradients, or NULL */
    t5_grad_hook hook;
    t5_error error; /* the first failure of a sum */
    t5_error alone; /* of this rank's device, in host memory */
};

/* ---------------------------------------------------------------- in host memory */

/* A rank joins the sum whatever has failed on it, or the others would wait for it. */
static void sum_in_place(void *arg) {
    t5_gradient_sum *s = arg;
    t5_device *dev = t5_model_device(s->model);
    int64_t n = t5_model_n_arena(s->model);
    float *grad = t5_model_arena(s->model, T5_ARENA_GRAD);
    t5_error failure = {0};
    if (dev->ops->sync(dev, &failure) != T5_OK) {
        grad[n + T5_RIDE_FAILED] = 1;
        s->alone = failure;
    }
    t5_reducer_sum(s->reducer, grad, n + T5_RIDES, &s->error);
}

static void nothing_yet(void *arg, int64_t first, int64_t n) {
    (void)arg;
    (void)first;
    (void)n;
}

/* ---------------------------------------------------------------- between GPUs */

static void start(t5_gradient_sum *s, void *d_data, int64_t n, t5_sum_type type) {
    if (s->error.status == T5_OK)
        t5_reducer_start(s->reducer, d_data, n, type, &s->error);
}

static void start_bucket(void *arg, int64_t first, int64_t n) {
    t5_gradient_sum *s = arg;
    t5_device *dev = t5_model_device(s->model);
    float *d_grad = t5_model_arena(s->model, T5_ARENA_GRAD) + first;
    bool last = first + n == t5_model_n_arena(s->model);
    if (!s->d_half) {
        start(s, d_grad, last ? n + T5_RIDES : n, T5_SUM_F32);
        return;
    }
    dev->ops->cast(dev, d_grad, s->d_half + first, n);
    start(s, s->d_half + first, n, T5_SUM_BF16);
    if (last)
        start(s, d_grad + n, T5_RIDES, T5_SUM_F32);
}

static void join_buckets(void *arg) {
    t5_gradient_sum *s = arg;
    t5_device *dev = t5_model_device(s->model);
    if (s->error.status == T5_OK)
        t5_reducer_join(s->reducer, &s->error);
    if (s->d_half)
        dev->ops->widen(dev, s->d_half, t5_model_arena(s->model, T5_ARENA_GRAD),
                        t5_model_n_arena(s->model));
}

/* ---------------------------------------------------------------- both */

t5_status t5_gradient_sum_create(t5_comm *group, t5_reducer *reducer, t5_model *model, bool bf16,
                                 t5_gradient_sum **sum, t5_error *err) {
    t5_device *dev = t5_model_device(model);
    *sum = NULL;
    if (t5_comm_size(group) == 1)
        return T5_OK;
    t5_gradient_sum *s = calloc(1, sizeof *s);
    if (!s)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the sum of gradients");
    s->reducer = reducer;
    s->model = model;
    s->hook = (t5_grad_hook){.ready = dev->host_memory ? nothing_yet : start_bucket,
                             .join = dev->host_memory ? sum_in_place : join_buckets,
                             .arg = s};
    void *d_half = NULL;
    if (bf16 && !dev->host_memory &&
        dev->ops->alloc(dev, (size_t)t5_model_n_arena(model) * sizeof *s->d_half, &d_half, err) !=
            T5_OK) {
        t5_error_prefix(err, "gradients in bfloat16");
        free(s);
        return err->status;
    }
    s->d_half = d_half;
    *sum = s;
    return T5_OK;
}

void t5_gradient_sum_destroy(t5_gradient_sum *s) {
    if (!s)
        return;
    t5_device *dev = t5_model_device(s->model);
    dev->ops->free(dev, s->d_half);
    free(s);
}

const t5_grad_hook *t5_gradient_sum_hook(const t5_gradient_sum *s) {
    return s ? &s->hook : NULL;
}

t5_status t5_gradient_sum_wait(t5_gradient_sum *s, t5_error *alone, t5_error *err) {
    if (!s)
        return T5_OK;
    if (s->alone.status != T5_OK && alone->status == T5_OK)
        *alone = s->alone;
    s->alone = (t5_error){0};
    if (s->error.status == T5_OK && !t5_model_device(s->model)->host_memory)
        t5_reducer_wait(s->reducer, &s->error);
    if (s->error.status != T5_OK)
        *err = s->error;
    return err->status;
}
