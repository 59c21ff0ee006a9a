/* The k best of each row, for generation: a block for a row. A candidate is one 64-bit key, as on
 * the CPU: the value's bits in an order that compares like the value, then the inverted index, so
 * the lower index wins among equals.
 * A few are selected one by one: every thread keeps the best of its own elements that are still in
 * the race; after each winner only the winner's thread looks for its next. Many are the front of
 * the row when it is sorted (sampling without top_k wants it all): a stable radix sort, lowest
 * digit first, whose time does not depend on k. */
#include "device/element.cuh"

enum { THREADS = 512, MOST_SELECTED = 64, DIGIT_BITS = 4, DIGITS = 1 << DIGIT_BITS };

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
    uint2 *work; /* (rows, 2, vocab), only to sort */
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

static __device__ void prepare_row(const topk_args &a, int64_t row, float *x, uint64_t *keys,
                                   double *sums) {
    if (a.log_softmax)
        log_softmax_row(a, x, keys, sums);
    if (a.penalty != 1.0f && a.history_len > 0)
        penalise_row(a, x, a.history + row * a.history_ld);
}

static __global__ void __launch_bounds__(THREADS) select_kernel(topk_args a) {
    __shared__ uint64_t keys[2][WARP];
    __shared__ double sums[WARP];
    int64_t row = blockIdx.x;
    float *x = a.x + row * a.ld;
    prepare_row(a, row, x, keys[1], sums);
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

/* count[i] becomes the sum of those before it, DIGITS of them a thread. */
static __device__ void scan(uint32_t *count, uint32_t *room) {
    uint32_t *own = count + DIGITS * threadIdx.x, sum = 0;
    for (int i = 0; i < DIGITS; i++)
        sum += own[i];
    uint32_t before = sum; /* with the own sum, at first */
    for (unsigned o = 1; o < WARP; o *= 2) {
        uint32_t other = __shfl_up_sync(~0u, before, o);
        before += threadIdx.x % WARP >= o ? other : 0;
    }
    if (threadIdx.x % WARP == WARP - 1)
        room[threadIdx.x / WARP] = before;
    __syncthreads();
    before -= sum;
    for (unsigned w = 0; w < threadIdx.x / WARP; w++)
        before += room[w];
    for (int i = 0; i < DIGITS; i++) {
        uint32_t n = own[i];
        own[i] = before;
        before += n;
    }
    __syncthreads();
}

/* Sorts by one digit of x, equal ones in their order: each thread a stretch of the elements. */
static __device__ void sort_digit(const uint2 *from, uint2 *to, int n, int shift, uint32_t *count,
                                  uint32_t *room) {
    int each = (n + THREADS - 1) / THREADS, me = (int)threadIdx.x;
    int first = min(n, me * each), last = min(n, first + each);
    for (int d = 0; d < DIGITS; d++)
        count[d * THREADS + me] = 0;
    for (int i = first; i < last; i++)
        count[(from[i].x >> shift & (DIGITS - 1)) * THREADS + me]++;
    __syncthreads();
    scan(count, room);
    for (int i = first; i < last; i++) {
        uint2 e = from[i];
        to[count[(e.x >> shift & (DIGITS - 1)) * THREADS + me]++] = e;
    }
    __syncthreads();
}

static __global__ void __launch_bounds__(THREADS) sort_kernel(topk_args a) {
    __shared__ uint64_t keys[WARP];
    __shared__ double sums[WARP];
    __shared__ uint32_t count[DIGITS * THREADS], room[WARP];
    int64_t row = blockIdx.x;
    float *x = a.x + row * a.ld;
    uint2 *from = a.work + row * 2 * a.vocab, *to = from + a.vocab; /* the best has the least x */
    prepare_row(a, row, x, keys, sums);
    for (int j = (int)threadIdx.x; j < a.vocab; j += THREADS) {
        uint64_t key = key_of(a.allowed && !a.allowed[j] ? -INFINITY : x[j], j);
        from[j] = make_uint2(~(uint32_t)(key >> 32), (uint32_t)j);
    }
    __syncthreads();
    for (int shift = 0; shift < 32; shift += 2 * DIGIT_BITS) {
        sort_digit(from, to, a.vocab, shift, count, room);
        sort_digit(to, from, a.vocab, shift + DIGIT_BITS, count, room);
    }
    for (int i = (int)threadIdx.x; i < a.k; i += THREADS) {
        bool there = i < a.vocab;
        uint2 e = there ? from[i] : make_uint2(0, 0);
        a.value[row * a.k + i] = there ? value_of((uint64_t)~e.x << 32) : -INFINITY;
        a.id[row * a.k + i] = (int32_t)e.y;
    }
}

static bool sorts(const t5_topk_args *a) {
    return a->k > MOST_SELECTED && a->vocab > MOST_SELECTED;
}

size_t t5_topk_work(const t5_topk_args *a) {
    return sorts(a) ? 2 * (size_t)a->n * (size_t)a->vocab * sizeof(uint2) : 0;
}

cudaError_t t5_launch_topk(const t5_topk_args *a, void *d_work, cudaStream_t stream) {
    topk_args k = {(float *)a->logits.p, a->logits.ld,  (int)a->vocab,  a->k,
                   a->history_len,       a->history_ld, a->log_softmax, a->penalty,
                   a->d_history,         a->d_allowed,  a->d_value,     a->d_id,
                   (uint2 *)d_work};
    return launch(sorts(a) ? sort_kernel : select_kernel, (unsigned)a->n, THREADS, 0, stream, k);
}
