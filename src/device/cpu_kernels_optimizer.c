/* AdamW, sums of squares and the casts to and from bfloat16: as fast as memory delivers. */
#include "device/cpu_kernels_names.h"

void K(cast)(const void *args, int64_t first, int64_t last) {
    const t5_cast_args *a = args;
    T5_SIMD
    for (int64_t i = first; i < last; i++)
        a->dst[i] = t5_bf16_of(a->src[i]);
}

void K(widen)(const void *args, int64_t first, int64_t last) {
    const t5_widen_args *a = args;
    T5_SIMD
    for (int64_t i = first; i < last; i++)
        a->dst[i] = t5_of_bf16(a->src[i]);
}

/* Four sums side by side hide the latency of the additions. */
void K(sum_squares)(const void *args, int64_t first, int64_t last) {
    const t5_sum_squares_args *a = args;
    int64_t n = (last - first) / 4;
    const float *x = a->x + first, *y = x + n, *z = y + n, *w = z + n;
    double sx = 0.0, sy = 0.0, sz = 0.0, sw = 0.0;
#pragma omp simd reduction(+ : sx, sy, sz, sw)
    for (int64_t i = 0; i < n; i++) {
        sx += (double)x[i] * (double)x[i];
        sy += (double)y[i] * (double)y[i];
        sz += (double)z[i] * (double)z[i];
        sw += (double)w[i] * (double)w[i];
    }
    for (int64_t i = 4 * n; i < last - first; i++)
        sx += (double)x[i] * (double)x[i];
    a->part[first / T5_SUM_FLOATS] = (sx + sy) + (sz + sw);
}

void K(adamw)(const void *args, int64_t first, int64_t last) {
    const t5_adamw_args *a = args;
    float *p = a->d_param, *m = a->d_m, *v = a->d_v;
    const float *g = a->d_grad;
    double clip = 1.0;
    if (a->clip_norm > 0.0f) {
        clip = (double)a->clip_norm / (sqrt(*a->d_norm2) + 1e-6);
        if (clip > 1.0)
            clip = 1.0;
    }
    const float lr = a->d_rate[0], correction1 = a->d_rate[1], correction2 = a->d_rate[2];
    float factor = (float)clip, decay = 1.0f - lr * a->weight_decay, eps = a->eps;
    float beta1 = a->beta1, beta2 = a->beta2, rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
    float step = lr / correction1, root = 1.0f / sqrtf(correction2);
    T5_SIMD
    for (int64_t i = first; i < last; i++) {
        float grad = g[i] * factor;
        float m1 = beta1 * m[i] + rest1 * grad;
        float v1 = beta2 * v[i] + rest2 * grad * grad;
        m[i] = m1;
        v[i] = v1;
        p[i] = p[i] * decay - step * m1 / (sqrtf(v1) * root + eps);
    }
    if (!a->d_copy)
        return;
    uint16_t *copy = a->d_copy;
    T5_SIMD
    for (int64_t i = first; i < last; i++)
        copy[i] = t5_bf16_of(p[i]);
}
