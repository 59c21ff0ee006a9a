/* The CUDA backend's table, and what opening a GPU checks. */
#include "device/cuda.h"
#include <stdio.h>
#include <stdlib.h>

enum { LEAST_CAPABILITY = 75 }; /* Turing: the oldest that the kernels are compiled for */

static void destroy(t5_device *dev) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (cuda->stream)
        (void)cudaStreamSynchronize(cuda->stream);
    t5_cuda_matmul_destroy(cuda->matmul);
    t5_cuda_memory_destroy(cuda);
    if (cuda->stream)
        (void)cudaStreamDestroy(cuda->stream);
    free(cuda);
}

bool t5_cuda_check(t5_cuda *cuda, cudaError_t result, const char *what) {
    if (result == cudaSuccess)
        return true;
    (void)cudaGetLastError(); /* the runtime keeps launch errors, too: not twice */
    t5_fail(&cuda->error, result == cudaErrorMemoryAllocation ? T5_ERR_MEMORY : T5_ERR_DEVICE,
            "GPU %d (%s), %s: %s (%s)", cuda->gpu, cuda->base.info, what,
            cudaGetErrorString(result), cudaGetErrorName(result));
    return false;
}

static const t5_device_ops cuda_ops = {
    .name = "cuda",
    .destroy = destroy,
    .alloc = t5_cuda_alloc,
    .free = t5_cuda_free,
    .to_device = t5_cuda_to_device,
    .to_host = t5_cuda_to_host,
    .copy = t5_cuda_copy,
    .zero = t5_cuda_zero,
    .sync = t5_cuda_sync,
    .matmul = t5_cuda_matmul_run,
    .cast = t5_cuda_cast,
    .widen = t5_cuda_widen,
    .narrow = t5_cuda_narrow,
    .pack = t5_cuda_pack,
    .embed_forward = t5_cuda_embed_forward,
    .embed_backward = t5_cuda_embed_backward,
    .norm_forward = t5_cuda_norm_forward,
    .norm_backward = t5_cuda_norm_backward,
    .act_forward = t5_cuda_act_forward,
    .act_backward = t5_cuda_act_backward,
    .attention_forward = t5_cuda_attention_forward,
    .attention_backward = t5_cuda_attention_backward,
    .loss = t5_cuda_loss,
    .sum_squares = t5_cuda_sum_squares,
    .adamw = t5_cuda_adamw,
    .gather_rows = t5_cuda_gather_rows,
    .topk = t5_cuda_topk,
    .replay = t5_cuda_replay,
    .replay_free = t5_cuda_replay_free,
};

int t5_device_count_cuda(void) {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess) {
        (void)cudaGetLastError();
        return 0;
    }
    return count;
}

/* Whether GPU number `gpu` is there, and what is missing if not. */
static t5_status check_gpu(int gpu, t5_error *err) {
    int count = 0;
    cudaError_t result = cudaGetDeviceCount(&count);
    (void)cudaGetLastError();
    if (result == cudaErrorInsufficientDriver)
        return t5_fail(err, T5_ERR_DEVICE,
                       "no NVIDIA driver, or one that is older than CUDA %d.%d needs",
                       CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    if (result == cudaErrorNoDevice || (result == cudaSuccess && count == 0))
        return t5_fail(err, T5_ERR_DEVICE,
                       "no GPU: there is an NVIDIA driver, but it shows none to this process "
                       "(CUDA_VISIBLE_DEVICES may hide them)");
    if (result != cudaSuccess)
        return t5_fail(err, T5_ERR_DEVICE, "the GPUs cannot be counted: %s (%s)",
                       cudaGetErrorString(result), cudaGetErrorName(result));
    if (gpu < 0 || gpu >= count)
        return t5_fail(err, T5_ERR_DEVICE, "no GPU number %d: this process sees %d, from number 0",
                       gpu, count);
    return T5_OK;
}

/* Makes the GPU the thread's current one, and fills in what it can. */
static t5_status choose_gpu(t5_cuda *cuda, t5_error *err) {
    struct cudaDeviceProp p;
    cudaError_t result = cudaSetDevice(cuda->gpu);
    if (result == cudaSuccess)
        result = cudaGetDeviceProperties(&p, cuda->gpu);
    if (result != cudaSuccess)
        return t5_fail(err, T5_ERR_DEVICE, "GPU %d cannot be used: %s (%s)", cuda->gpu,
                       cudaGetErrorString(result), cudaGetErrorName(result));
    if (10 * p.major + p.minor < LEAST_CAPABILITY)
        return t5_fail(err, T5_ERR_DEVICE,
                       "GPU %d (%s) has compute capability %d.%d, the least is %d.%d", cuda->gpu,
                       p.name, p.major, p.minor, LEAST_CAPABILITY / 10, LEAST_CAPABILITY % 10);
    cuda->base.has_bf16 = p.major >= 8;
    snprintf(cuda->base.id, sizeof cuda->base.id, "%04x:%02x:%02x",
             (unsigned)p.pciDomainID & 0xffff, (unsigned)p.pciBusID & 0xff,
             (unsigned)p.pciDeviceID & 0xff);
    snprintf(cuda->base.info, sizeof cuda->base.info,
             "%.60s, sm_%d%d, %d SMs, %.1f GiB, CUDA %d.%d", p.name, p.major, p.minor,
             p.multiProcessorCount, (double)p.totalGlobalMem / (1024.0 * 1024.0 * 1024.0),
             CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    return T5_OK;
}

static t5_status start(t5_cuda *cuda, bool tf32, t5_error *err) {
    t5_status status = choose_gpu(cuda, err);
    if (status != T5_OK)
        return status;
    if (!t5_cuda_check(cuda, cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking),
                       "creating a stream"))
        return t5_fail(err, cuda->error.status, "%s", cuda->error.text);
    cuda->base.stream = cuda->stream;
    status = t5_cuda_stage_create(cuda, err);
    return status == T5_OK ? t5_cuda_matmul_create(&cuda->matmul, tf32, err) : status;
}

t5_status t5_device_open_cuda(int gpu, bool tf32, t5_device **dev, t5_error *err) {
    *dev = NULL;
    t5_status status = check_gpu(gpu, err);
    if (status != T5_OK)
        return status;
    t5_cuda *cuda = calloc(1, sizeof *cuda);
    if (!cuda)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the CUDA device");
    cuda->base.ops = &cuda_ops;
    cuda->base.replays = true;
    cuda->gpu = gpu;
    status = start(cuda, tf32, err);
    if (status != T5_OK) {
        destroy(&cuda->base);
        return status;
    }
    *dev = &cuda->base;
    return T5_OK;
}
