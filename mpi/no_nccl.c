/* In place of nccl.c, in a program that was built without CUDA: none of it can be had. */
#include "mpi/nccl.h"

static t5_status without(t5_error *err) {
    return t5_fail(err, T5_ERR_COMM, "this program was built without CUDA, and so without NCCL");
}

t5_status t5_nccl_create(t5_comm *group, void *stream, bool connect, double timeout, t5_nccl **nccl,
                         t5_error *err) {
    (void)group, (void)stream, (void)connect, (void)timeout;
    *nccl = 0;
    return without(err);
}

void t5_nccl_destroy(t5_nccl *nccl) {
    (void)nccl;
}

t5_status t5_nccl_start(t5_nccl *nccl, void *d_data, int64_t n, t5_sum_type type, t5_error *err) {
    (void)nccl, (void)d_data, (void)n, (void)type;
    return without(err);
}

t5_status t5_nccl_join(t5_nccl *nccl, t5_error *err) {
    (void)nccl;
    return without(err);
}

t5_status t5_nccl_wait(t5_nccl *nccl, t5_error *err) {
    (void)nccl;
    return without(err);
}
