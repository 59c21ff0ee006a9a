/* The k best of each row, for generation. A candidate is one 64-bit key: the value's bits in an
 * order that compares like the value, then the inverted index, so the lower index wins among
 * equals. */
#include "device/cpu_kernels_names.h"
#include <float.h>
#include <omp.h>

static uint64_t key_of(float value, int64_t id) {
    uint32_t bits = t5_bits_of_float(value);
    if (bits == 0x80000000u)
        bits = 0; /* -0 equals 0 */
    bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return (uint64_t)bits << 32 | (uint32_t) ~(uint32_t)id;
}

static void key_put(uint64_t key, float *value, int32_t *id) {
    uint32_t bits = (uint32_t)(key >> 32);
    *value = t5_float_of_bits(bits & 0x80000000u ? bits & 0x7fffffffu : ~bits);
    *id = (int32_t) ~(uint32_t)key;
}

static float max_of(const float *x, int n) {
    float max = -INFINITY;
#pragma omp simd reduction(max : max)
    for (int j = 0; j < n; j++)
        max = x[j] > max ? x[j] : max;
    return max;
}

/* Puts `key` in place of the root of a heap whose root is the smallest. */
static void sift_down(uint64_t *heap, int64_t n, uint64_t key) {
    int64_t i = 0;
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= key)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = key;
}

/* The k largest keys of the row, largest first, in heap. */
static void select_row(const float *x, int64_t vocab, int64_t k, uint64_t *heap) {
    memset(heap, 0, (size_t)k * sizeof *heap); /* 0 is below every key */
    for (int64_t j0 = 0; j0 < vocab; j0 += 64) {
        int n = t5_min_int(vocab - j0, 64);
        if (key_of(max_of(x + j0, n), j0) <= heap[0])
            continue;
        for (int j = 0; j < n; j++) {
            uint64_t key = key_of(x[j0 + j], j0 + j);
            if (key > heap[0])
                sift_down(heap, k, key);
        }
    }
    for (int64_t n = k - 1; n > 0; n--) {
        uint64_t smallest = heap[0];
        sift_down(heap, n, heap[n]);
        heap[n] = smallest;
    }
}

/* NaN becomes -infinity here, so that the rest has an order; a row that has no sum stays as it is.
 */
static void log_softmax_row(float *x, int64_t vocab, bool normalise) {
    float max = -INFINITY;
    double sum = 0.0;
    for (int64_t j0 = 0; j0 < vocab; j0 += T5_BLOCK) {
        int n = t5_min_int(vocab - j0, T5_BLOCK);
        float *b = x + j0;
#pragma omp simd reduction(max : max)
        for (int j = 0; j < n; j++) {
            float v = b[j] == b[j] ? b[j] : -INFINITY;
            b[j] = v;
            max = v > max ? v : max;
        }
    }
    /* an OpenMP max may start from -FLT_MAX: a row of nothing but -infinity ends there */
    if (!normalise || !isfinite(max) || max <= -FLT_MAX)
        return;
    for (int64_t j0 = 0; j0 < vocab; j0 += T5_BLOCK) {
        int n = t5_min_int(vocab - j0, T5_BLOCK);
        const float *b = x + j0;
        float part = 0.0f;
#pragma omp simd reduction(+ : part)
        for (int j = 0; j < n; j++)
            part += t5_exp(b[j] - max);
        sum += (double)part;
    }
    float shift = (float)log(sum);
    T5_SIMD
    for (int64_t j = 0; j < vocab; j++)
        x[j] = x[j] - max - shift;
}

/* All old values are read before any is written: a token that occurs twice is penalised once. */
static void penalise_row(const t5_topk_args *a, int64_t row, float *x, float *old) {
    const int32_t *history = a->d_history + row * a->history_ld;
    for (int i = 0; i < a->history_len; i++)
        old[i] = x[history[i]];
    for (int i = 0; i < a->history_len; i++)
        x[history[i]] = old[i] < 0.0f ? old[i] * a->penalty : old[i] / a->penalty;
}

void K(topk)(const void *args, int64_t first, int64_t last) {
    const t5_topk_kernel_args *t = args;
    const t5_topk_args *a = t->a;
    int thread = omp_get_thread_num();
    uint64_t *heap = t->heap + (int64_t)thread * a->k;
    float *old = t->old + (int64_t)thread * a->history_len;
    for (int64_t row = first; row < last; row++) {
        float *x = t5_row_target(a->logits, row, 0, NULL);
        log_softmax_row(x, a->vocab, a->log_softmax);
        if (a->penalty != 1.0f)
            penalise_row(a, row, x, old);
        if (a->d_allowed)
            for (int64_t j = 0; j < a->vocab; j++)
                x[j] = a->d_allowed[j] ? x[j] : -INFINITY;
        int64_t k = a->k < a->vocab ? a->k : a->vocab;
        select_row(x, a->vocab, k, heap);
        for (int64_t i = 0; i < a->k; i++) {
            float *value = a->d_value + row * a->k + i;
            int32_t *id = a->d_id + row * a->k + i;
            *value = -INFINITY;
            *id = 0;
            if (i < k)
                key_put(heap[i], value, id);
        }
    }
}
