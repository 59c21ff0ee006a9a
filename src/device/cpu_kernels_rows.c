/* Embedding and activations: one pass over rows. */
#include "device/cpu_kernels_names.h"

void K(embed_forward)(const void *args, int64_t first, int64_t last) {
    const t5_embed_args *a = args;
    t5_mask mask;
    t5_mask_init(&mask, a->drop);
    for (int64_t t = first; t < last; t++) {
        for (int64_t j0 = 0; j0 < a->x.cols; j0 += T5_BLOCK) {
            int n = t5_min_int(a->x.cols - j0, T5_BLOCK);
            const float *row = t5_row_read(a->table, a->ids[t], j0, n, NULL), *keep = mask.v;
            float *x = t5_row_target(a->x, t, j0, NULL);
            t5_mask_row(&mask, t, (uint32_t)j0, n);
            T5_SIMD
            for (int j = 0; j < n; j++)
                x[j] = row[j] * keep[j];
        }
    }
}

/* Divided by columns, so that every thread adds all tokens of its columns in their order:
 * duplicates need neither locks nor sorting, and the sum has one order. */
void K(embed_backward)(const void *args, int64_t first, int64_t last) {
    const t5_embed_args *a = args;
    t5_mask mask;
    t5_mask_init(&mask, a->drop);
    for (int64_t block = first; block < last; block++) {
        int64_t j0 = block * T5_EMBED_COLUMNS;
        int n = t5_min_int(a->x.cols - j0, T5_EMBED_COLUMNS);
        for (int64_t t = 0; t < a->x.rows; t++) {
            const float *dx = t5_row_read(a->x, t, j0, n, NULL), *keep = mask.v;
            float *row = t5_row_target(a->table, a->ids[t], j0, NULL);
            t5_mask_row(&mask, t, (uint32_t)j0, n);
            T5_SIMD
            for (int j = 0; j < n; j++)
                row[j] += dx[j] * keep[j];
        }
    }
}

/* gelu_new(a) = 0.5 a (1 + tanh(u)) = a s with s = 1 / (1 + exp(-2u)), u = sqrt(2/pi) (a + c a^3):
 * no cancellation where tanh is near -1. Its derivative is s + a s (1 - s) 2 u'. */
static inline float sigmoid_2u(float a) {
    return 1.0f / (1.0f + t5_exp(-1.5957691216057308f * (a + 0.044715f * a * a * a)));
}

static inline float gelu_slope(float a, float s) {
    return s + a * s * (1.0f - s) * 1.5957691216057308f * (1.0f + 3.0f * 0.044715f * a * a);
}

static void relu_row(const t5_act_args *a, t5_mask *mask, int64_t t) {
    float ibuf[T5_BLOCK], obuf[T5_BLOCK];
    for (int64_t j0 = 0; j0 < a->out.cols; j0 += T5_BLOCK) {
        int n = t5_min_int(a->out.cols - j0, T5_BLOCK);
        const float *in = t5_row_read(a->in, t, j0, n, ibuf), *keep = mask->v;
        float *out = t5_row_target(a->out, t, j0, obuf);
        t5_mask_row(mask, t, (uint32_t)j0, n);
        T5_SIMD
        for (int j = 0; j < n; j++)
            out[j] = (in[j] < 0.0f ? 0.0f : in[j]) * keep[j];
        t5_row_write(a->out, t, j0, n, out);
    }
}

static void gelu_row(const t5_act_args *a, t5_mask *mask, int64_t t) {
    float ibuf[T5_BLOCK], bbuf[T5_BLOCK], obuf[T5_BLOCK];
    for (int64_t j0 = 0; j0 < a->out.cols; j0 += T5_BLOCK) {
        int n = t5_min_int(a->out.cols - j0, T5_BLOCK);
        const float *in = t5_row_read(a->in, t, j0, n, ibuf), *keep = mask->v;
        const float *gate = t5_row_read(a->in, t, a->out.cols + j0, n, bbuf);
        float *out = t5_row_target(a->out, t, j0, obuf);
        t5_mask_row(mask, t, (uint32_t)j0, n);
        T5_SIMD
        for (int j = 0; j < n; j++)
            out[j] = in[j] * sigmoid_2u(in[j]) * gate[j] * keep[j];
        t5_row_write(a->out, t, j0, n, out);
    }
}

void K(act_forward)(const void *args, int64_t first, int64_t last) {
    const t5_act_args *a = args;
    t5_mask mask;
    t5_mask_init(&mask, a->drop);
    for (int64_t t = first; t < last; t++) {
        if (a->kind == T5_ACTIVATION_RELU)
            relu_row(a, &mask, t);
        else
            gelu_row(a, &mask, t);
    }
}

static void relu_back_row(const t5_act_args *a, float keep, int64_t t) {
    float obuf[T5_BLOCK], gbuf[T5_BLOCK], dbuf[T5_BLOCK];
    for (int64_t j0 = 0; j0 < a->out.cols; j0 += T5_BLOCK) {
        int n = t5_min_int(a->out.cols - j0, T5_BLOCK);
        const float *out = t5_row_read(a->out, t, j0, n, obuf);
        const float *g = t5_row_read(a->dout, t, j0, n, gbuf);
        float *din = t5_row_target(a->din, t, j0, dbuf);
        T5_SIMD
        for (int j = 0; j < n; j++)
            din[j] = out[j] > 0.0f ? g[j] * keep : 0.0f;
        t5_row_write(a->din, t, j0, n, din);
    }
}

static void gelu_back_row(const t5_act_args *a, t5_mask *mask, int64_t t) {
    float ibuf[T5_BLOCK], bbuf[T5_BLOCK], gbuf[T5_BLOCK], dibuf[T5_BLOCK], dbbuf[T5_BLOCK];
    int64_t ff = a->dout.cols;
    for (int64_t j0 = 0; j0 < ff; j0 += T5_BLOCK) {
        int n = t5_min_int(ff - j0, T5_BLOCK);
        const float *in = t5_row_read(a->in, t, j0, n, ibuf), *keep = mask->v;
        const float *gate = t5_row_read(a->in, t, ff + j0, n, bbuf);
        const float *g = t5_row_read(a->dout, t, j0, n, gbuf);
        float *din = t5_row_target(a->din, t, j0, dibuf);
        float *dgate = t5_row_target(a->din, t, ff + j0, dbbuf);
        t5_mask_row(mask, t, (uint32_t)j0, n);
        T5_SIMD
        for (int j = 0; j < n; j++) {
            float x = in[j], s = sigmoid_2u(x), d = g[j] * keep[j], b = gate[j];
            din[j] = d * b * gelu_slope(x, s);
            dgate[j] = d * x * s;
        }
        t5_row_write(a->din, t, j0, n, din);
        t5_row_write(a->din, t, ff + j0, n, dgate);
    }
}

void K(act_backward)(const void *args, int64_t first, int64_t last) {
    const t5_act_args *a = args;
    t5_mask mask;
    t5_mask_init(&mask, a->drop);
    for (int64_t t = first; t < last; t++) {
        if (a->kind == T5_ACTIVATION_RELU)
            relu_back_row(a, mask.keep, t);
        else
            gelu_back_row(a, &mask, t);
    }
}
