/* The emulated NCCL under mpirun: all ranks, halves at the same time, and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cuda_runtime_api.h>
#include <mpi.h>
#include <nccl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) assert_int_equal(call, 0)

static int rank, size;

/* A communicator of the ranks r with r % groups == rank % groups. */
static ncclComm_t join(int groups) {
    ncclUniqueId id;
    ncclComm_t comm;
    int color = rank % groups, members = (size - color + groups - 1) / groups;
    MPI_Comm part;
    memset(&id, 0, sizeof id);
    MPI_Comm_split(MPI_COMM_WORLD, color, rank, &part);
    if (rank == color)
        OK(ncclGetUniqueId(&id));
    MPI_Bcast(&id, sizeof id, MPI_BYTE, 0, part);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    OK(ncclCommInitRankConfig(&comm, members, id, rank / groups, &config));
    MPI_Comm_free(&part);
    int n, r;
    OK(ncclCommCount(comm, &n)), OK(ncclCommUserRank(comm, &r));
    assert_true(n == members && r == rank / groups);
    return comm;
}

static float value_of(uint16_t h) {
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

enum { COUNT = 1000 };

static void check_sum(ncclComm_t comm, int groups, bool bf16, bool in_place) {
    float host[COUNT];
    uint16_t half[COUNT];
    void *d_in, *d_out;
    ncclDataType_t type = bf16 ? ncclBfloat16 : ncclFloat32;
    size_t bytes = bf16 ? sizeof half : sizeof host;
    OK(cudaMalloc(&d_in, bytes)), OK(cudaMalloc(&d_out, bytes));
    for (int i = 0; i < COUNT; i++) {
        uint32_t u;
        host[i] = (float)(i % 32 + rank);
        memcpy(&u, &host[i], sizeof u);
        half[i] = (uint16_t)(u >> 16);
    }
    OK(cudaMemcpy(d_in, bf16 ? (void *)half : (void *)host, bytes, cudaMemcpyHostToDevice));
    void *to = in_place ? d_in : d_out;
    OK(ncclGroupStart());
    OK(ncclAllReduce(d_in, to, COUNT, type, ncclSum, comm, 0));
    OK(ncclGroupEnd());
    OK(cudaMemcpy(bf16 ? (void *)half : (void *)host, to, bytes, cudaMemcpyDeviceToHost));
    for (int i = 0; i < COUNT; i++) {
        float want = 0.0f;
        for (int r = rank % groups; r < size; r += groups)
            want += (float)(i % 32 + r);
        assert_true((bf16 ? value_of(half[i]) : host[i]) == want);
    }
    OK(cudaFree(d_in)), OK(cudaFree(d_out));
}

static void test_sums(void **state) {
    (void)state;
    for (int groups = 1; groups <= 2 && groups <= size; groups++) {
        ncclComm_t comm = join(groups);
        ncclResult_t later;
        for (int mode = 0; mode < 4; mode++)
            check_sum(comm, groups, mode & 1, mode & 2);
        OK(ncclCommGetAsyncError(comm, &later));
        assert_int_equal(later, ncclSuccess);
        OK(ncclCommDestroy(comm));
    }
}

static void test_refusals(void **state) {
    (void)state;
    ncclComm_t comm = join(1), none;
    ncclUniqueId id;
    float *d_x, host[4];
    memset(&id, 1, sizeof id);
    OK(cudaMalloc((void **)&d_x, sizeof host));
    assert_int_equal(ncclCommInitRank(&none, 1, id, 0), ncclInvalidArgument); /* nobody's id */
    OK(ncclGetUniqueId(&id));
    assert_int_equal(ncclCommInitRank(&none, 1, id, 1), ncclInvalidArgument);
    assert_int_equal(ncclGroupEnd(), ncclInvalidUsage);
    assert_int_equal(ncclAllReduce(host, host, 4, ncclFloat32, ncclSum, comm, 0),
                     ncclInvalidArgument);
    assert_int_equal(ncclAllReduce(d_x, d_x, 5, ncclFloat32, ncclSum, comm, 0),
                     ncclInvalidArgument);
    assert_int_equal(ncclAllReduce(d_x, d_x, 4, ncclFloat16, ncclSum, comm, 0),
                     ncclInvalidArgument);
    assert_int_equal(ncclAllReduce(d_x, d_x, 4, ncclFloat32, ncclAvg, comm, 0),
                     ncclInvalidArgument);
    OK(cudaFree(d_x));
    OK(ncclCommAbort(comm));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_sums),
    };
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int failed = cmocka_run_group_tests_name("cuda_on_cpu NCCL", tests, NULL, NULL);
    MPI_Finalize();
    return failed != 0;
}
