/* Conformance tests of a device: each test is a function of a device, and runs on every device of
 * the backend under test that this machine has. Which backend that is is decided by what the test
 * is linked with: backend_cpu.c or backend_cuda.c. The expected values are plain double-precision
 * formulas written in the tests; backward operations are held against central differences of them.
 */
#ifndef T5_TESTS_DEVICE_CONFORMANCE_H
#define T5_TESTS_DEVICE_CONFORMANCE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "device/device.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct conformance_test {
    const char *name;
    void (*run)(t5_device *dev);
} conformance_test;

/* --- inputs --- */

/* Uniform in (-1, 1), by number: no state. */
static inline double noise(uint32_t stream, int64_t i) {
    uint32_t out[4];
    t5_philox((uint32_t[4]){stream, (uint32_t)i, (uint32_t)(i >> 32), 77}, (uint32_t[2]){1, 2},
              out);
    return 2.0 * t5_uniform(out[0]) - 1.0;
}

static inline void *device_alloc(t5_device *dev, size_t bytes) {
    void *p = NULL;
    t5_error err = {0};
    assert_int_equal(dev->ops->alloc(dev, bytes ? bytes : 1, &p, &err), T5_OK);
    return p;
}

static inline void *device_copy(t5_device *dev, const void *src, size_t bytes) {
    void *p = device_alloc(dev, bytes);
    dev->ops->to_device(dev, p, src, bytes);
    return p;
}

static inline void host_read(t5_device *dev, void *dst, const void *src, size_t bytes) {
    t5_error err = {0};
    if (dev->ops->to_host(dev, dst, src, bytes, &err) != T5_OK)
        fail_msg("%s", err.text);
}

static inline float bf16_value(uint16_t bits) {
    uint32_t u = (uint32_t)bits << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint16_t bf16_bits(float value) {
    uint32_t u;
    memcpy(&u, &value, sizeof u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

/* A matrix on the device with the values f(i * cols + j), as its type holds them; between the rows
 * (ld > cols) lies 999, which nobody may touch. values: the same in double, (rows, cols), malloc.
 */
static inline t5_mat matrix(t5_device *dev, t5_dtype type, int64_t rows, int64_t cols, int64_t ld,
                            double scale, uint32_t stream, double **values) {
    size_t n = (size_t)(rows * ld), size = t5_dtype_size(type);
    char *host = malloc(n * size + 1);
    double *v = malloc((size_t)(rows * cols + 1) * sizeof *v);
    assert_true(host && v);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < ld; j++) {
            float x = j < cols ? (float)(scale * noise(stream, i * cols + j)) : 999.0f;
            uint16_t bits = bf16_bits(x);
            if (type == T5_BF16)
                x = bf16_value(bits);
            const void *from = type == T5_F32 ? (void *)&x : (void *)&bits;
            memcpy(host + (size_t)(i * ld + j) * size, from, size);
            if (j < cols)
                v[i * cols + j] = (double)x;
        }
    t5_mat m = {device_copy(dev, host, n * size), type, rows, cols, ld};
    free(host);
    if (values)
        *values = v;
    else
        free(v);
    return m;
}

/* The values of a matrix, (rows, cols), malloc; checks that nothing lies between the rows but 999.
 */
static inline double *values_of(t5_device *dev, t5_mat m) {
    size_t n = (size_t)(m.rows * m.ld), size = t5_dtype_size(m.type);
    char *host = malloc(n * size + 1);
    double *v = malloc((size_t)(m.rows * m.cols + 1) * sizeof *v);
    assert_true(host && v);
    host_read(dev, host, m.p, n * size);
    for (int64_t i = 0; i < m.rows; i++)
        for (int64_t j = 0; j < m.ld; j++) {
            float x;
            uint16_t bits;
            const char *at = host + (size_t)(i * m.ld + j) * size;
            if (m.type == T5_F32) {
                memcpy(&x, at, sizeof x);
            } else {
                memcpy(&bits, at, sizeof bits);
                x = bf16_value(bits);
            }
            if (j < m.cols)
                v[i * m.cols + j] = (double)x;
            else
                assert_true(x == 999.0f || x == bf16_value(bf16_bits(999.0f)));
        }
    free(host);
    return v;
}

static inline double *vector_values(t5_device *dev, const float *d_x, int64_t n) {
    return values_of(dev, (t5_mat){(void *)(uintptr_t)d_x, T5_F32, n > 0, n, n});
}

/* --- comparison --- */

/* |got - want| <= tolerance |want| as vectors, and no element off by more than 20 tolerances of the
 * largest: an error in one element of a large tensor shows too. */
static inline void assert_near(const char *what, const double *want, const double *got, int64_t n,
                               double tolerance) {
    double diff = 0.0, norm = 0.0, largest = 0.0, worst = 0.0;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs(got[i] - want[i]);
        if (!(d <= worst))
            worst = d, at = i;
        diff += d * d;
        norm += want[i] * want[i];
        if (fabs(want[i]) > largest)
            largest = fabs(want[i]);
    }
    bool near = sqrt(diff) <= tolerance * sqrt(norm) && worst <= 20.0 * tolerance * largest;
    if (!near)
        fail_msg("%s: relative error %.3g, allowed %.3g; element %lld is %.9g, expected %.9g", what,
                 sqrt(diff / norm), tolerance, (long long)at, got[at], want[at]);
}

/* assert_near of a device matrix. float32 or bfloat16 results of double formulas. */
static inline void assert_matrix(t5_device *dev, const char *what, const double *want, t5_mat m) {
    double *got = values_of(dev, m);
    assert_near(what, want, got, m.rows * m.cols, m.type == T5_F32 ? 2e-6 : 4e-3);
    free(got);
}

static inline void assert_same_bits(t5_device *dev, const char *what, t5_mat x, t5_mat y) {
    size_t bytes = (size_t)(x.rows * x.ld) * t5_dtype_size(x.type);
    char *a = malloc(bytes + 1), *b = malloc(bytes + 1);
    assert_true(a && b);
    host_read(dev, a, x.p, bytes);
    host_read(dev, b, y.p, bytes);
    if (memcmp(a, b, bytes) != 0)
        fail_msg("%s: not the same bits when run again", what);
    free(a);
    free(b);
}

/* --- dropout --- */

enum { DROPOUT_STEP = 3 };

static inline double kept(t5_dropout drop, const uint32_t *tok, int64_t token, uint32_t j) {
    if (drop.p == 0.0f)
        return 1.0;
    uint32_t out[4];
    t5_philox((uint32_t[4]){drop.site, tok[2 * token], tok[2 * token + 1], j / 4},
              (uint32_t[2]){drop.seed, DROPOUT_STEP}, out);
    return out[j % 4] < (uint32_t)((double)drop.p * 4294967296.0) ? 0.0
                                                                  : 1.0 / (1.0 - (double)drop.p);
}

/* A dropout of rate p over n tokens; tok: the same numbers on the host, malloc. On the device the
 * step lies behind them. */
static inline t5_dropout dropout(t5_device *dev, float p, uint32_t site, int64_t n,
                                 uint32_t **tok) {
    const size_t numbers = (size_t)n * 2;
    uint32_t *t = malloc((numbers + 1) * sizeof *t);
    assert_non_null(t);
    for (int64_t i = 0; i < n; i++) {
        t[2 * i] = (uint32_t)(1000 + 7 * i);
        t[2 * i + 1] = (uint32_t)(i % 5);
    }
    t[numbers] = DROPOUT_STEP;
    *tok = t;
    const uint32_t *d_tok = device_copy(dev, t, (numbers + 1) * sizeof *t);
    return (t5_dropout){
        .p = p, .seed = 42, .site = site, .d_step = d_tok + numbers, .d_tok = d_tok};
}

static inline void dropout_free(t5_device *dev, t5_dropout drop, uint32_t *tok) {
    dev->ops->free(dev, (void *)(uintptr_t)drop.d_tok);
    free(tok);
}

/* --- central differences --- */

typedef double loss_function(const void *context);

/* d loss / d x[at[i]] for i < n; x is what the context's loss reads. */
static inline void differences(loss_function *loss, const void *context, double *x,
                               const int64_t *at, int64_t n, double *slope) {
    for (int64_t i = 0; i < n; i++) {
        double *p = &x[at[i]], before = *p, step = 1e-4 * (fabs(before) > 1.0 ? fabs(before) : 1.0);
        *p = before + step;
        double up = loss(context);
        *p = before - step;
        double down = loss(context);
        *p = before;
        slope[i] = (up - down) / (2.0 * step);
    }
}

/* Holds a gradient of n elements against differences: all of them, or `most` spread evenly. */
static inline void assert_gradient(const char *what, loss_function *loss, const void *context,
                                   double *x, const double *gradient, int64_t n, int64_t most,
                                   double tolerance) {
    int64_t count = n < most ? n : most;
    if (count == 0)
        return;
    int64_t *at = malloc((size_t)count * sizeof *at);
    double *want = malloc((size_t)count * sizeof *want), *got = malloc((size_t)count * sizeof *got);
    assert_true(at && want && got);
    for (int64_t i = 0; i < count; i++) {
        at[i] = i * n / count;
        got[i] = gradient[at[i]];
    }
    differences(loss, context, x, at, count, want);
    assert_near(what, want, got, count, tolerance);
    free(at);
    free(want);
    free(got);
}

/* --- the backend under test --- */

typedef struct conformance_backend {
    const char *name, *info; /* of its table; what its devices say of themselves, in part */
    int (*devices)(void);    /* how many the tests run on */
    t5_status (*open)(int i, t5_device **dev, t5_error *err);
    void (*describe)(int i, char *text, size_t size);
    /* opening a device that there cannot be, the status and a part of the text */
    t5_status (*open_wrong)(t5_device **dev, t5_error *err);
    t5_status wrong;
    const char *wrong_text;
    const char *products; /* the library that refuses a matrix whose rows overlap */
    /* an operation for whose work memory there is no room; x: one element of device memory */
    void (*exhaust)(t5_device *dev, float *x);
} conformance_backend;

extern const conformance_backend conformance_backend_under_test;

typedef struct conformance_variant {
    int device;
    const conformance_test *test;
    char name[128];
} conformance_variant;

static inline void conformance_run(void **state) {
    const conformance_variant *v = *state;
    t5_device *dev = NULL;
    t5_error err = {0};
    if (conformance_backend_under_test.open(v->device, &dev, &err) != T5_OK)
        fail_msg("%s", err.text);
    v->test->run(dev);
    if (dev->ops->sync(dev, &err) != T5_OK)
        fail_msg("%s", err.text);
    assert_int_equal(dev->allocated, 0);
    t5_device_close(dev);
}

/* Runs the tests on every device. Returns main's exit status. */
static inline int conformance_main(const conformance_test *tests, int n_tests) {
    const conformance_backend *backend = &conformance_backend_under_test;
    int n_devices = backend->devices(), n = 0;
    size_t most = (size_t)(n_tests * n_devices);
    conformance_variant *variants = calloc(most, sizeof *variants);
    struct CMUnitTest *units = calloc(most, sizeof *units);
    if (!variants || !units || n_devices < 1)
        return 1;
    for (int d = 0; d < n_devices; d++)
        for (int i = 0; i < n_tests; i++, n++) {
            char device[64];
            backend->describe(d, device, sizeof device);
            variants[n] = (conformance_variant){d, &tests[i], ""};
            snprintf(variants[n].name, sizeof variants[n].name, "%s: %s", device, tests[i].name);
            units[n] =
                (struct CMUnitTest){variants[n].name, conformance_run, NULL, NULL, &variants[n]};
        }
    int failed = _cmocka_run_group_tests("device", units, (size_t)n, NULL, NULL);
    free(units);
    free(variants);
    return failed != 0;
}

#endif
