/* The emulated runtime: what it does, and first what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cuda_on_cpu/sample/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) assert_int_equal(call, cudaSuccess)
#define REFUSED(call, why) assert_int_equal(call, why)

static void test_refusals(void **state) {
    (void)state;
    void *p = NULL, *d = NULL;
    int n;
    char host[8];
    cudaStream_t s;
    cudaEvent_t e;
    OK(cudaMalloc(&d, 64));
    REFUSED(cudaSetDevice(1), cudaErrorInvalidDevice);
    REFUSED(cudaSetDevice(-1), cudaErrorInvalidDevice);
    REFUSED(cudaDeviceGetAttribute(&n, (enum cudaDeviceAttr)9999, 0), cudaErrorInvalidValue);
    REFUSED(cudaFuncSetAttribute((const void *)test_refusals, (enum cudaFuncAttribute)99, 1),
            cudaErrorInvalidValue);
    REFUSED(cudaFuncSetAttribute((const void *)test_refusals,
                                 cudaFuncAttributeMaxDynamicSharedMemorySize, 228 * 1024),
            cudaErrorInvalidValue);
    REFUSED(cudaMalloc(&p, SIZE_MAX), cudaErrorMemoryAllocation);
    REFUSED(cudaMalloc(&p, (size_t)5 << 30), cudaErrorMemoryAllocation);
    REFUSED(cudaHostAlloc(&p, 8, 64), cudaErrorInvalidValue);
    REFUSED(cudaFree(host), cudaErrorInvalidValue);
    REFUSED(cudaFreeHost(d), cudaErrorInvalidValue);
    REFUSED(cudaMemcpy(host, d, 8, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    REFUSED(cudaMemcpy(d, host, 8, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue);
    REFUSED(cudaMemcpy(d, host, 65, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    REFUSED(cudaMemcpy(d, host, 8, (enum cudaMemcpyKind)9), cudaErrorInvalidMemcpyDirection);
    REFUSED(cudaMemset((char *)d + 60, 0, 5), cudaErrorInvalidValue);
    REFUSED(cudaStreamCreateWithFlags(&s, 4), cudaErrorInvalidValue);
    REFUSED(cudaEventCreateWithFlags(&e, 64), cudaErrorInvalidValue);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidValue);
    OK(cudaGetLastError());
    OK(cudaFree(d));
    OK(cudaFree(NULL));
}

static void test_errors_have_names(void **state) {
    (void)state;
    assert_string_equal(cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation");
    assert_string_equal(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
    assert_string_equal(cudaGetErrorString(cudaErrorNoDevice),
                        "no CUDA-capable device is detected");
}

/* The environment decides what kind of machine this is. */
static void test_devices(void **state) {
    (void)state;
    struct cudaDeviceProp p;
    int n = 7, major;
    cudaStream_t s;
    setenv("EMU_DEVICES", "0", 1);
    REFUSED(cudaGetDeviceCount(&n), cudaErrorNoDevice);
    assert_int_equal(n, 0);
    REFUSED(cudaSetDevice(0), cudaErrorNoDevice);
    REFUSED(cudaStreamCreate(&s), cudaErrorNoDevice);
    setenv("EMU_DEVICES", "3", 1);
    OK(cudaGetDeviceCount(&n));
    assert_int_equal(n, 3);
    OK(cudaSetDevice(2));
    OK(cudaSetDevice(0));
    setenv("EMU_CAPABILITY", "75", 1);
    OK(cudaGetDeviceProperties(&p, 1));
    OK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
    assert_true(p.major == 7 && p.minor == 5 && major == 7);
    assert_int_equal(p.sharedMemPerBlockOptin, 64 * 1024);
    unsetenv("EMU_CAPABILITY");
    unsetenv("EMU_DEVICES");
    (void)cudaGetLastError();
}

static void test_memory(void **state) {
    (void)state;
    size_t before, after, total;
    float host[16], *d = NULL;
    OK(cudaMemGetInfo(&before, &total));
    OK(cudaMallocAsync((void **)&d, sizeof host, 0));
    OK(cudaMemcpy(host, d, sizeof host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 16; i++)
        assert_true(isnan(host[i]));
    OK(cudaMemGetInfo(&after, &total));
    assert_int_equal(before - after, sizeof host);
    OK(cudaFreeAsync(d, 0));
    OK(cudaDeviceSynchronize());
    OK(cudaMemGetInfo(&after, &total));
    assert_int_equal(before, after);
    setenv("EMU_MEMORY", "1", 1);
    REFUSED(cudaMalloc((void **)&d, (1 << 20) + 1), cudaErrorMemoryAllocation);
    unsetenv("EMU_MEMORY");
    (void)cudaGetLastError();
}

/* x of n elements: fill, scale, read back. */
static void expect(float *d_x, int n, float want) {
    float *host = malloc((size_t)n * sizeof *host);
    assert_non_null(host);
    OK(cudaMemcpy(host, d_x, (size_t)n * sizeof *host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < n; i++)
        assert_true(host[i] == want);
    free(host);
}

static void test_streams(void **state) {
    (void)state;
    enum { N = 300 };
    float *x = NULL;
    cudaStream_t a, b;
    cudaEvent_t e, untimed;
    OK(cudaMalloc((void **)&x, N * sizeof *x));
    OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
    OK(cudaStreamCreateWithPriority(&b, cudaStreamNonBlocking, -1));
    OK(cudaEventCreate(&e));
    OK(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming));
    OK(cudaMemsetAsync(x, 0, N * sizeof *x, a));
    OK(sample_scale(x, N, 2.0f, a)); /* 1 */
    OK(cudaEventRecord(e, a));
    OK(cudaStreamWaitEvent(b, e, 0));
    REFUSED(cudaStreamWaitEvent(b, e, 2), cudaErrorInvalidValue);
    OK(sample_scale(x, N, 2.0f, b)); /* 3, though a was never waited for */
    OK(cudaEventRecord(untimed, b));
    OK(cudaEventSynchronize(untimed));
    OK(cudaEventQuery(e));
    OK(cudaStreamSynchronize(b));
    expect(x, N, 3.0f);
    float ms;
    OK(cudaEventElapsedTime(&ms, e, e));
    REFUSED(cudaEventElapsedTime(&ms, e, untimed), cudaErrorInvalidValue);
    OK(cudaEventDestroy(e)), OK(cudaEventDestroy(untimed));
    OK(cudaStreamDestroy(a)), OK(cudaStreamDestroy(b));
    REFUSED(cudaStreamDestroy((cudaStream_t)x), cudaErrorInvalidValue);
    OK(cudaFree(x));
    (void)cudaGetLastError();
}

/* Captured once with pinned memory, run with what that holds later; a forked stream. */
static void test_graph(void **state) {
    (void)state;
    enum { N = 8, BYTES = N * 4 };
    float *in, *x;
    cudaStream_t a, b;
    cudaEvent_t fork, join;
    cudaGraph_t graph, other;
    cudaGraphExec_t exec;
    cudaGraphExecUpdateResultInfo info;
    void *none;
    OK(cudaMallocHost((void **)&in, BYTES)), OK(cudaMalloc((void **)&x, BYTES));
    OK(cudaStreamCreate(&a)), OK(cudaStreamCreate(&b));
    OK(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
    OK(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
    REFUSED(cudaStreamBeginCapture(a, (enum cudaStreamCaptureMode)9), cudaErrorInvalidValue);
    REFUSED(cudaStreamEndCapture(a, &graph), cudaErrorIllegalState);
    OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeGlobal));
    OK(cudaMemcpyAsync(x, in, BYTES, cudaMemcpyHostToDevice, a));
    OK(cudaEventRecord(fork, a)), OK(cudaStreamWaitEvent(b, fork, 0));
    OK(sample_scale(x, N, 10.0f, b));
    OK(cudaEventRecord(join, b)), OK(cudaStreamWaitEvent(a, join, 0));
    OK(cudaStreamEndCapture(a, &graph));
    REFUSED(cudaGraphInstantiate(&exec, graph, 4), cudaErrorInvalidValue);
    OK(cudaGraphInstantiate(&exec, graph, 0));
    for (int step = 0; step < 3; step++) {
        for (int i = 0; i < N; i++)
            in[i] = (float)step;
        OK(cudaGraphLaunch(exec, a));
        OK(cudaStreamSynchronize(a));
        expect(x, N, 10.0f * (float)step + 1.0f);
    }
    /* of the same shape, another factor; then one of another shape */
    OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
    OK(cudaMemcpyAsync(x, in, BYTES, cudaMemcpyHostToDevice, a));
    OK(sample_scale(x, N, 100.0f, a));
    OK(cudaStreamEndCapture(a, &other));
    OK(cudaGraphExecUpdate(exec, other, &info));
    OK(cudaGraphLaunch(exec, a));
    OK(cudaStreamSynchronize(a));
    expect(x, N, 201.0f);
    OK(cudaGraphDestroy(other));
    OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeRelaxed));
    OK(sample_scale(x, N, 1.0f, a));
    OK(cudaStreamEndCapture(a, &other));
    REFUSED(cudaGraphExecUpdate(exec, other, &info), cudaErrorGraphExecUpdateFailure);
    assert_int_equal(info.result, cudaGraphExecUpdateErrorTopologyChanged);
    OK(cudaGraphDestroy(other)), OK(cudaGraphDestroy(graph)), OK(cudaGraphExecDestroy(exec));
    /* what waits or allocates loses the capture */
    OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
    REFUSED(cudaStreamSynchronize(a), cudaErrorStreamCaptureUnsupported);
    REFUSED(cudaStreamEndCapture(a, &other), cudaErrorStreamCaptureInvalidated);
    OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
    REFUSED(cudaMalloc(&none, 4), cudaErrorStreamCaptureUnsupported);
    REFUSED(cudaStreamEndCapture(a, &other), cudaErrorStreamCaptureInvalidated);
    /* the forked stream is never waited for */
    OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeGlobal));
    OK(cudaEventRecord(fork, a)), OK(cudaStreamWaitEvent(b, fork, 0));
    OK(sample_scale(x, N, 1.0f, b));
    REFUSED(cudaStreamEndCapture(a, &graph), cudaErrorStreamCaptureUnjoined);
    OK(cudaEventDestroy(fork)), OK(cudaEventDestroy(join));
    OK(cudaStreamDestroy(a)), OK(cudaStreamDestroy(b));
    OK(cudaFreeHost(in)), OK(cudaFree(x));
    (void)cudaGetLastError();
}

/* With EMU_LAZY the copy from pinned memory happens when somebody waits: a program that writes the
 * memory again too early shows. */
static void test_lazy(void **state) {
    (void)state;
    float *in, *x;
    const char *lazy = getenv("EMU_LAZY");
    OK(cudaMallocHost((void **)&in, 4)), OK(cudaMalloc((void **)&x, 4));
    cudaStream_t s;
    OK(cudaStreamCreate(&s));
    *in = 1.0f;
    OK(cudaMemcpyAsync(x, in, 4, cudaMemcpyHostToDevice, s));
    *in = 2.0f;
    OK(cudaStreamSynchronize(s));
    expect(x, 1, lazy && *lazy == '1' ? 2.0f : 1.0f);
    OK(cudaStreamDestroy(s)), OK(cudaFreeHost(in)), OK(cudaFree(x));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_errors_have_names),
        cmocka_unit_test(test_devices),  cmocka_unit_test(test_memory),
        cmocka_unit_test(test_streams),  cmocka_unit_test(test_graph),
        cmocka_unit_test(test_lazy),
    };
    return cmocka_run_group_tests_name("cuda_on_cpu runtime", tests, NULL, NULL);
}
