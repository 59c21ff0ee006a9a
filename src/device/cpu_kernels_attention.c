/* Attention of one sequence and one head at a time, in blocks of T5_Q_ROWS queries against all of
 * its keys. Formulas: S = Q K^T + bias, P = softmax(S), M the dropout mask, O = (P.M) V. */
#include "device/cpu_kernels_gemm.h"
#include "device/cpu_kernels_names.h"
#include <omp.h>

enum { T5_Q_ROWS = 48 };

/* One task: the sequence's extent, and where things are in the thread's scratch memory. */
typedef struct task {
    const t5_attention_args *args;
    const t5_attention *a;
    int seq, head;
    int64_t q0, k0, lq, lk;
    int64_t width, wide, keys; /* d_kv, d_kv padded, number of keys padded */
    const float *bias;         /* bias[j - position], or NULL */
    float *kt, *vt;            /* (wide, keys): transposed, so that products run along keys */
    float *k, *v, *dk, *dv;    /* (lk, wide) */
    float *q, *o;              /* (T5_Q_ROWS, wide): q; out or dout */
    float *p, *dp;             /* (T5_Q_ROWS, keys) */
    float *keep;               /* (keys) dropout mask of one query; ones without dropout */
    float *dbias;              /* dbias[j - position], or NULL */
    t5_mask mask;
} task;

int64_t K(attention_scratch)(const t5_attention *a, bool backward) {
    int64_t wide = t5_padded(a->d_kv), keys = t5_padded(a->max_k);
    int64_t panels = backward ? 6 : 3; /* kt, k, v; backward also vt, dk, dv */
    return panels * wide * keys + 2 * T5_Q_ROWS * wide + (backward ? 2 : 1) * T5_Q_ROWS * keys +
           keys + T5_MASK_SLACK;
}

static float *take(float **scratch, int64_t floats) {
    float *p = *scratch;
    *scratch += floats;
    return p;
}

static void task_init(task *t, const t5_attention_args *args, int64_t index, int thread,
                      bool backward) {
    const t5_attention *a = args->a;
    float *scratch = args->scratch + thread * args->scratch_size;
    t->args = args;
    t->a = a;
    t->seq = (int)(index / a->heads);
    t->head = (int)(index % a->heads);
    t->q0 = a->d_q_start[t->seq];
    t->lq = a->d_q_start[t->seq + 1] - t->q0;
    t->k0 = a->d_k_start[t->seq];
    t->lk = a->d_k_len[t->seq];
    t->width = a->d_kv;
    t->wide = t5_padded(a->d_kv);
    t->keys = t5_padded(t->lk);
    t->bias = args->bias ? args->bias + t->head * args->row_length + args->zero : NULL;
    t->dbias = args->dbias ? args->dbias + index * args->row_length + args->zero : NULL;
    t->kt = take(&scratch, t->wide * t->keys);
    t->k = take(&scratch, t->wide * t->keys);
    t->v = take(&scratch, t->wide * t->keys);
    if (backward) {
        t->vt = take(&scratch, t->wide * t->keys);
        t->dk = take(&scratch, t->wide * t->keys);
        t->dv = take(&scratch, t->wide * t->keys);
        t->dp = take(&scratch, T5_Q_ROWS * t->keys);
    }
    t->keep = take(&scratch, t->keys + T5_MASK_SLACK);
    for (int64_t j = 0; j < t->keys; j++)
        t->keep[j] = 1.0f;
    t->q = take(&scratch, T5_Q_ROWS * t->wide);
    t->o = take(&scratch, T5_Q_ROWS * t->wide);
    t->p = take(&scratch, T5_Q_ROWS * t->keys);
    t5_mask_init(&t->mask, a->drop);
}

/* Rows row0 .. row0+rows-1 of this head's columns, as floats with zeros up to `wide`. */
static void pack(const task *t, t5_mat m, int64_t row0, int64_t rows, float *to) {
    float buf[T5_BLOCK];
    for (int64_t i = 0; i < rows; i++, to += t->wide) {
        for (int64_t j0 = 0; j0 < t->width; j0 += T5_BLOCK) {
            int n = t5_min_int(t->width - j0, T5_BLOCK);
            const float *row = t5_row_read(m, row0 + i, t->head * t->width + j0, n, buf);
            float *block = to + j0;
            T5_SIMD
            for (int j = 0; j < n; j++)
                block[j] = row[j];
        }
        for (int64_t j = t->width; j < t->wide; j++)
            to[j] = 0.0f;
    }
}

/* The rows of the sequence's keys, zeros up to `keys`, and the same transposed. */
static void pack_keys(const task *t, t5_mat m, float *rows, float *transposed) {
    pack(t, m, t->k0, t->lk, rows);
    memset(rows + t->lk * t->wide, 0, (size_t)((t->keys - t->lk) * t->wide) * sizeof *rows);
    t5_transpose(rows, t->keys, t->wide, transposed);
}

static void unpack(const task *t, const float *from, int64_t row0, int64_t rows, t5_mat m) {
    float buf[T5_BLOCK];
    for (int64_t i = 0; i < rows; i++, from += t->wide) {
        for (int64_t j0 = 0; j0 < t->width; j0 += T5_BLOCK) {
            int n = t5_min_int(t->width - j0, T5_BLOCK);
            int64_t col = t->head * t->width + j0;
            float *target = t5_row_target(m, row0 + i, col, buf);
            memcpy(target, from + j0, (size_t)n * sizeof *target);
            t5_row_write(m, row0 + i, col, n, target);
        }
    }
}

/* Keys that query i of the sequence sees. */
static int64_t visible(const task *t, int64_t i) {
    int64_t seen = t->a->q_offset + i + 1;
    return t->a->causal && seen < t->lk ? seen : t->lk;
}

/* t->p = Q K^T (no bias) for the block of queries. */
static void scores(task *t, int64_t i0, int64_t rows) {
    pack(t, t->a->q, t->q0 + i0, rows, t->q);
    t5_gemm_small(&(t5_small_gemm){.m = rows,
                                   .n = t->keys,
                                   .k = t->width,
                                   .a = t->q,
                                   .a_row = t->wide,
                                   .a_step = 1,
                                   .b = t->kt,
                                   .ldb = t->keys,
                                   .c = t->p,
                                   .ldc = t->keys});
}

/* Adds the bias to query i's scores, and hides what lies behind the n keys that it sees. Rows are
 * handled up to their padded end here and below: whole vectors, and exp(-infinity) is 0. */
static void bias_and_hide(const task *t, int64_t i, int64_t n, float *p) {
    if (t->bias) {
        const float *bias = t->bias - (t->a->q_offset + i);
        T5_SIMD
        for (int64_t j = 0; j < t->keys; j++)
            p[j] += bias[j];
    }
    for (int64_t j = n; j < t->keys; j++)
        p[j] = -INFINITY;
}

/* t->keep = the dropout mask of query i and n keys. */
static void draw_mask(task *t, int64_t i, int64_t n) {
    if (t->a->drop.p != 0.0f)
        t5_mask_fill(&t->mask, t->q0 + i, (uint32_t)t->head * 65536u, n, t->keep);
}

/* p = exp(p - max) over n keys; returns the sum of p. */
static float exp_row(float *p, int64_t n, float max) {
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        float e = t5_exp(p[j] - max);
        p[j] = e;
        sum += e;
    }
    return sum;
}

/* Softmax and dropout of query i's scores, in place. */
static void probabilities(task *t, int64_t i, float *p) {
    int64_t keys = t->keys;
    float max = -INFINITY;
    bias_and_hide(t, i, visible(t, i), p);
#pragma omp simd reduction(max : max)
    for (int64_t j = 0; j < keys; j++)
        max = p[j] > max ? p[j] : max;
    float sum = exp_row(p, keys, max), scale = keys > 0 ? 1.0f / sum : 0.0f;
    const float *keep = t->keep;
    draw_mask(t, i, keys);
    T5_SIMD
    for (int64_t j = 0; j < keys; j++)
        p[j] *= scale * keep[j];
    if (t->args->lse)
        t->args->lse[(t->q0 + i) * t->a->heads + t->head] = max + logf(sum);
}

/* p[j] += q . k[j], a block of columns of one query against all keys, where the keys lie. */
static void single_scores(const task *t, int64_t j0, int n) {
    float buf[T5_BLOCK];
    const float *q = t->q + j0;
    for (int64_t i = 0; i < t->lk; i++) {
        const float *k = t5_row_read(t->a->k, t->k0 + i, t->head * t->width + j0, n, buf);
        float dot = 0.0f;
#pragma omp simd reduction(+ : dot)
        for (int j = 0; j < n; j++)
            dot += q[j] * k[j];
        t->p[i] += dot;
    }
}

/* o = sum of p[i] v[i], a block of columns. */
static void single_output(const task *t, int64_t j0, int n) {
    float buf[T5_BLOCK], *o = t->o + j0;
    for (int j = 0; j < n; j++)
        o[j] = 0.0f;
    for (int64_t i = 0; i < t->lk; i++) {
        const float *v = t5_row_read(t->a->v, t->k0 + i, t->head * t->width + j0, n, buf);
        float p = t->p[i];
        T5_SIMD
        for (int j = 0; j < n; j++)
            o[j] += p * v[j];
    }
}

/* One query, as in decoding: every key is read once, so packing it would be most of the work. */
static void forward_single(task *t) {
    pack(t, t->a->q, t->q0, 1, t->q);
    memset(t->p, 0, (size_t)t->keys * sizeof *t->p);
    for (int64_t j0 = 0; j0 < t->width; j0 += T5_BLOCK)
        single_scores(t, j0, t5_min_int(t->width - j0, T5_BLOCK));
    probabilities(t, 0, t->p);
    for (int64_t j0 = 0; j0 < t->width; j0 += T5_BLOCK)
        single_output(t, j0, t5_min_int(t->width - j0, T5_BLOCK));
    unpack(t, t->o, t->q0, 1, t->args->out);
}

static void forward_block(task *t, int64_t i0, int64_t rows) {
    scores(t, i0, rows);
    for (int64_t i = 0; i < rows; i++)
        probabilities(t, i0 + i, t->p + i * t->keys);
    t5_gemm_small(&(t5_small_gemm){.m = rows,
                                   .n = t->wide,
                                   .k = t->lk,
                                   .a = t->p,
                                   .a_row = t->keys,
                                   .a_step = 1,
                                   .b = t->v,
                                   .ldb = t->wide,
                                   .c = t->o,
                                   .ldc = t->wide});
    unpack(t, t->o, t->q0 + i0, rows, t->args->out);
}

void K(attention_forward)(const void *args, int64_t first, int64_t last) {
    const t5_attention_args *x = args;
    task t;
    for (int64_t index = first; index < last; index++) {
        task_init(&t, x, index, omp_get_thread_num(), false);
        if (t.lq == 0)
            continue;
        if (t.lq == 1 && !x->lse) { /* a backward would want its own rounding: same code as there */
            forward_single(&t);
            continue;
        }
        pack_keys(&t, t.a->k, t.k, t.kt);
        pack(&t, t.a->v, t.k0, t.lk, t.v);
        for (int64_t i0 = 0; i0 < t.lq; i0 += T5_Q_ROWS)
            forward_block(&t, i0, t5_min_int(t.lq - i0, T5_Q_ROWS));
    }
}

/* Query i's row: p from scores to P.M, dp from d(P.M) to dS = P.(M.d(P.M) - sum_j P M d(P.M)). */
static void row_gradient(task *t, int64_t i, float *p, float *dp) {
    int64_t keys = t->keys;
    float lse = t->args->saved_lse[(t->q0 + i) * t->a->heads + t->head], dot = 0.0f;
    const float *keep = t->keep;
    bias_and_hide(t, i, visible(t, i), p);
    draw_mask(t, i, keys);
#pragma omp simd reduction(+ : dot)
    for (int64_t j = 0; j < keys; j++) {
        float e = t5_exp(p[j] - lse);
        p[j] = e;
        dot += e * keep[j] * dp[j];
    }
    T5_SIMD
    for (int64_t j = 0; j < keys; j++) {
        dp[j] = p[j] * (keep[j] * dp[j] - dot);
        p[j] *= keep[j];
    }
    if (!t->dbias)
        return;
    float *dbias = t->dbias - (t->a->q_offset + i);
    T5_SIMD
    for (int64_t j = 0; j < keys; j++) /* hidden keys add 0 */
        dbias[j] += dp[j];
}

static void backward_block(task *t, int64_t i0, int64_t rows) {
    const t5_attention_args *x = t->args;
    int64_t wide = t->wide, keys = t->keys;
    scores(t, i0, rows);
    pack(t, x->dout, t->q0 + i0, rows, t->o);
    t5_small_gemm g = {.m = rows,
                       .n = keys,
                       .k = t->width,
                       .a = t->o,
                       .a_row = wide,
                       .a_step = 1,
                       .b = t->vt,
                       .ldb = keys,
                       .c = t->dp,
                       .ldc = keys};
    t5_gemm_small(&g); /* d(P.M) = dO V^T */
    for (int64_t i = 0; i < rows; i++)
        row_gradient(t, i0 + i, t->p + i * keys, t->dp + i * keys);
    g = (t5_small_gemm){.m = t->lk,
                        .n = wide,
                        .k = rows,
                        .a = t->p,
                        .a_row = 1,
                        .a_step = keys,
                        .b = t->o,
                        .ldb = wide,
                        .c = t->dv,
                        .ldc = wide,
                        .accumulate = i0 > 0};
    t5_gemm_small(&g); /* dV = (P.M)^T dO */
    g.a = t->dp, g.b = t->q, g.c = t->dk;
    t5_gemm_small(&g); /* dK = dS^T Q */
    g = (t5_small_gemm){.m = rows,
                        .n = wide,
                        .k = t->lk,
                        .a = t->dp,
                        .a_row = keys,
                        .a_step = 1,
                        .b = t->k,
                        .ldb = wide,
                        .c = t->o,
                        .ldc = wide};
    t5_gemm_small(&g); /* dQ = dS K */
    unpack(t, t->o, t->q0 + i0, rows, x->dq);
}

void K(attention_backward)(const void *args, int64_t first, int64_t last) {
    const t5_attention_args *x = args;
    task t;
    for (int64_t index = first; index < last; index++) {
        task_init(&t, x, index, omp_get_thread_num(), true);
        if (t.dbias)
            memset(x->dbias + index * x->row_length, 0, (size_t)x->row_length * sizeof(float));
        pack_keys(&t, t.a->k, t.k, t.kt);
        pack_keys(&t, t.a->v, t.v, t.vt);
        if (t.lq == 0) {
            memset(t.dk, 0, (size_t)(t.wide * t.lk) * sizeof(float));
            memset(t.dv, 0, (size_t)(t.wide * t.lk) * sizeof(float));
        }
        for (int64_t i0 = 0; i0 < t.lq; i0 += T5_Q_ROWS)
            backward_block(&t, i0, t5_min_int(t.lq - i0, T5_Q_ROWS));
        unpack(&t, t.dk, t.k0, t.lk, x->dk);
        unpack(&t, t.dv, t.k0, t.lk, x->dv);
    }
}
