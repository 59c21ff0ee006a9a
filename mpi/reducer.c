#include "mpi/reducer.h"
#include "mpi/nccl.h"
#include <stdlib.h>

struct t5_reducer {
    t5_comm *group;
    t5_nccl *nccl; /* NULL: host memory */
    double timeout;
};

t5_status t5_reducer_create(t5_comm *group, void *stream, double timeout, t5_reducer **reducer,
                            t5_error *err) {
    t5_reducer *r = calloc(1, sizeof *r);
    *reducer = NULL;
    if (!r)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the sum of gradients");
    if (t5_comm_agree(group, err) != T5_OK) {
        free(r);
        return err->status;
    }
    r->group = group;
    r->timeout = timeout;
    if (stream && t5_comm_size(group) > 1 &&
        t5_nccl_create(group, stream, &r->nccl, err) != T5_OK) {
        t5_reducer_destroy(r);
        return err->status;
    }
    *reducer = r;
    return T5_OK;
}

void t5_reducer_destroy(t5_reducer *r) {
    if (!r)
        return;
    t5_nccl_destroy(r->nccl);
    free(r);
}

t5_status t5_reducer_sum(t5_reducer *r, float *data, int64_t n, t5_error *err) {
    if (t5_comm_size(r->group) == 1)
        return T5_OK;
    return r->nccl ? t5_nccl_sum(r->nccl, data, n, r->timeout, err)
                   : t5_comm_sum_float(r->group, data, n, err);
}
