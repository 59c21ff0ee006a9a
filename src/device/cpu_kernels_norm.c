/* Residual, dropout and RMS norm in two sweeps over a row that stays in the cache. */
#include "device/cpu_kernels_names.h"

/* x_out = x_in + dropout(y) for one row; returns the sum of the squares. */
static double residual_row(const t5_norm_args *a, t5_mask *mask, int64_t t) {
    float ybuf[T5_BLOCK];
    double sum = 0.0;
    for (int64_t j0 = 0; j0 < a->x_in.cols; j0 += T5_BLOCK) {
        int n = t5_min_int(a->x_in.cols - j0, T5_BLOCK);
        const float *x = t5_row_read(a->x_in, t, j0, n, NULL);
        float part = 0.0f;
        if (a->y.p) {
            const float *y = t5_row_read(a->y, t, j0, n, ybuf), *keep = mask->v;
            float *x_out = t5_row_target(a->x_out, t, j0, NULL);
            t5_mask_row(mask, t, (uint32_t)j0, n);
#pragma omp simd reduction(+ : part)
            for (int j = 0; j < n; j++) {
                float v = x[j] + y[j] * keep[j];
                x_out[j] = v;
                part += v * v;
            }
        } else {
#pragma omp simd reduction(+ : part)
            for (int j = 0; j < n; j++)
                part += x[j] * x[j];
            if (a->x_out.p && a->x_out.p != a->x_in.p)
                memcpy(t5_mat_at(a->x_out, t, j0), x, (size_t)n * sizeof(float));
        }
        sum += (double)part;
    }
    return sum;
}

void K(norm_forward)(const void *args, int64_t first, int64_t last) {
    const t5_norm_args *a = args;
    t5_mat source = a->y.p ? a->x_out : a->x_in;
    float buf[T5_BLOCK];
    t5_mask mask, out_mask;
    t5_mask_init(&mask, a->drop);
    t5_mask_init(&out_mask, a->out_drop);
    for (int64_t t = first; t < last; t++) {
        double mean = residual_row(a, &mask, t) / (double)source.cols;
        float rstd = (float)(1.0 / sqrt(mean + (double)a->eps));
        a->rstd[t] = rstd;
        for (int64_t j0 = 0; j0 < source.cols; j0 += T5_BLOCK) {
            int n = t5_min_int(source.cols - j0, T5_BLOCK);
            const float *x = t5_row_read(source, t, j0, n, NULL), *w = a->w + j0;
            const float *keep = out_mask.v;
            float *out = t5_row_target(a->out, t, j0, buf);
            t5_mask_row(&out_mask, t, (uint32_t)j0, n);
            T5_SIMD
            for (int j = 0; j < n; j++)
                out[j] = x[j] * rstd * w[j] * keep[j];
            t5_row_write(a->out, t, j0, n, out);
        }
    }
}

/* Adds one row to the chunk's dw; returns sum_j dout_j w_j x_j. */
static double weight_row(const t5_norm_back_args *a, t5_mask *out_mask, int64_t t, float *dw) {
    float gbuf[T5_BLOCK], rstd = a->rstd[t];
    double sum = 0.0;
    for (int64_t j0 = 0; j0 < a->x.cols; j0 += T5_BLOCK) {
        int n = t5_min_int(a->x.cols - j0, T5_BLOCK);
        const float *x = t5_row_read(a->x, t, j0, n, NULL), *w = a->w + j0;
        const float *g = t5_row_read(a->dout, t, j0, n, gbuf), *keep = out_mask->v;
        float *to = dw + j0, part = 0.0f;
        t5_mask_row(out_mask, t, (uint32_t)j0, n);
#pragma omp simd reduction(+ : part)
        for (int j = 0; j < n; j++) {
            float gx = g[j] * keep[j] * x[j];
            to[j] += gx * rstd;
            part += gx * w[j];
        }
        sum += (double)part;
    }
    return sum;
}

/* With r = rstd, g = dropout'(dout) and dot = sum_j g_j w_j x_j:
 * dx_j = r (g_j w_j - x_j r^2 dot / d). */
void K(norm_backward)(const void *args, int64_t first, int64_t last) {
    const t5_norm_back_args *a = args;
    int64_t cols = a->x.cols;
    float *dw = a->dw_part + first / T5_NORM_ROWS * cols;
    float gbuf[T5_BLOCK], ybuf[T5_BLOCK];
    t5_mask mask, out_mask;
    t5_mask_init(&mask, a->drop);
    t5_mask_init(&out_mask, a->out_drop);
    memset(dw, 0, (size_t)cols * sizeof *dw);
    for (int64_t t = first; t < last; t++) {
        double dot = weight_row(a, &out_mask, t, dw);
        float rstd = a->rstd[t];
        float pull = (float)(dot * (double)rstd * (double)rstd / (double)cols);
        for (int64_t j0 = 0; j0 < cols; j0 += T5_BLOCK) {
            int n = t5_min_int(cols - j0, T5_BLOCK);
            const float *x = t5_row_read(a->x, t, j0, n, NULL), *w = a->w + j0;
            const float *g = t5_row_read(a->dout, t, j0, n, gbuf), *keep = out_mask.v;
            float *dx = t5_row_target(a->dx, t, j0, NULL);
            if (cols > T5_BLOCK)
                t5_mask_row(&out_mask, t, (uint32_t)j0, n); /* else still there */
            if (a->accumulate) {
                T5_SIMD
                for (int j = 0; j < n; j++)
                    dx[j] += rstd * (g[j] * keep[j] * w[j] - x[j] * pull);
            } else {
                T5_SIMD
                for (int j = 0; j < n; j++)
                    dx[j] = rstd * (g[j] * keep[j] * w[j] - x[j] * pull);
            }
            if (!a->dy.p)
                continue;
            float *dy = t5_row_target(a->dy, t, j0, ybuf);
            const float *kept = mask.v;
            t5_mask_row(&mask, t, (uint32_t)j0, n);
            T5_SIMD
            for (int j = 0; j < n; j++)
                dy[j] = dx[j] * kept[j];
            t5_row_write(a->dy, t, j0, n, dy);
        }
    }
}

void K(sum_rows)(const void *args, int64_t first, int64_t last) {
    const t5_sum_rows_args *a = args;
    for (int64_t j0 = first; j0 < last; j0 += 64) {
        double sum[64] = {0.0};
        int n = t5_min_int(last - j0, 64);
        for (int64_t i = 0; i < a->rows; i++) {
            const float *src = a->src + i * a->cols + j0;
            T5_SIMD
            for (int j = 0; j < n; j++)
                sum[j] += (double)src[j];
        }
        for (int j = 0; j < n; j++)
            a->dst[j0 + j] += (float)sum[j];
    }
}
