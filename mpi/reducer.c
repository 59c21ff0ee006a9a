#include "mpi/reducer.h"
#include "mpi/nccl.h"
#include <assert.h>
#include <stdlib.h>

struct t5_reducer {
    t5_comm *group;
    t5_nccl *nccl; /* NULL: host memory */
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
    if (stream && t5_nccl_create(group, stream, t5_comm_size(group) > 1, timeout, &r->nccl, err)) {
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

bool t5_reducer_is_queued(const t5_reducer *r) {
    return r->nccl != NULL;
}

t5_status t5_reducer_sum(t5_reducer *r, float *data, int64_t n, t5_error *err) {
    assert(!r->nccl);
    return t5_comm_sum_float(r->group, data, n, err);
}

t5_status t5_reducer_start(t5_reducer *r, void *d_data, int64_t n, t5_sum_type type,
                           t5_error *err) {
    assert(r->nccl);
    return t5_nccl_start(r->nccl, d_data, n, type, err);
}

t5_status t5_reducer_join(t5_reducer *r, t5_error *err) {
    assert(r->nccl);
    return t5_nccl_join(r->nccl, err);
}

t5_status t5_reducer_wait(t5_reducer *r, t5_error *err) {
    assert(r->nccl);
    return t5_nccl_wait(r->nccl, err);
}
