#include "bench.h"

#include <stdlib.h>
#include <string.h>

/* Large enough that neither fits a cache and that starting the threads does not count. */
enum { SIDE = 2048, REPEATS = 2 };
static const size_t copy_bytes = (size_t)384 << 20;

struct bench_yardstick {
    t5_device *dev;
    int threads;
    t5_mat a, b, c;
    char *src, *dst;
    double flops, bytes;
};

static t5_status matrix(t5_device *dev, t5_dtype type, t5_mat *m, t5_error *err) {
    *m = (t5_mat){.type = type, .rows = SIDE, .cols = SIDE, .ld = SIDE};
    return dev->ops->alloc(dev, SIDE * SIDE * t5_dtype_size(type), &m->p, err);
}

/* Small distinct values, exact in bfloat16: products of zeros can be faster than those of numbers.
 */
static t5_status fill(t5_device *dev, t5_mat m, t5_error *err) {
    float *host = malloc(SIDE * SIDE * sizeof *host);
    void *d_f32 = NULL;
    t5_status status = T5_ERR_MEMORY;
    if (!host) {
        t5_fail(err, status, "out of memory for the yardstick");
        goto done;
    }
    for (int i = 0; i < SIDE * SIDE; i++)
        host[i] = (float)(i * 7 % 31 - 15) / 16;
    if (m.type == T5_F32) {
        dev->ops->to_device(dev, m.p, host, SIDE * SIDE * sizeof *host);
    } else {
        status = dev->ops->alloc(dev, SIDE * SIDE * sizeof *host, &d_f32, err);
        if (status != T5_OK)
            goto done;
        dev->ops->to_device(dev, d_f32, host, SIDE * SIDE * sizeof *host);
        dev->ops->cast(dev, d_f32, m.p, (int64_t)SIDE * SIDE);
    }
    status = dev->ops->sync(dev, err);
done:
    dev->ops->free(dev, d_f32);
    free(host);
    return status;
}

t5_status bench_yardstick_create(t5_device *dev, int threads, bool bf16, bench_yardstick **out,
                                 t5_error *err) {
    const t5_dtype type = bf16 ? T5_BF16 : T5_F32;
    bench_yardstick *y = calloc(1, sizeof *y);
    t5_status status = T5_ERR_MEMORY;
    *out = NULL;
    if (!y)
        return t5_fail(err, status, "out of memory for the yardstick");
    y->dev = dev;
    y->threads = threads;
    if ((status = matrix(dev, type, &y->a, err)) != T5_OK ||
        (status = matrix(dev, type, &y->b, err)) != T5_OK ||
        (status = matrix(dev, type, &y->c, err)) != T5_OK ||
        (status = fill(dev, y->a, err)) != T5_OK || (status = fill(dev, y->b, err)) != T5_OK)
        goto done;
    y->src = malloc(copy_bytes);
    y->dst = malloc(copy_bytes);
    if (!y->src || !y->dst) {
        status = t5_fail(err, T5_ERR_MEMORY, "out of memory for the yardstick");
        goto done;
    }
    memset(y->src, 1, copy_bytes); /* a page never written is one page of zeros, in the cache */
    memset(y->dst, 2, copy_bytes);
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
    free(y->src);
    free(y->dst);
    free(y);
}

/* Each thread copies one consecutive part: memcpy's non-temporal stores make this the fastest copy.
 */
static void copy_in_threads(bench_yardstick *y) {
    const size_t part = copy_bytes / (size_t)y->threads;
#pragma omp parallel for num_threads(y->threads) schedule(static, 1)
    for (int t = 0; t < y->threads; t++)
        memcpy(y->dst + (size_t)t * part, y->src + (size_t)t * part, part);
}

static void keep_best(double *best, double rate) {
    if (rate > *best)
        *best = rate;
}

t5_status bench_yardstick_measure(bench_yardstick *y, t5_error *err) {
    t5_device *dev = y->dev;
    for (int i = 0; i < REPEATS; i++) {
        double begin = bench_now();
        dev->ops->matmul(dev, false, y->a, false, y->b, 1, 0, y->c);
        t5_status status = dev->ops->sync(dev, err);
        if (status != T5_OK)
            return status;
        keep_best(&y->flops, 2.0 * SIDE * SIDE * SIDE / (bench_now() - begin));

        begin = bench_now();
        copy_in_threads(y);
        keep_best(&y->bytes, 2.0 * (double)copy_bytes / (bench_now() - begin));
        begin = bench_now();
        dev->ops->copy(dev, y->dst, y->src, copy_bytes);
        if ((status = dev->ops->sync(dev, err)) != T5_OK)
            return status;
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
