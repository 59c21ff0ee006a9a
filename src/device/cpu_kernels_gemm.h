/* Small matrix products inside the attention kernels, on float panels whose rows are multiples of
 * T5_PAD columns (zero beyond the data). oneDNN would need a call for each sequence and head. */
#ifndef T5_DEVICE_CPU_KERNELS_GEMM_H
#define T5_DEVICE_CPU_KERNELS_GEMM_H
#include "device/cpu_kernels_simd.h"

enum { T5_PAD = 16 };
static inline int64_t t5_padded(int64_t n) {
    return (n + T5_PAD - 1) / T5_PAD * T5_PAD;
}

#if defined(__AVX512F__)
enum { T5_LANES = 16 };
#elif defined(__AVX2__)
enum { T5_LANES = 8 };
#else
enum { T5_LANES = 4 };
#endif
typedef float t5_vec __attribute__((vector_size(T5_LANES * sizeof(float))));

static inline t5_vec t5_vec_load(const float *p) {
    t5_vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void t5_vec_add_to(float *p, t5_vec v, bool accumulate) {
    if (accumulate)
        v += t5_vec_load(p);
    memcpy(p, &v, sizeof v);
}

/* Operands of C (m, n) = A (m, k) B (k, n), or C += A B. Element (i, l) of A is a[i * a_row + l *
 * a_step]; B and C are row-major, n is a multiple of T5_PAD. */
typedef struct t5_small_gemm {
    int64_t m, n, k;
    const float *a;
    int64_t a_row, a_step;
    const float *b;
    int64_t ldb;
    float *c;
    int64_t ldc;
    bool accumulate;
} t5_small_gemm;

/* One tile of rows x (vectors of columns), held in registers: the constant bounds are unrolled. */
#define T5_TILE(rows, vectors)                                                         \
    static inline void t5_tile_##rows##x##vectors(const t5_small_gemm *g, int64_t i0,  \
                                                  int64_t j0) {                        \
        t5_vec acc[rows][vectors];                                                     \
        for (int r = 0; r < (rows); r++)                                               \
            for (int v = 0; v < (vectors); v++)                                        \
                acc[r][v] = (t5_vec){0.0f};                                            \
        const float *a = g->a + i0 * g->a_row, *b = g->b + j0;                         \
        int64_t a_row = g->a_row, a_step = g->a_step, ldb = g->ldb;                    \
        for (int64_t l = 0; l < g->k; l++, a += a_step, b += ldb) {                    \
            t5_vec bv[vectors];                                                        \
            for (int v = 0; v < (vectors); v++)                                        \
                bv[v] = t5_vec_load(b + v * T5_LANES);                                 \
            for (int r = 0; r < (rows); r++)                                           \
                for (int v = 0; v < (vectors); v++)                                    \
                    acc[r][v] += a[r * a_row] * bv[v];                                 \
        }                                                                              \
        for (int r = 0; r < (rows); r++)                                               \
            for (int v = 0; v < (vectors); v++)                                        \
                t5_vec_add_to(g->c + (i0 + r) * g->ldc + j0 + v * T5_LANES, acc[r][v], \
                              g->accumulate);                                          \
    }

/* Rows x columns of the largest tile fill the registers: 24 of 32 with AVX-512, 12 of 16 otherwise.
 * What is left at the right and at the bottom takes smaller tiles. */
T5_TILE(6, 1)
T5_TILE(6, 2)
T5_TILE(4, 1)
T5_TILE(4, 2)
T5_TILE(1, 1)
T5_TILE(1, 2)
#if defined(__AVX512F__)
enum { T5_TILE_VECTORS = 4 };
T5_TILE(6, 3)
T5_TILE(6, 4)
T5_TILE(4, 3)
T5_TILE(4, 4)
T5_TILE(1, 3)
T5_TILE(1, 4)
#else
enum { T5_TILE_VECTORS = 2 };
#endif

#define T5_TILE_COLUMN(vectors)                                                 \
    static inline void t5_tiles_##vectors(const t5_small_gemm *g, int64_t j0) { \
        int64_t i = 0;                                                          \
        for (; i + 6 <= g->m; i += 6)                                           \
            t5_tile_6x##vectors(g, i, j0);                                      \
        for (; i + 4 <= g->m; i += 4)                                           \
            t5_tile_4x##vectors(g, i, j0);                                      \
        for (; i < g->m; i++)                                                   \
            t5_tile_1x##vectors(g, i, j0);                                      \
    }
T5_TILE_COLUMN(1)
T5_TILE_COLUMN(2)
#if defined(__AVX512F__)
T5_TILE_COLUMN(3)
T5_TILE_COLUMN(4)
#endif

static inline void t5_gemm_small(const t5_small_gemm *g) {
    for (int64_t j = 0; j < g->n;) {
        int vectors = t5_min_int((g->n - j) / T5_LANES, T5_TILE_VECTORS);
#if defined(__AVX512F__)
        if (vectors == 4)
            t5_tiles_4(g, j);
        if (vectors == 3)
            t5_tiles_3(g, j);
#endif
        if (vectors == 2)
            t5_tiles_2(g, j);
        if (vectors == 1)
            t5_tiles_1(g, j);
        j += vectors * T5_LANES;
    }
}

/* to (4 columns of from's 4 rows): to[c * ldt + r] = from[r * ldf + c]. */
static inline void t5_transpose_4x4(const float *from, int64_t ldf, float *to, int64_t ldt) {
#if defined(__x86_64__)
    __m128 r0 = _mm_loadu_ps(from), r1 = _mm_loadu_ps(from + ldf);
    __m128 r2 = _mm_loadu_ps(from + 2 * ldf), r3 = _mm_loadu_ps(from + 3 * ldf);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    _mm_storeu_ps(to, r0);
    _mm_storeu_ps(to + ldt, r1);
    _mm_storeu_ps(to + 2 * ldt, r2);
    _mm_storeu_ps(to + 3 * ldt, r3);
#else
    for (int c = 0; c < 4; c++)
        for (int r = 0; r < 4; r++)
            to[c * ldt + r] = from[r * ldf + c];
#endif
}

/* to (cols, rows) = from (rows, cols) transposed; rows and cols are multiples of 4. */
static inline void t5_transpose(const float *from, int64_t rows, int64_t cols, float *to) {
    for (int64_t r = 0; r < rows; r += 4)
        for (int64_t c = 0; c < cols; c += 4)
            t5_transpose_4x4(from + r * cols + c, cols, to + c * rows + r, rows);
}

#endif
