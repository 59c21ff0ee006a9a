/* Cross entropy with label smoothing, and focal loss, with their gradient. A row of logits (128 KB
 * at 32,128 tokens) stays in the second-level cache over the three sweeps: maximum and sum, sum of
 * the exponentials, gradient. */
#include "device/cpu_kernels_names.h"

typedef struct row_sums {
    double max, log_sum, mean; /* log_sum: log of the sum of exp(x), mean of x */
} row_sums;

static row_sums sum_row(const float *x, int64_t vocab) {
    float max = -INFINITY;
    double sum = 0.0, exps = 0.0;
    for (int64_t j0 = 0; j0 < vocab; j0 += T5_BLOCK) {
        int n = t5_min_int(vocab - j0, T5_BLOCK);
        const float *b = x + j0;
        float part = 0.0f;
#pragma omp simd reduction(+ : part) reduction(max : max)
        for (int j = 0; j < n; j++) {
            part += b[j];
            max = b[j] > max ? b[j] : max;
        }
        sum += (double)part;
    }
    for (int64_t j0 = 0; j0 < vocab; j0 += T5_BLOCK) {
        int n = t5_min_int(vocab - j0, T5_BLOCK);
        const float *b = x + j0;
        float part = 0.0f;
#pragma omp simd reduction(+ : part)
        for (int j = 0; j < n; j++)
            part += t5_exp(b[j] - max);
        exps += (double)part;
    }
    return (row_sums){(double)max, (double)max + log(exps), sum / (double)vocab};
}

/* The row's loss; *slope: d loss / d log p of the label (of its own term). */
static double row_loss(const t5_loss_args *a, const row_sums *s, double label_logit,
                       double *slope) {
    double log_p = label_logit - s->log_sum, e = (double)a->smoothing;
    if (!a->focal) {
        *slope = -(1.0 - e);
        return -(1.0 - e) * log_p + e * (s->log_sum - s->mean);
    }
    double p = exp(log_p), rest = -expm1(log_p), gamma = (double)a->gamma;
    double weight = gamma == 0.0 ? 1.0 : pow(rest, gamma);
    /* (1-p)^(gamma-1) p log p tends to -(1-p)^gamma when p tends to 1 */
    double turn = gamma == 0.0 ? 0.0 : rest > 0.0 ? gamma * weight / rest * p * log_p : 0.0;
    *slope = -(double)a->alpha * (weight - turn);
    return -(double)a->alpha * weight * log_p;
}

/* dlogits = slope (delta - p) + e (p - 1/V), times scale; e only for cross entropy. */
static void gradient_row(const t5_loss_args *a, const float *x, const row_sums *s, double slope,
                         int64_t row) {
    double e = a->focal ? 0.0 : (double)a->smoothing, scale = (double)*a->d_scale;
    float of_p = (float)((e - slope) * scale), base = (float)(e / (double)a->vocab * scale);
    float buf[T5_BLOCK];
    /* x - log_sum in two steps: the difference to the maximum is exact enough, their sum is not */
    float max = (float)s->max, shift = (float)(s->log_sum - s->max);
    int64_t label = a->d_label[row];
    for (int64_t j0 = 0; j0 < a->vocab; j0 += T5_BLOCK) {
        int n = t5_min_int(a->vocab - j0, T5_BLOCK);
        const float *b = x + j0;
        float *d = t5_row_target(a->dlogits, row, j0, buf);
        float at_label = label >= j0 && label < j0 + n ? b[label - j0] : 0.0f;
        T5_SIMD
        for (int j = 0; j < n; j++)
            d[j] = of_p * t5_exp(b[j] - max - shift) - base;
        if (label >= j0 && label < j0 + n) {
            double p = exp((double)at_label - s->log_sum);
            d[label - j0] = (float)(((e - slope) * p + slope) * scale) - base;
        }
        t5_row_write(a->dlogits, row, j0, n, d);
    }
}

/* A row of padding. */
static void zero_row(const t5_loss_args *a, int64_t row) {
    float buf[T5_BLOCK];
    for (int64_t j0 = 0; j0 < a->vocab; j0 += T5_BLOCK) {
        int n = t5_min_int(a->vocab - j0, T5_BLOCK);
        float *d = t5_row_target(a->dlogits, row, j0, buf);
        memset(d, 0, (size_t)n * sizeof *d);
        t5_row_write(a->dlogits, row, j0, n, d);
    }
}

void K(loss)(const void *args, int64_t first, int64_t last) {
    const t5_loss_kernel_args *k = args;
    const t5_loss_args *a = k->a;
    for (int64_t row = first; row < last; row++) {
        if (a->d_label[row] < 0) {
            k->row_loss[row] = 0.0;
            if (a->dlogits.p)
                zero_row(a, row);
            continue;
        }
        const float *x = t5_row_read(a->logits, row, 0, 0, NULL);
        row_sums sums = sum_row(x, a->vocab);
        double slope;
        k->row_loss[row] = row_loss(a, &sums, (double)x[a->d_label[row]], &slope);
        if (a->dlogits.p)
            gradient_row(a, x, &sums, slope, row);
    }
}
