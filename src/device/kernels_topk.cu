/* The k best of each row, for generation: a block for a row. A candidate is one 64-bit key, as on
 * the CPU: the value's bits in an order that compares like the value, then the inverted index, so
 * the lower index wins among equals. Every thread keeps the best of its own elements that are still
 * in the race; after each winner only the winner's thread looks for its next. */
#include "device/element.cuh"

enum { THREADS = 512 };

typedef struct topk_args {
    float *x;
    int64_t ld;
    int vocab, k, history_len, history_ld;
    bool log_softmax;
    float penalty;
    const int32_t *history;
    const uint8_t *allowed;
    float *value;
    int32_t *id;
} topk_args;

static __device__ __forceinline__ uint64_t key_of(float value, int id) {
    uint32_t bits = (uint32_t)__float_as_int(value != value ? -INFINITY : value);
    if (bits == 0x80000000u)
        bits = 0; /* -0 equals 0 */
    bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return (uint64_t)bits << 32 | (uint32_t) ~(uint32_t)id;
}
static __device__ __forceinline__ float value_of(uint64_t key) {
    uint32_t bits = (uint32_t)(key >> 32);
    return __int_as_float((int)(bits & 0x80000000u ? bits & 0x7fffffffu : ~bits));
}

static __device__ __forceinline__ uint64_t block_max(uint64_t v, uint64_t *room) {
    for (int o = WARP / 2; o; o >>= 1) {
        uint64_t other = __shfl_xor_sync(~0u, v, o);
        v = other > v ? other : v;
    }
    if (threadIdx.x % WARP == 0)
        room[threadIdx.x / WARP] = v;
    __syncthreads();
    for (int w = 0; w < THREADS / WARP; w++)
        v = room[w] > v ? room[w] : v;
    return v;
}

/* The largest key of the thread's own elements below `limit`; 0: none. */
static __device__ uint64_t own_best(const topk_args &a, const float *x, uint64_t limit) {
    uint64_t best = 0;
    for (int j = (int)threadIdx.x; j < a.vocab; j += THREADS) {
        uint64_t key = key_of(a.allowed && !a.allowed[j] ? -INFINITY : x[j], j);
        best = key < limit && key > best ? key : best;
    }
    return best;
}

/* The row becomes log-probabilities; NaN counts as -infinity. A row that has no sum stays as it is.
 */
static __device__ void log_softmax_row(const topk_args &a, float *x, uint64_t *keys, double *sums) {
    uint64_t best = 0;
    for (int j = (int)threadIdx.x; j < a.vocab; j += THREADS) {
        uint64_t key = key_of(x[j], 0);
        best = key > best ? key : best;
    }
    float max = value_of(block_max(best, keys)), part = 0.0f;
    if (!(fabsf(max) < INFINITY)) /* the same in all threads */
        return;
    for (int j = (int)threadIdx.x; j < a.vocab; j += THREADS)
        part += x[j] == x[j] ? expf(x[j] - max) : 0.0f;
    float shift = (float)log(block_sum((double)part, sums));
    for (int j = (int)threadIdx.x; j < a.vocab; j += THREADS)
        x[j] = x[j] - max - shift;
    __syncthreads();
}

/* Each token of the history once: its first occurrence does it. */
static __device__ void penalise_row(const topk_args &a, float *x, const int32_t *history) {
    for (int i = (int)threadIdx.x; i < a.history_len; i += THREADS) {
        bool seen = false;
        for (int before = 0; before < i; before++)
            seen = seen || history[before] == history[i];
        if (seen)
            continue;
        float v = x[history[i]];
        x[history[i]] = v < 0.0f ? v * a.penalty : v / a.penalty;
    }
    __syncthreads();
}

static __global__ void __launch_bounds__(THREADS) topk_kernel(topk_args a) {
    __shared__ uint64_t keys[2][WARP];
    __shared__ double sums[WARP];
    int64_t row = blockIdx.x;
    float *x = a.x + row * a.ld;
    if (a.log_softmax)
        log_softmax_row(a, x, keys[1], sums);
    if (a.penalty != 1.0f && a.history_len > 0)
        penalise_row(a, x, a.history + row * a.history_ld);
    uint64_t own = own_best(a, x, ~(uint64_t)0);
    for (int i = 0; i < a.k; i++) {
        uint64_t best = block_max(own, keys[i % 2]); /* two, so that one barrier is enough */
        if (own == best && best)
            own = own_best(a, x, best);
        if (threadIdx.x == 0) {
            a.value[row * a.k + i] = best ? value_of(best) : -INFINITY;
            a.id[row * a.k + i] = best ? (int32_t) ~(uint32_t)best : 0;
        }
    }
}

cudaError_t t5_launch_topk(const t5_topk_args *a, cudaStream_t stream) {
    topk_args k = {(float *)a->logits.p, a->logits.ld,  (int)a->vocab,  a->k,
                   a->history_len,       a->history_ld, a->log_softmax, a->penalty,
                   a->d_history,         a->d_allowed,  a->d_value,     a->d_id};
    return launch(topk_kernel, (unsigned)a->n, THREADS, 0, stream, k);
}
