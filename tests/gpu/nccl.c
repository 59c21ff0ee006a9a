/* gpu_tests nccl: sums over the ranks by NCCL, against the sums that are known. Started by mpirun;
 * ranks may share the GPU. */
#include "mpi/nccl.h"
#include "device/device.h"
#include <stdio.h>
#include <stdlib.h>

enum { N = 100003, ROUNDS = 3, TIMEOUT = 60 };

/* Whole numbers: their sums are exact in any order. */
static float number(int64_t i, int rank) {
    return (float)((i * 7 + rank * 13) % 101);
}

static t5_status one_sum(t5_device *dev, t5_nccl *nccl, t5_comm *world, float *host, float *d_data,
                         t5_error *err) {
    const int rank = t5_comm_rank(world), size = t5_comm_size(world);
    for (int64_t i = 0; i < N; i++)
        host[i] = number(i, rank);
    dev->ops->to_device(dev, d_data, host, N * sizeof *host);
    t5_status status = t5_nccl_start(nccl, d_data, N, T5_SUM_F32, err);
    if (status == T5_OK)
        status = t5_nccl_join(nccl, err);
    if (status == T5_OK)
        status = t5_nccl_wait(nccl, err);
    if (status == T5_OK)
        status = dev->ops->to_host(dev, host, d_data, N * sizeof *host, err);
    for (int64_t i = 0; i < N && status == T5_OK; i++) {
        float sum = 0;
        for (int r = 0; r < size; r++)
            sum += number(i, r);
        if (!(host[i] == sum))
            status = t5_fail(err, T5_ERR_NUMERIC, "element %d: the sum is %g, it should be %g",
                             (int)i, (double)host[i], (double)sum);
    }
    return status;
}

static t5_status sums(t5_comm *world, t5_error *err) {
    const int gpus = t5_device_count_cuda();
    t5_device *dev = NULL;
    t5_nccl *nccl = NULL;
    void *d_data = NULL;
    float *host = malloc(N * sizeof *host);
    if (!host)
        t5_fail(err, T5_ERR_MEMORY, "out of memory");
    else if (t5_device_open_cuda(gpus > 0 ? t5_comm_local_rank(world) % gpus : 0, false, &dev,
                                 err) == T5_OK)
        dev->ops->alloc(dev, N * sizeof *host, &d_data, err);
    if (t5_comm_agree(world, err) != T5_OK ||
        t5_nccl_create(world, dev->stream, true, TIMEOUT, &nccl, err) != T5_OK)
        goto done;
    for (int i = 0; i < ROUNDS && err->status == T5_OK; i++)
        one_sum(dev, nccl, world, host, d_data, err);
    t5_comm_agree(world, err);
done:
    t5_nccl_destroy(nccl);
    if (dev)
        dev->ops->free(dev, d_data);
    t5_device_close(dev);
    free(host);
    return err->status;
}

int main(int argc, char **argv) {
    t5_comm *world = NULL;
    t5_error err = {0};
    if (t5_comm_start(&argc, &argv, &world, &err) == T5_OK && sums(world, &err) == T5_OK) {
        if (t5_comm_rank(world) == 0)
            printf("sums over %d rank%s are right\n", t5_comm_size(world),
                   t5_comm_size(world) == 1 ? "" : "s");
    } else {
        fprintf(stderr, "nccl: %s\n", err.text);
    }
    t5_comm_finish(world);
    return err.status == T5_OK ? 0 : 1;
}
