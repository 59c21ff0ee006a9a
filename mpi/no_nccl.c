/* In place of nccl.c, in a program that was built without CUDA. */
#include "mpi/nccl.h"

t5_status t5_nccl_create(t5_comm *group, void *stream, t5_nccl **nccl, t5_error *err) {
    (void)group, (void)stream;
    *nccl = 0;
    return t5_fail(err, T5_ERR_COMM, "this program was built without CUDA, and so without NCCL");
}

void t5_nccl_destroy(t5_nccl *nccl) {
    (void)nccl;
}

t5_status t5_nccl_sum(t5_nccl *nccl, float *d_data, int64_t n, double timeout, t5_error *err) {
    (void)nccl, (void)d_data, (void)n, (void)timeout;
    return t5_fail(err, T5_ERR_COMM, "this program was built without NCCL");
}
