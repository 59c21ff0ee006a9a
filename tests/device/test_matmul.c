/* Matrix products: every transposition, type, leading dimension, accumulation and empty shape. */
#include "device/conformance.h"

typedef struct shape {
    int64_t m, n, k;
} shape;

static double *product(const double *a, bool ta, const double *b, bool tb, double alpha,
                       double beta, const double *c, shape s) {
    double *out = malloc((size_t)(s.m * s.n) * sizeof *out + 1);
    assert_non_null(out);
    for (int64_t i = 0; i < s.m; i++)
        for (int64_t j = 0; j < s.n; j++) {
            double sum = 0.0;
            for (int64_t l = 0; l < s.k; l++)
                sum +=
                    (ta ? a[l * s.m + i] : a[i * s.k + l]) * (tb ? b[j * s.k + l] : b[l * s.n + j]);
            out[i * s.n + j] = alpha * sum + (beta != 0.0 ? beta * c[i * s.n + j] : 0.0);
        }
    return out;
}

static void check(t5_device *dev, shape s, bool ta, bool tb, t5_dtype type, t5_dtype c_type,
                  float alpha, float beta, int64_t gap) {
    double *av, *bv, *cv;
    int64_t a_rows = ta ? s.k : s.m, a_cols = ta ? s.m : s.k;
    int64_t b_rows = tb ? s.n : s.k, b_cols = tb ? s.k : s.n;
    t5_mat a = matrix(dev, type, a_rows, a_cols, a_cols + gap, 1.0, 1, &av);
    t5_mat b = matrix(dev, type, b_rows, b_cols, b_cols + 2 * gap, 1.0, 2, &bv);
    t5_mat c = matrix(dev, c_type, s.m, s.n, s.n + gap, 1.0, 3, &cv);
    t5_mat again = matrix(dev, c_type, s.m, s.n, s.n + gap, 1.0, 3, NULL);
    double *want = product(av, ta, bv, tb, (double)alpha, (double)beta, cv, s);
    dev->ops->matmul(dev, ta, a, tb, b, alpha, beta, c);
    assert_matrix(dev, "product", want, c);
    dev->ops->matmul(dev, ta, a, tb, b, alpha, beta, again);
    assert_same_bits(dev, "product", c, again);
    dev->ops->free(dev, a.p), dev->ops->free(dev, b.p);
    dev->ops->free(dev, c.p), dev->ops->free(dev, again.p);
    free(av), free(bv), free(cv), free(want);
}

static void check_shapes(t5_device *dev, t5_dtype type, t5_dtype c_type) {
    static const shape shapes[] = {{0, 5, 3}, {5, 0, 3},   {5, 3, 0},  {1, 1, 1},   {1, 48, 32},
                                   {7, 1, 9}, {48, 32, 1}, {3, 5, 70}, {65, 48, 33}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int mode = 0; mode < 16; mode++) {
            float alpha = mode & 4 ? 0.125f : 1.0f, beta = mode & 8 ? 1.0f : 0.0f;
            check(dev, shapes[i], mode & 1, mode & 2, type, c_type, alpha, beta, mode % 3);
        }
}

static void test_f32(t5_device *dev) {
    check_shapes(dev, T5_F32, T5_F32);
}

static void test_bf16(t5_device *dev) {
    if (!dev->has_bf16)
        skip();
    check_shapes(dev, T5_BF16, T5_BF16);
    check_shapes(dev, T5_BF16, T5_F32);
}

/* beta 0 overwrites whatever was there. */
static void test_overwrites_nan(t5_device *dev) {
    double *av, *bv;
    t5_mat a = matrix(dev, T5_F32, 20, 8, 8, 1.0, 1, &av);
    t5_mat b = matrix(dev, T5_F32, 8, 16, 16, 1.0, 2, &bv);
    t5_mat c = matrix(dev, T5_F32, 20, 16, 16, 1.0, 3, NULL);
    float nan[20 * 16];
    for (int i = 0; i < 20 * 16; i++)
        nan[i] = NAN;
    dev->ops->to_device(dev, c.p, nan, sizeof nan);
    double *want = product(av, false, bv, false, 1.0, 0.0, NULL, (shape){20, 16, 8});
    dev->ops->matmul(dev, false, a, false, b, 1.0f, 0.0f, c);
    assert_matrix(dev, "product", want, c);
    dev->ops->free(dev, a.p), dev->ops->free(dev, b.p), dev->ops->free(dev, c.p);
    free(av), free(bv), free(want);
}

/* Large enough for primitives of their own (cpu_matmul.c). */
static void test_large(t5_device *dev) {
    static const shape s = {65, 801, 1000};
    for (int mode = 0; mode < 4; mode++) {
        float alpha = mode & 1 ? 0.3f : 1.0f, beta = mode & 2 ? 1.0f : 0.0f;
        check(dev, s, false, true, T5_F32, T5_F32, alpha, beta, 3);
    }
    check(dev, s, true, false, T5_F32, T5_F32, 0.3f, 1.0f, 3);
    if (!dev->has_bf16)
        return;
    check(dev, s, false, true, T5_BF16, T5_BF16, 1.0f, 0.0f, 3);
    check(dev, s, true, false, T5_BF16, T5_F32, 0.3f, 1.0f, 3);
}

/* More different products than the table holds: every one is right, also when it comes back. */
static void test_many(t5_device *dev) {
    for (int round = 0; round < 2; round++)
        for (int i = 1; i <= 700; i++)
            check(dev, (shape){3, 2, 2}, false, false, T5_F32, T5_F32, (float)i / 256.0f, 0.0f, 0);
}

int main(void) {
    static const conformance_test tests[] = {
        {"float32 products", test_f32},
        {"bfloat16 products", test_bf16},
        {"beta 0 overwrites NaN", test_overwrites_nan},
        {"large products", test_large},
        {"more products than the table holds", test_many},
    };
    return conformance_main(tests, (int)(sizeof tests / sizeof *tests));
}
