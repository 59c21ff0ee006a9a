/* Memory, the sticky error, opening and closing, and the relative position buckets. */
#include "device/conformance.h"

static void test_open_refuses(t5_device *dev) {
    t5_device *other = dev;
    t5_error err = {0};
    const conformance_backend *backend = &conformance_backend_under_test;
    assert_int_equal(backend->open_wrong(&other, &err), backend->wrong);
    assert_null(other);
    assert_non_null(strstr(err.text, backend->wrong_text));
    t5_device_close(NULL);
}

static void test_alloc_fails(t5_device *dev) {
    void *p = dev;
    t5_error err = {0};
    assert_int_equal(dev->ops->alloc(dev, SIZE_MAX - 100, &p, &err), T5_ERR_MEMORY);
    assert_null(p);
    assert_non_null(strstr(err.text, "18446744073709551515"));
    err = (t5_error){0};
    assert_int_equal(dev->ops->alloc(dev, SIZE_MAX / 4, &p, &err), T5_ERR_MEMORY);
    dev->ops->free(dev, NULL);
    assert_int_equal(dev->peak, 0);
}

static void test_alloc(t5_device *dev) {
    static const size_t sizes[] = {0, 1, 63, 64, 4097, (1 << 20) - 1, 1 << 20, (5 << 20) + 1};
    enum { N = sizeof sizes / sizeof *sizes };
    void *p[N];
    size_t total = 0;
    t5_error err = {0};
    for (int i = 0; i < N; i++) {
        assert_int_equal(dev->ops->alloc(dev, sizes[i], &p[i], &err), T5_OK);
        assert_int_equal((uintptr_t)p[i] % 64, 0);
        char *bytes = malloc(sizes[i] + 1);
        host_read(dev, bytes, p[i], sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(bytes[j], 0);
        memset(bytes, i + 1, sizes[i]);
        dev->ops->to_device(dev, p[i], bytes, sizes[i]);
        free(bytes);
        total += sizes[i];
        assert_int_equal(dev->allocated, total);
    }
    for (int i = 1; i < N; i++) { /* nobody wrote over another */
        char ends[2];
        host_read(dev, &ends[0], p[i], 1);
        host_read(dev, &ends[1], (char *)p[i] + sizes[i] - 1, 1);
        assert_true(ends[0] == i + 1 && ends[1] == i + 1);
    }
    for (int i = 0; i < N; i++)
        dev->ops->free(dev, p[i]);
    assert_int_equal(dev->peak, total);
}

static void test_copy_and_zero(t5_device *dev) {
    enum { N = 600001 };
    char *a = malloc(N), *b = malloc(N);
    for (int i = 0; i < N; i++)
        a[i] = (char)(i % 251);
    char *x = device_copy(dev, a, N), *y = device_alloc(dev, N);
    dev->ops->copy(dev, y, x, N);
    dev->ops->zero(dev, x + 1, N - 2);
    dev->ops->copy(dev, y, x, 0);
    dev->ops->zero(dev, y, 0);
    host_read(dev, b, y, N);
    assert_memory_equal(a, b, N);
    host_read(dev, b, x, N);
    assert_true(b[0] == a[0] && b[N - 1] == a[N - 1]);
    for (int i = 1; i < N - 1; i++)
        assert_int_equal(b[i], 0);
    dev->ops->free(dev, x), dev->ops->free(dev, y);
    free(a), free(b);
}

/* After a failure nothing runs until it was reported, once. */
static void check_sticks(t5_device *dev, float *x, t5_status status, const char *text) {
    float got = 0.0f;
    t5_error err = {0};
    dev->ops->zero(dev, x, sizeof *x);
    assert_int_equal(dev->ops->sync(dev, &err), status);
    assert_non_null(strstr(err.text, text));
    assert_int_equal(dev->ops->sync(dev, &err), T5_OK);
    host_read(dev, &got, x, sizeof got);
    assert_true(got == 1.0f);
}

static void test_sticky(t5_device *dev) {
    float one[64] = {1.0f};
    float *x = device_copy(dev, one, sizeof one);
    t5_mat overlapping = {x, T5_F32, 8, 8, 1}, c = {x, T5_F32, 8, 8, 8};
    dev->ops->matmul(dev, false, overlapping, false, c, 1.0f, 0.0f, c);
    check_sticks(dev, x, T5_ERR_DEVICE, conformance_backend_under_test.products);
    conformance_backend_under_test.exhaust(dev, x);
    check_sticks(dev, x, T5_ERR_MEMORY, "scratch");
    dev->ops->free(dev, x);
}

static void test_info(t5_device *dev) {
    assert_string_equal(dev->ops->name, conformance_backend_under_test.name);
    assert_non_null(strstr(dev->info, conformance_backend_under_test.info));
}

/* Where the bucket of increasing distance changes, as Transformers computes it (32 buckets, 128).
 */
static void test_buckets(t5_device *dev) {
    static const int both[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91};
    static const int causal[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                 16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113};
    (void)dev;
    for (int distance = 0, b = 0, c = 0; distance < 3000; distance++) {
        while (b + 1 < 16 && both[b + 1] <= distance)
            b++;
        while (c + 1 < 32 && causal[c + 1] <= distance)
            c++;
        assert_int_equal(t5_relative_bucket(-distance, true, 32, 128), b);
        assert_int_equal(t5_relative_bucket(distance, true, 32, 128), distance ? b + 16 : 0);
        assert_int_equal(t5_relative_bucket(-distance, false, 32, 128), c);
        assert_int_equal(t5_relative_bucket(distance, false, 32, 128), 0);
    }
}

int main(void) {
    static const conformance_test tests[] = {
        {"opening refuses", test_open_refuses},
        {"an allocation fails", test_alloc_fails},
        {"an error sticks", test_sticky},
        {"allocations", test_alloc},
        {"copy and zero", test_copy_and_zero},
        {"information", test_info},
        {"relative position buckets", test_buckets},
    };
    return conformance_main(tests, (int)(sizeof tests / sizeof *tests));
}
