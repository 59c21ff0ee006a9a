/* The sums of mpi/reducer.h over emulated GPUs and the emulated NCCL, on several ranks: queued one
 * by one, captured into graphs, with a rank that does not come. */
#include "device/device.h"
#include "mpi/ranks.h"
#include "mpi/reducer.h"
#include <cuda_runtime_api.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define OK(call) CHECK((call) == cudaSuccess)

enum { N = 1000, HALVES = 500, LAUNCHES = 4 };
static t5_comm *world;
static t5_device *device;

/* Two arrays of floats and one of bfloat16 in device memory, as the ranks fill them. */
typedef struct arrays {
    float *d_first, *d_second, *d_result;
    uint16_t *d_half;
    float *in, *out; /* host, pinned */
    uint16_t *half_in, *half_out;
} arrays;

static uint16_t half_of(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return (uint16_t)(u >> 16);
}

/* Whole numbers: exact in any order, and in bfloat16 too as long as they are below 256. */
static float number(int i, int rank, int round) {
    return (float)((i * 7 + rank * 3 + round * 5) % 61);
}

static float sum_of_numbers(int i, int round) {
    float sum = 0;
    for (int r = 0; r < t5_comm_size(world); r++)
        sum += number(i, r, round);
    return sum;
}

static void make(arrays *a) {
    OK(cudaMalloc((void **)&a->d_first, N * sizeof(float)));
    OK(cudaMalloc((void **)&a->d_second, N * sizeof(float)));
    OK(cudaMalloc((void **)&a->d_result, N * sizeof(float)));
    OK(cudaMalloc((void **)&a->d_half, HALVES * sizeof(uint16_t)));
    OK(cudaMallocHost((void **)&a->in, N * sizeof(float)));
    OK(cudaMallocHost((void **)&a->out, 2 * N * sizeof(float)));
    OK(cudaMallocHost((void **)&a->half_in, HALVES * sizeof(uint16_t)));
    OK(cudaMallocHost((void **)&a->half_out, HALVES * sizeof(uint16_t)));
}

static void drop(arrays *a) {
    OK(cudaFree(a->d_first));
    OK(cudaFree(a->d_second));
    OK(cudaFree(a->d_result));
    OK(cudaFree(a->d_half));
    OK(cudaFreeHost(a->in));
    OK(cudaFreeHost(a->out));
    OK(cudaFreeHost(a->half_in));
    OK(cudaFreeHost(a->half_out));
}

static void fill(arrays *a, int round) {
    for (int i = 0; i < N; i++)
        a->in[i] = number(i, t5_comm_rank(world), round);
    for (int i = 0; i < HALVES; i++)
        a->half_in[i] = half_of(number(i, t5_comm_rank(world), round));
    for (int i = 0; i < 2 * N; i++)
        a->out[i] = NAN;
}

/* What a step does: arrays become ready one after the other, their sums start at once, and the work
 * that makes the next one goes on beside them. */
static void queue_step(t5_reducer *r, const arrays *a) {
    cudaStream_t s = device->stream;
    t5_error err = {0};
    OK(cudaMemcpyAsync(a->d_first, a->in, N * sizeof(float), cudaMemcpyHostToDevice, s));
    CHECK_OK(t5_reducer_start(r, a->d_first, N, T5_SUM_F32, &err), err);
    OK(cudaMemcpyAsync(a->d_half, a->half_in, HALVES * sizeof(uint16_t), cudaMemcpyHostToDevice,
                       s));
    CHECK_OK(t5_reducer_start(r, a->d_half, HALVES, T5_SUM_BF16, &err), err);
    OK(cudaMemcpyAsync(a->d_second, a->in, N * sizeof(float), cudaMemcpyHostToDevice, s));
    CHECK_OK(t5_reducer_start(r, a->d_second, N / 2, T5_SUM_F32, &err), err);
    CHECK_OK(t5_reducer_join(r, &err), err);
    CHECK_OK(t5_reducer_join(r, &err), err); /* nothing more to join */
    OK(cudaMemcpyAsync(a->d_result, a->d_first, N * sizeof(float), cudaMemcpyDeviceToDevice, s));
    OK(cudaMemcpyAsync(a->out, a->d_result, N * sizeof(float), cudaMemcpyDeviceToHost, s));
    OK(cudaMemcpyAsync(a->out + N, a->d_second, N * sizeof(float), cudaMemcpyDeviceToHost, s));
    OK(cudaMemcpyAsync(a->half_out, a->d_half, HALVES * sizeof(uint16_t), cudaMemcpyDeviceToHost,
                       s));
}

static void check_step(const arrays *a, int round) {
    for (int i = 0; i < N; i++) {
        const float sum = sum_of_numbers(i, round);
        CHECK(a->out[i] == sum);
        CHECK(a->out[N + i] == (i < N / 2 ? sum : a->in[i]));
        CHECK(i >= HALVES || a->half_out[i] == half_of(sum));
    }
}

static t5_reducer *make_reducer(double timeout) {
    t5_reducer *r;
    t5_error err = {0};
    CHECK_OK(t5_reducer_create(world, device->stream, timeout, &r, &err), err);
    CHECK(t5_reducer_is_queued(r));
    return r;
}

static void host_memory_is_summed_at_once(void **state) {
    (void)state;
    t5_reducer *r;
    t5_error err = {0};
    float x[2] = {number(1, t5_comm_rank(world), 0), number(2, t5_comm_rank(world), 0)};
    CHECK_OK(t5_reducer_create(world, NULL, 60, &r, &err), err);
    CHECK(!t5_reducer_is_queued(r));
    CHECK_OK(t5_reducer_sum(r, x, 2, &err), err);
    CHECK(x[0] == sum_of_numbers(1, 0) && x[1] == sum_of_numbers(2, 0));
    t5_reducer_destroy(r);
    t5_reducer_destroy(NULL);
}

static void sums_are_queued(void **state) {
    (void)state;
    t5_reducer *r = make_reducer(60);
    t5_error err = {0};
    arrays a;
    make(&a);
    for (int round = 0; round < 3; round++) {
        fill(&a, round);
        queue_step(r, &a);
        CHECK_OK(t5_reducer_wait(r, &err), err);
        check_step(&a, round);
    }
    t5_reducer_destroy(r);
    drop(&a);
}

static cudaGraphExec_t capture(t5_reducer *r, const arrays *a) {
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    OK(cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal));
    queue_step(r, a);
    OK(cudaStreamEndCapture(device->stream, &graph));
    OK(cudaGraphInstantiate(&exec, graph, cudaGraphInstantiateFlagUseNodePriority));
    OK(cudaGraphDestroy(graph));
    return exec;
}

static void sums_are_captured(void **state) {
    (void)state;
    t5_reducer *r = make_reducer(60);
    t5_error err = {0};
    arrays a;
    make(&a);
    fill(&a, 0);
    cudaGraphExec_t exec = capture(r, &a);
    CHECK(isnan(a.out[0])); /* captured, not run */
    for (int round = 0; round < LAUNCHES; round++) {
        fill(&a, round);
        OK(cudaGraphLaunch(exec, device->stream));
        CHECK_OK(t5_reducer_wait(r, &err), err);
        check_step(&a, round);
        fill(&a, round + 10); /* and one that is not captured in between */
        queue_step(r, &a);
        CHECK_OK(t5_reducer_wait(r, &err), err);
        check_step(&a, round + 10);
    }
    OK(cudaGraphExecDestroy(exec));
    t5_reducer_destroy(r);
    drop(&a);
}

static void a_capture_must_join(void **state) {
    (void)state;
    t5_reducer *r = make_reducer(60);
    t5_error err = {0};
    arrays a;
    cudaGraph_t graph;
    const cudaError_t expected =
        t5_comm_size(world) > 1 ? cudaErrorStreamCaptureUnjoined : cudaSuccess;
    make(&a);
    fill(&a, 0);
    OK(cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal));
    CHECK_OK(t5_reducer_start(r, a.d_first, N, T5_SUM_F32, &err), err);
    CHECK(cudaStreamEndCapture(device->stream, &graph) == expected);
    if (graph)
        OK(cudaGraphDestroy(graph));
    (void)cudaGetLastError();
    queue_step(r, &a);
    CHECK_OK(t5_reducer_wait(r, &err), err);
    check_step(&a, 0);
    t5_reducer_destroy(r);
    drop(&a);
}

/* The last rank comes to no sum: the others learn its number, and the GPU is free again. */
static void a_rank_is_missing(bool captured) {
    const int last = t5_comm_size(world) - 1;
    t5_reducer *r = make_reducer(0.4);
    t5_error err = {0};
    char name[48];
    arrays a;
    if (last == 0) {
        t5_reducer_destroy(r);
        return;
    }
    make(&a);
    fill(&a, 0);
    snprintf(name, sizeof name, "rank %d (busy elsewhere)", last);
    cudaGraphExec_t exec = captured ? capture(r, &a) : NULL;
    if (t5_comm_rank(world) != last) {
        if (captured)
            OK(cudaGraphLaunch(exec, device->stream));
        else
            queue_step(r, &a);
        CHECK(t5_reducer_wait(r, &err) == T5_ERR_COMM);
        CHECK(strstr(err.text, "missing: ") && strstr(err.text, name));
        OK(cudaStreamSynchronize(device->stream));
        t5_error again = {0};
        CHECK(t5_reducer_start(r, a.d_first, N, T5_SUM_F32, &again) == T5_ERR_COMM);
        CHECK(strcmp(again.text, err.text) == 0);
        CHECK(t5_reducer_join(r, &again) == T5_ERR_COMM && t5_reducer_wait(r, &again) != T5_OK);
    }
    MPI_Barrier(world->handle); /* which is no call of comm.h: the last rank is elsewhere */
    if (exec)
        OK(cudaGraphExecDestroy(exec));
    /* The last rank's communicator of NCCL would wait for the others, who have given theirs up. */
    if (t5_comm_rank(world) != last)
        t5_reducer_destroy(r);
    drop(&a);
}

static void a_rank_misses_a_queued_sum(void **state) {
    (void)state;
    a_rank_is_missing(false);
}

static void a_rank_misses_a_captured_sum(void **state) {
    (void)state;
    a_rank_is_missing(true);
}

/* What is refused at once: the count, here; the emulation has no other reason. */
static void a_failure_sticks(void **state) {
    (void)state;
    t5_reducer *r = make_reducer(60);
    t5_error err = {0}, again = {0};
    arrays a;
    make(&a);
    if (t5_comm_size(world) > 1) {
        CHECK(t5_reducer_start(r, a.d_first, N + 1, T5_SUM_F32, &err) == T5_ERR_COMM);
        CHECK(t5_reducer_start(r, a.d_first, N, T5_SUM_F32, &again) == T5_ERR_COMM);
        CHECK(strcmp(again.text, err.text) == 0);
        again = (t5_error){0};
        CHECK(t5_reducer_wait(r, &again) == T5_ERR_COMM && strcmp(again.text, err.text) == 0);
    }
    t5_reducer_destroy(r);
    drop(&a);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_memory_is_summed_at_once),
        cmocka_unit_test(a_failure_sticks),
        cmocka_unit_test(a_capture_must_join),
        cmocka_unit_test(sums_are_queued),
        cmocka_unit_test(sums_are_captured),
        cmocka_unit_test(a_rank_misses_a_queued_sum),
        cmocka_unit_test(a_rank_misses_a_captured_sum),
    };
    t5_error err = {0};
    CHECK_OK(t5_device_open_cuda(0, false, &device, &err), err);
    int status = run_on_ranks("reducer", tests, sizeof tests / sizeof *tests, &world, &argc, &argv);
    t5_device_close(device);
    return status;
}
