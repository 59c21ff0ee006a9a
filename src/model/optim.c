#include "model/internal.h"
#include <assert.h>
#include <math.h>

static void adamw(t5_model *m, const t5_optim *o, int64_t from, int64_t to, float weight_decay) {
    const t5_adamw_args args = {
        .n = to - from,
        .d_param = m->d_arena[T5_ARENA_WEIGHT] + from,
        .d_m = m->d_arena[T5_ARENA_M] + from,
        .d_v = m->d_arena[T5_ARENA_V] + from,
        .d_grad = m->d_arena[T5_ARENA_GRAD] + from,
        .d_copy = m->bf16 ? (uint16_t *)m->d_copy + from : NULL,
        .d_rate = m->d_scalars->rate,
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .eps = o->eps,
        .weight_decay = weight_decay,
        .clip_norm = o->clip_norm,
        .d_norm2 = &m->d_sums[T5_SUM_NORM2],
    };
    m->dev->ops->adamw(m->dev, &args);
}

void t5_set_rates(t5_model *m, const t5_optim *optim) {
    float *rate = m->scalars->rate;
    rate[0] = optim->lr;
    rate[1] = (float)(1 - pow((double)optim->beta1, (double)optim->step));
    rate[2] = (float)(1 - pow((double)optim->beta2, (double)optim->step));
}

void t5_queue_update(t5_model *m, const t5_optim *optim, bool norm) {
    const t5_device_ops *ops = m->dev->ops;
    double *d_norm2 = &m->d_sums[T5_SUM_NORM2];
    if (optim->clip_norm > 0 || norm) {
        ops->zero(m->dev, d_norm2, sizeof *d_norm2);
        ops->sum_squares(m->dev, m->d_arena[T5_ARENA_GRAD], m->layout.n, d_norm2);
    }
    adamw(m, optim, 0, m->layout.n_decay, optim->weight_decay);
    adamw(m, optim, m->layout.n_decay, m->layout.n, 0);
}

t5_status t5_model_update(t5_model *m, const t5_optim *optim, double *grad_norm, t5_error *err) {
    assert(m->train && optim->step >= 1);
    t5_set_rates(m, optim);
    t5_send_scalars(m);
    t5_queue_update(m, optim, grad_norm != NULL);
    if (!grad_norm)
        return T5_OK;
    double norm2;
    t5_status status =
        m->dev->ops->to_host(m->dev, &norm2, &m->d_sums[T5_SUM_NORM2], sizeof norm2, err);
    if (status == T5_OK)
        *grad_norm = sqrt(norm2);
    return status;
}
