/* Cross entropy with label smoothing, focal loss, and their gradient: a block for a row of logits.
 * Maximum, sum of exponentials and mean come from one pass; the row (130 KB at 32,913 tokens) is
 * then in the second-level cache, from where the gradient reads it. */
#include "device/element.cuh"

enum { THREADS = 512, UNROLL = 4, SUM_THREADS = 256 };

/* Sums over a part of a row: exps = sum of exp(x - max). */
typedef struct sums {
    float max, exps;
    double total; /* sum of x */
} sums;

static __device__ __forceinline__ float shift_of(float max) {
    return max == -INFINITY ? 0.0f : max; /* nothing seen yet but -infinity and NaN */
}
/* exps goes over to a new maximum. */
static __device__ __forceinline__ float rescaled(const sums &s, float max) {
    return s.max == max ? s.exps : s.exps * expf(s.max - shift_of(max));
}
static __device__ __forceinline__ sums join(const sums &a, const sums &b) {
    float max = fmaxf(a.max, b.max);
    return sums{max, rescaled(a, max) + rescaled(b, max), a.total + b.total};
}

/* One pass over the row, UNROLL coalesced elements a thread at a time. (Rows of an odd vocabulary
 * are not aligned to more than 4 bytes.) */
static __device__ sums sum_part(const float *x, int vocab) {
    sums s = {-INFINITY, 0.0f, 0.0};
    for (int j0 = (int)threadIdx.x; j0 < vocab; j0 += UNROLL * THREADS) {
        float v[UNROLL], max = s.max, total = 0.0f;
#pragma unroll
        for (int k = 0; k < UNROLL; k++) {
            int j = j0 + k * THREADS;
            v[k] = j < vocab ? x[j] : -INFINITY;
            max = fmaxf(max, v[k]); /* not NaN, which the sums take over */
            total += j < vocab ? v[k] : 0.0f;
        }
        float exps = rescaled(s, max), shift = shift_of(max);
#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            exps += expf(v[k] - shift);
        s = sums{max, exps, s.total + (double)total};
    }
    return s;
}

/* The whole row's sums, in thread 0. */
static __device__ sums sum_row(const float *x, int vocab, sums *room) {
    sums s = sum_part(x, vocab);
    for (int o = WARP / 2; o; o >>= 1) {
        sums other = {__shfl_xor_sync(~0u, s.max, o), __shfl_xor_sync(~0u, s.exps, o),
                      __shfl_xor_sync(~0u, s.total, o)};
        s = threadIdx.x & (unsigned)o ? join(other, s) : join(s, other);
    }
    if (threadIdx.x % WARP == 0)
        room[threadIdx.x / WARP] = s;
    __syncthreads();
    if (threadIdx.x == 0)
        for (int w = 1; w < THREADS / WARP; w++)
            s = join(s, room[w]);
    return s;
}

typedef struct loss_args {
    const float *logits; /* may be dlogits */
    const int32_t *label;
    void *dlogits; /* NULL: no gradient */
    int64_t logits_ld, dlogits_ld;
    int vocab;
    bool focal;
    float smoothing, gamma, alpha;
    const float *scale; /* read only for a gradient */
    double *row_loss;
} loss_args;

/* What the gradient needs: d = of_p exp(x - max - shift) - base, and at_label at the label. */
typedef struct coefficients {
    float max, shift, of_p, base, at_label;
} coefficients;

/* The row's loss, by one thread in double. Formulas as in cpu_kernels_loss.c:
 * dlogits = slope (delta - p) + e (p - 1/V), times scale, with slope = d loss / d log p(label). */
static __device__ coefficients row_loss(const loss_args &a, const sums &s, float label_logit,
                                        double *loss) {
    double e = a.focal ? 0.0 : (double)a.smoothing, shift = log((double)s.exps), slope;
    double log_sum = (double)s.max + shift, log_p = (double)label_logit - log_sum;
    double p = exp(log_p);
    if (!a.focal) {
        slope = -(1.0 - e);
        *loss = -(1.0 - e) * log_p + e * (log_sum - s.total / (double)a.vocab);
    } else {
        double rest = -expm1(log_p), gamma = (double)a.gamma;
        double weight = gamma == 0.0 ? 1.0 : pow(rest, gamma);
        /* (1-p)^(gamma-1) p log p tends to -(1-p)^gamma when p tends to 1 */
        double turn = gamma == 0.0 ? 0.0 : rest > 0.0 ? gamma * weight / rest * p * log_p : 0.0;
        slope = -(double)a.alpha * (weight - turn);
        *loss = -(double)a.alpha * weight * log_p;
    }
    double scale = a.dlogits ? (double)*a.scale : 0.0;
    float base = (float)(e / (double)a.vocab * scale);
    return coefficients{s.max, (float)shift, (float)((e - slope) * scale), base,
                        (float)(((e - slope) * p + slope) * scale) - base};
}

/* x - log_sum in two steps: the difference to the maximum is exact enough, their sum is not. */
template <class T>
static __device__ void gradient_row(const float *x, T *d, int vocab, int label, coefficients c) {
    for (int j0 = (int)threadIdx.x; j0 < vocab; j0 += UNROLL * THREADS) {
        float v[UNROLL];
#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            v[k] = j0 + k * THREADS < vocab ? x[j0 + k * THREADS] : 0.0f;
#pragma unroll
        for (int k = 0; k < UNROLL; k++) {
            int j = j0 + k * THREADS;
            if (j < vocab)
                put(d + j,
                    j == label ? c.at_label : c.of_p * expf(v[k] - c.max - c.shift) - c.base);
        }
    }
}

template <class T> static __device__ void zero_row(T *d, int vocab) {
    for (int j = (int)threadIdx.x; j < vocab; j += THREADS)
        put(d + j, 0.0f);
}

template <class T> static __global__ void __launch_bounds__(THREADS) loss_kernel(loss_args a) {
    __shared__ sums room[THREADS / WARP];
    __shared__ coefficients c;
    int64_t row = blockIdx.x;
    const float *x = a.logits + row * a.logits_ld;
    int label = a.label[row];
    if (label < 0) { /* padding */
        if (threadIdx.x == 0)
            a.row_loss[row] = 0.0;
        if (a.dlogits)
            zero_row((T *)a.dlogits + row * a.dlogits_ld, a.vocab);
        return;
    }
    sums s = sum_row(x, a.vocab, room);
    if (threadIdx.x == 0) {
        double loss;
        c = row_loss(a, s, x[label], &loss);
        a.row_loss[row] = loss;
    }
    __syncthreads(); /* also: x[label] is read before it is written */
    if (a.dlogits)
        gradient_row(x, (T *)a.dlogits + row * a.dlogits_ld, a.vocab, label, c);
}

static __global__ void __launch_bounds__(SUM_THREADS)
    add_losses(const double *__restrict__ row_loss, int64_t n, double *d_sum) {
    __shared__ double room[WARP];
    double sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += SUM_THREADS)
        sum += row_loss[i];
    sum = block_sum(sum, room);
    if (threadIdx.x == 0)
        *d_sum += sum;
}

cudaError_t t5_launch_loss(const t5_loss_args *a, double *d_row_loss, cudaStream_t stream) {
    loss_args k = {(const float *)a->logits.p,
                   a->d_label,
                   a->dlogits.p,
                   a->logits.ld,
                   a->dlogits.ld,
                   (int)a->vocab,
                   a->focal,
                   a->smoothing,
                   a->gamma,
                   a->alpha,
                   a->d_scale,
                   d_row_loss};
    if (a->n == 0)
        return cudaSuccess;
    bool narrow = a->dlogits.p && a->dlogits.type == T5_BF16;
    cudaError_t result = launch(narrow ? loss_kernel<bf16> : loss_kernel<float>, (unsigned)a->n,
                                THREADS, 0, stream, k);
    return result ? result
                  : launch(add_losses, 1, SUM_THREADS, 0, stream, (const double *)d_row_loss, a->n,
                           a->d_sum);
}
