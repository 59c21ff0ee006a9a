/* The sample kernels on the emulation against loops in C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cuda_on_cpu/sample/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float value_of(uint16_t h) {
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}
static uint16_t bits_of(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}
/* In (-1, 1), by number. */
static float noise(uint32_t stream, size_t i) {
    uint32_t x = (uint32_t)i * 2654435761u ^ stream * 40503u;
    x ^= x >> 15, x *= 2246822519u, x ^= x >> 13;
    return (float)(x >> 8) / 8388608.0f - 1.0f;
}

static void *up(const void *p, size_t n) {
    void *d = NULL;
    assert_int_equal(cudaMalloc(&d, n), cudaSuccess);
    if (p)
        assert_int_equal(cudaMemcpy(d, p, n, cudaMemcpyHostToDevice), cudaSuccess);
    return d;
}
static void *down(void *d, size_t n) {
    void *p = malloc(n);
    assert_non_null(p);
    assert_int_equal(cudaMemcpy(p, d, n, cudaMemcpyDeviceToHost), cudaSuccess);
    assert_int_equal(cudaFree(d), cudaSuccess);
    return p;
}

static void near(const char *what, double got, double want, double limit, size_t i) {
    if (!(fabs(got - want) <= limit * (0.05 + fabs(want)))) /* true for NaN */
        fail_msg("%s [%zu]: %.9g, expected %.9g", what, i, got, want);
}
static void near_bf16(const char *what, const uint16_t *got, const float *want, size_t n) {
    for (size_t i = 0; i < n; i++)
        near(what, (double)value_of(got[i]), (double)want[i], 8e-3, i);
}
static void near_f32(const char *what, const float *got, const float *want, size_t n,
                     double limit) {
    for (size_t i = 0; i < n; i++)
        near(what, (double)got[i], (double)want[i], limit, i);
}

/* --- RMS norm --- */

enum { ROWS = 130, N = SAMPLE_WIDTH };

static void norm_reference(const uint16_t *x, const float *w, const uint16_t *dy, float *y,
                           float *rstd, float *dx, float *dw) {
    memset(dw, 0, N * sizeof *dw);
    for (int i = 0; i < ROWS; i++) {
        const uint16_t *row = x + i * N, *d = dy + i * N;
        double s = 0, g = 0;
        for (int j = 0; j < N; j++)
            s += (double)(value_of(row[j]) * value_of(row[j]));
        double r = 1 / sqrt(s / N + 1e-6);
        rstd[i] = (float)r;
        for (int j = 0; j < N; j++) {
            y[i * N + j] = value_of(row[j]) * rstd[i] * w[j];
            dw[j] += value_of(d[j]) * value_of(row[j]) * rstd[i];
            g += (double)(value_of(d[j]) * w[j] * value_of(row[j]));
        }
        for (int j = 0; j < N; j++)
            dx[i * N + j] = (float)((double)(value_of(d[j]) * w[j]) * r -
                                    (double)value_of(row[j]) * g * r * r * r / N);
    }
}

static void test_norm(void **state) {
    (void)state;
    size_t n = (size_t)ROWS * N;
    uint16_t *x = malloc(2 * n), *dy = malloc(2 * n);
    float *y = malloc(4 * n), *dx = malloc(4 * n), w[N], rstd[ROWS], dw[N];
    assert_true(x && dy && y && dx);
    for (size_t i = 0; i < n; i++)
        x[i] = bits_of(noise(1, i)), dy[i] = bits_of(noise(2, i));
    for (size_t i = 0; i < N; i++)
        w[i] = 1 + noise(3, i) / 2;
    norm_reference(x, w, dy, y, rstd, dx, dw);
    uint16_t *d_x = up(x, 2 * n), *d_y = up(NULL, 2 * n), *d_dy = up(dy, 2 * n);
    uint16_t *d_dx = up(NULL, 2 * n);
    float *d_w = up(w, sizeof w), *d_rstd = up(NULL, sizeof rstd), *d_dw = up(NULL, sizeof dw);
    assert_int_equal(sample_norm_forward(d_x, d_w, d_y, d_rstd, ROWS, 1e-6f, 0), cudaSuccess);
    assert_int_equal(cudaMemset(d_dw, 0, sizeof dw), cudaSuccess);
    assert_int_equal(sample_norm_backward(d_x, d_w, d_rstd, d_dy, d_dx, d_dw, ROWS, 0),
                     cudaSuccess);
    assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
    uint16_t *got_y = down(d_y, 2 * n), *got_dx = down(d_dx, 2 * n);
    float *got_dw = down(d_dw, sizeof dw), *got_rstd = down(d_rstd, sizeof rstd);
    near_bf16("y", got_y, y, n);
    near_bf16("dx", got_dx, dx, n);
    near_f32("dw", got_dw, dw, N, 2e-3);
    near_f32("rstd", got_rstd, rstd, ROWS, 1e-5);
    free(x), free(dy), free(y), free(dx), free(got_y), free(got_dx), free(got_dw), free(got_rstd);
    cudaFree(d_x), cudaFree(d_dy), cudaFree(d_w);
}

/* --- attention --- */

static int bucket(int d) {
    int b = d > 0 ? 16 : 0, n = abs(d);
    if (n < 8)
        return b + n;
    int l = 8 + (int)(logf((float)n / 8.0f) / logf(16.0f) * 8.0f);
    return b + (l < 15 ? l : 15);
}

enum { HEADS = 2, D = SAMPLE_HEAD };

static void attention_reference(const uint16_t *qkv, int first, int n, int h, const float *table,
                                float *out) {
    for (int i = first; i < first + n; i++) {
        float p[SAMPLE_LONGEST], sum = 0;
        for (int j = 0; j < n; j++) {
            float a = table[bucket(first + j - i) * HEADS + h];
            for (int c = 0; c < D; c++)
                a += value_of(qkv[(i * 3 * HEADS + h) * D + c]) *
                     value_of(qkv[(((first + j) * 3 + 1) * HEADS + h) * D + c]);
            p[j] = a;
        }
        float top = p[0];
        for (int j = 1; j < n; j++)
            top = fmaxf(top, p[j]);
        for (int j = 0; j < n; j++)
            sum += p[j] = expf(p[j] - top);
        for (int c = 0; c < D; c++) {
            float o = 0;
            for (int j = 0; j < n; j++)
                o += p[j] * value_of(qkv[(((first + j) * 3 + 2) * HEADS + h) * D + c]);
            out[(i * HEADS + h) * D + c] = o / sum;
        }
    }
}

static void test_attention(void **state) {
    (void)state;
    static const int length[] = {1, 128, 33, 7};
    enum { SEQUENCES = 4, TOKENS = 1 + 128 + 33 + 7, IN = TOKENS * 3 * HEADS * D };
    int start[SEQUENCES + 1] = {0};
    static uint16_t qkv[IN];
    static float want[TOKENS * HEADS * D];
    float table[SAMPLE_BUCKETS * HEADS];
    for (size_t i = 0; i < IN; i++)
        qkv[i] = bits_of(noise(4, i));
    for (size_t i = 0; i < SAMPLE_BUCKETS * HEADS; i++)
        table[i] = noise(5, i);
    for (int s = 0; s < SEQUENCES; s++) {
        start[s + 1] = start[s] + length[s];
        for (int h = 0; h < HEADS; h++)
            attention_reference(qkv, start[s], length[s], h, table, want);
    }
    uint16_t *d_qkv = up(qkv, sizeof qkv), *d_out = up(NULL, sizeof want / 2);
    int *d_start = up(start, sizeof start);
    float *d_table = up(table, sizeof table);
    assert_int_equal(sample_attention(d_qkv, d_start, d_table, d_out, SEQUENCES, HEADS, 0),
                     cudaSuccess);
    uint16_t *out = down(d_out, sizeof want / 2);
    near_bf16("attention", out, want, TOKENS * HEADS * D);
    free(out);
    cudaFree(d_qkv), cudaFree(d_start), cudaFree(d_table);
}

/* --- AdamW --- */

static void test_adamw(void **state) {
    (void)state;
    enum { COUNT = 5003, BYTES = COUNT * 4 };
    static float p[COUNT], g[COUNT], m[COUNT], v[COUNT];
    float scale = 0.5f;
    for (size_t i = 0; i < COUNT; i++)
        p[i] = noise(6, i), g[i] = noise(7, i), m[i] = v[i] = 0;
    float *d_p = up(p, BYTES), *d_g = up(g, BYTES), *d_m = up(m, BYTES), *d_v = up(v, BYTES);
    float *d_scale = up(&scale, sizeof scale);
    uint16_t *d_copy = up(NULL, COUNT * 2);
    for (int step = 1; step <= 3; step++) {
        assert_int_equal(
            sample_adamw(d_p, d_m, d_v, d_g, d_copy, d_scale, COUNT, 0.01f, 0.01f, step, 0),
            cudaSuccess);
        for (int i = 0; i < COUNT; i++) {
            float x = g[i] * scale;
            m[i] = 0.9f * m[i] + (1 - 0.9f) * x;
            v[i] = 0.999f * v[i] + (1 - 0.999f) * x * x;
            float c1 = 1 - powf(0.9f, (float)step), c2 = 1 - powf(0.999f, (float)step);
            p[i] -= 0.01f * (m[i] / c1 / (sqrtf(v[i] / c2) + 1e-8f) + 0.01f * p[i]);
        }
    }
    float *got = down(d_p, BYTES);
    uint16_t *copy = down(d_copy, COUNT * 2);
    near_f32("p", got, p, COUNT, 1e-4);
    near_bf16("copy", copy, p, COUNT);
    free(got), free(copy);
    cudaFree(d_g), cudaFree(d_m), cudaFree(d_v), cudaFree(d_scale);
}

/* --- what kernels are made of --- */

static void test_builtins(void **state) {
    (void)state;
    int zero = 0, *d_out = up(&zero, sizeof zero);
    float fzero = 0.0f, *d_f = up(&fzero, sizeof fzero);
    dim3 grid = {3, 2, 2}, block = {16, 4, 2}, one = {1, 1, 1}, many = {1025, 1, 1};
    assert_int_equal(sample_builtins(grid, block, 64 * 1024, d_out, d_f, 0),
                     cudaErrorInvalidValue); /* more than 48 KiB is to be asked for */
    assert_int_equal(sample_builtins(one, many, 0, d_out, d_f, 0), cudaErrorInvalidConfiguration);
    assert_int_equal(sample_builtins(grid, block, 512, d_out, d_f, 0), cudaSuccess);
    int *out = down(d_out, sizeof zero);
    float *f = down(d_f, sizeof fzero);
    assert_int_equal(*out, 3 * 2 * 2 * 16 * 4 * 2);
    assert_true(*f == 1536.0f);
    free(out), free(f);
}

static void test_product(void **state) {
    (void)state;
    enum { K = 64 };
    uint16_t a[16 * K], b[16 * K];
    float want[256];
    for (size_t i = 0; i < 16 * K; i++)
        a[i] = bits_of(noise(8, i)), b[i] = bits_of(noise(9, i));
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) {
            float s = 0;
            for (int k = 0; k < K; k++)
                s += value_of(a[i * K + k]) * value_of(b[j * K + k]);
            want[i * 16 + j] = 2 * s;
        }
    uint16_t *d_a = up(a, sizeof a), *d_b = up(b, sizeof b);
    float *d_c = up(NULL, sizeof want);
    assert_int_equal(sample_product(d_a, d_b, d_c, K, 0), cudaSuccess);
    float *c = down(d_c, sizeof want);
    near_f32("product", c, want, 256, 1e-4);
    free(c);
    cudaFree(d_a), cudaFree(d_b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"norm", test_norm, NULL, NULL, NULL},
        {"attention", test_attention, NULL, NULL, NULL},
        {"adamw", test_adamw, NULL, NULL, NULL},
        {"builtins", test_builtins, NULL, NULL, NULL},
        {"product", test_product, NULL, NULL, NULL},
    };
#ifdef SAMPLE_ONLY /* where a bug is planted */
    cmocka_set_test_filter(SAMPLE_ONLY);
#endif
    return cmocka_run_group_tests_name("cuda_on_cpu", tests, NULL, NULL);
}
