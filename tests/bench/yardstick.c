#include "bench.h"

#include <stdlib.h>
#include <string.h>

/* Large enough that the copy fits no cache, and that starting the threads, or waiting for a GPU,
 * does not count. */
enum { SIDE_HOST = 2048, SIDE_GPU = 8192, ROUNDS = 2, REPEATS_GPU = 8 };
static const size_t copy_bytes = (size_t)384 << 20;

struct bench_yardstick {
    t5_device *dev;
    int threads, side;
    int repeats; /* products or copies that are waited for at once */
    t5_mat a, b, c;
    void *d_src, *d_dst;
    double flops, bytes;
};

static t5_status matrix(t5_device *dev, t5_dtype type, int side, t5_mat *m, t5_error *err) {
    *m = (t5_mat){.type = type, .rows = side, .cols = side, .ld = side};
    return dev->ops->alloc(dev, (size_t)side * (size_t)side * t5_dtype_size(type), &m->p, err);
}

/* Small distinct values, exact in bfloat16: products of zeros can be faster than those of numbers.
 */
static t5_status fill(t5_device *dev, t5_mat m, t5_error *err) {
    const size_t n = (size_t)m.rows * (size_t)m.cols, bytes = n * sizeof(float);
    float *host = malloc(bytes);
    void *d_f32 = NULL;
    t5_status status = T5_ERR_MEMORY;
    if (!host) {
        t5_fail(err, status, "out of memory for the yardstick");
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        host[i] = (float)((int)(i * 7 % 31) - 15) / 16;
    if (m.type == T5_F32) {
        dev->ops->to_device(dev, m.p, host, bytes);
    } else {
        status = dev->ops->alloc(dev, bytes, &d_f32, err);
        if (status != T5_OK)
            goto done;
        dev->ops->to_device(dev, d_f32, host, bytes);
        dev->ops->cast(dev, d_f32, m.p, (int64_t)n);
    }
    status = dev->ops->sync(dev, err);
done:
    dev->ops->free(dev, d_f32);
    free(host);
    return status;
}

t5_status bench_yardstick_create(t5_device *dev, int threads, bool bf16, int side,
                                 bench_yardstick **out, t5_error *err) {
    const t5_dtype type = bf16 ? T5_BF16 : T5_F32;
    bench_yardstick *y = calloc(1, sizeof *y);
    t5_status status = T5_ERR_MEMORY;
    *out = NULL;
    if (!y)
        return t5_fail(err, status, "out of memory for the yardstick");
    y->dev = dev;
    y->threads = threads;
    y->side = side > 0 ? side : dev->host_memory ? SIDE_HOST : SIDE_GPU;
    y->repeats = dev->host_memory ? 1 : REPEATS_GPU;
    if ((status = matrix(dev, type, y->side, &y->a, err)) != T5_OK ||
        (status = matrix(dev, type, y->side, &y->b, err)) != T5_OK ||
        (status = matrix(dev, type, y->side, &y->c, err)) != T5_OK ||
        (status = fill(dev, y->a, err)) != T5_OK || (status = fill(dev, y->b, err)) != T5_OK)
        goto done;
    if ((status = dev->ops->alloc(dev, copy_bytes, &y->d_src, err)) != T5_OK ||
        (status = dev->ops->alloc(dev, copy_bytes, &y->d_dst, err)) != T5_OK)
        goto done;
    /* a page never written is one page of zeros, in the cache */
    dev->ops->zero(dev, y->d_src, copy_bytes);
    dev->ops->zero(dev, y->d_dst, copy_bytes);
    if ((status = dev->ops->sync(dev, err)) != T5_OK)
        goto done;
    *out = y;
    y = NULL;
done:
    bench_yardstick_destroy(y);
    return status;
}

void bench_yardstick_destroy(bench_yardstick *y) {
    if (!y)
        return;
    y->dev->ops->free(y->dev, y->a.p);
    y->dev->ops->free(y->dev, y->b.p);
    y->dev->ops->free(y->dev, y->c.p);
    y->dev->ops->free(y->dev, y->d_src);
    y->dev->ops->free(y->dev, y->d_dst);
    free(y);
}

/* Each thread copies one consecutive part: memcpy's non-temporal stores make this the fastest copy.
 */
static void copy_in_threads(bench_yardstick *y) {
    char *dst = y->d_dst;
    const char *src = y->d_src;
    const size_t part = copy_bytes / (size_t)y->threads;
#pragma omp parallel for num_threads(y->threads) schedule(static, 1)
    for (int t = 0; t < y->threads; t++)
        memcpy(dst + (size_t)t * part, src + (size_t)t * part, part);
}

static void keep_best(double *best, double rate) {
    if (rate > *best)
        *best = rate;
}

/* Seconds of one product or copy, all waited for. */
static t5_status time_products(bench_yardstick *y, double *seconds, t5_error *err) {
    const double begin = bench_now();
    for (int i = 0; i < y->repeats; i++)
        y->dev->ops->matmul(y->dev, false, y->a, false, y->b, 1, 0, y->c);
    const t5_status status = y->dev->ops->sync(y->dev, err);
    *seconds = (bench_now() - begin) / y->repeats;
    return status;
}

static t5_status time_copies(bench_yardstick *y, double *seconds, t5_error *err) {
    const double begin = bench_now();
    for (int i = 0; i < y->repeats; i++)
        y->dev->ops->copy(y->dev, y->d_dst, y->d_src, copy_bytes);
    const t5_status status = y->dev->ops->sync(y->dev, err);
    *seconds = (bench_now() - begin) / y->repeats;
    return status;
}

t5_status bench_yardstick_measure(bench_yardstick *y, t5_error *err) {
    const double side = y->side;
    for (int i = 0; i < ROUNDS; i++) {
        double seconds = 0;
        t5_status status = time_products(y, &seconds, err);
        if (status != T5_OK)
            return status;
        keep_best(&y->flops, 2.0 * side * side * side / seconds);
        if ((status = time_copies(y, &seconds, err)) != T5_OK)
            return status;
        keep_best(&y->bytes, 2.0 * (double)copy_bytes / seconds);
        if (!y->dev->host_memory)
            continue;
        const double begin = bench_now();
        copy_in_threads(y);
        keep_best(&y->bytes, 2.0 * (double)copy_bytes / (bench_now() - begin));
    }
    return T5_OK;
}

double bench_yardstick_flops(const bench_yardstick *y) {
    return y->flops;
}
double bench_yardstick_bytes(const bench_yardstick *y) {
    return y->bytes;
}
