/* Memory of the CUDA backend: allocations, transfers through pinned memory, and the work memory of
 * the kernels. */
#include "device/cuda.h"
#include <stdlib.h>
#include <string.h>

/* --- allocations --- */

static bool reserve_block(t5_cuda *cuda) {
    if (cuda->n_blocks < cuda->max_blocks)
        return true;
    int more = cuda->max_blocks ? 2 * cuda->max_blocks : 16;
    t5_cuda_block *blocks = realloc(cuda->blocks, (size_t)more * sizeof *blocks);
    if (!blocks)
        return false;
    cuda->blocks = blocks;
    cuda->max_blocks = more;
    return true;
}

static t5_status no_memory(const t5_cuda *cuda, size_t bytes, t5_error *err) {
    size_t free_bytes = 0, total = 0;
    (void)cudaMemGetInfo(&free_bytes, &total);
    return t5_fail(err, T5_ERR_MEMORY,
                   "GPU %d cannot allocate %zu bytes (%zu in use here, %zu of %zu free)", cuda->gpu,
                   bytes, cuda->base.allocated, free_bytes, total);
}

static t5_status no_replay(const char *what, t5_error *err) {
    return t5_fail(err, T5_ERR_DEVICE, "what is to be replayed %s", what);
}

/* cudaMalloc gives 256-byte aligned memory. NULL for 0 bytes is allowed here as it is there. */
t5_status t5_cuda_alloc(t5_device *dev, size_t bytes, void **d_ptr, t5_error *err) {
    t5_cuda *cuda = t5_cuda_of(dev);
    size_t free_bytes = 0, total = 0;
    void *p = NULL;
    *d_ptr = NULL;
    if (t5_cuda_spoils_capture(cuda))
        return no_replay("allocates", err);
    if (!reserve_block(cuda))
        return t5_fail(err, T5_ERR_MEMORY, "out of host memory for the CUDA device");
    (void)cudaMemGetInfo(&free_bytes, &total);
    if (total && bytes > total)
        return no_memory(cuda, bytes, err);
    cudaError_t result = cudaMalloc(&p, bytes);
    if (result == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return no_memory(cuda, bytes, err);
    }
    if (result == cudaSuccess && bytes)
        result = cudaMemsetAsync(p, 0, bytes, cuda->stream);
    if (result != cudaSuccess) {
        (void)cudaGetLastError();
        (void)cudaFree(p);
        return t5_fail(err, T5_ERR_DEVICE, "GPU %d, allocating %zu bytes: %s (%s)", cuda->gpu,
                       bytes, cudaGetErrorString(result), cudaGetErrorName(result));
    }
    if (p)
        cuda->blocks[cuda->n_blocks++] = (t5_cuda_block){p, bytes};
    dev->allocated += bytes;
    if (dev->allocated > dev->peak)
        dev->peak = dev->allocated;
    *d_ptr = p;
    return T5_OK;
}

void t5_cuda_free(t5_device *dev, void *d_ptr) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (d_ptr && t5_cuda_spoils_capture(cuda))
        return; /* the ordinary run that follows frees it */
    for (int i = 0; d_ptr && i < cuda->n_blocks; i++) {
        if (cuda->blocks[i].d_ptr != d_ptr)
            continue;
        dev->allocated -= cuda->blocks[i].bytes;
        cuda->blocks[i] = cuda->blocks[--cuda->n_blocks];
        t5_cuda_check(cuda, cudaFree(d_ptr), "freeing memory"); /* waits */
        return;
    }
}

void *t5_cuda_scratch(t5_cuda *cuda, size_t bytes) {
    if (bytes <= cuda->scratch_bytes && cuda->d_scratch)
        return cuda->d_scratch;
    if (t5_cuda_spoils_capture(cuda))
        return NULL;
    size_t wanted = bytes + bytes / 4; /* sizes creep up with the batches: do not grow each time */
    cuda->generation++;
    t5_error err = {0};
    (void)cudaFree(cuda->d_scratch); /* waits for who uses it */
    cuda->d_scratch = NULL;
    cuda->scratch_bytes = 0;
    cudaError_t result = cudaMalloc(&cuda->d_scratch, wanted);
    if (result == cudaSuccess) {
        cuda->scratch_bytes = wanted;
        return cuda->d_scratch;
    }
    (void)cudaGetLastError();
    cuda->d_scratch = NULL;
    no_memory(cuda, wanted, &err);
    t5_fail(&cuda->error, T5_ERR_MEMORY, "scratch memory: %s", err.text);
    return NULL;
}

/* --- transfers --- */

t5_status t5_cuda_stage_create(t5_cuda *cuda, t5_error *err) {
    t5_cuda_stage *stage = &cuda->stage;
    bool good = t5_cuda_check(
        cuda, cudaMallocHost((void **)&stage->pinned, (size_t)T5_CUDA_SLOTS * T5_CUDA_SLOT_BYTES),
        "allocating pinned host memory");
    for (int i = 0; good && i < T5_CUDA_SLOTS; i++)
        good =
            t5_cuda_check(cuda, cudaEventCreateWithFlags(&stage->done[i], cudaEventDisableTiming),
                          "creating an event");
    return good ? T5_OK : t5_fail(err, cuda->error.status, "%s", cuda->error.text);
}

void t5_cuda_memory_destroy(t5_cuda *cuda) {
    for (int i = 0; i < T5_CUDA_SLOTS; i++)
        if (cuda->stage.done[i])
            (void)cudaEventDestroy(cuda->stage.done[i]);
    if (cuda->stage.pinned)
        (void)cudaFreeHost(cuda->stage.pinned);
    for (int i = 0; i < T5_CUDA_BUCKETS; i++)
        (void)cudaFree(cuda->buckets[i].d_bucket);
    (void)cudaFree(cuda->d_scratch);
    free(cuda->blocks); /* what was not freed goes with the process, as with the CPU's malloc */
}

/* A slot that nobody reads any more; NULL on failure. */
static char *take_slot(t5_cuda *cuda, cudaEvent_t *done) {
    int slot = cuda->stage.next;
    cuda->stage.next = (slot + 1) % T5_CUDA_SLOTS;
    *done = cuda->stage.done[slot];
    if (!t5_cuda_check(cuda, cudaEventSynchronize(*done), "waiting for a transfer"))
        return NULL;
    return cuda->stage.pinned + (size_t)slot * T5_CUDA_SLOT_BYTES;
}

/* The bytes are taken when this returns: the caller may change them, and nothing has waited for the
 * GPU unless all slots are on their way. */
void t5_cuda_to_device(t5_device *dev, void *d_dst, const void *src, size_t bytes) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (t5_cuda_spoils_capture(cuda))
        return;
    for (size_t at = 0; at < bytes && !t5_cuda_failed(cuda); at += T5_CUDA_SLOT_BYTES) {
        size_t n = bytes - at < T5_CUDA_SLOT_BYTES ? bytes - at : T5_CUDA_SLOT_BYTES;
        cudaEvent_t done;
        char *slot = take_slot(cuda, &done);
        if (!slot)
            return;
        memcpy(slot, (const char *)src + at, n);
        cudaError_t result =
            cudaMemcpyAsync((char *)d_dst + at, slot, n, cudaMemcpyHostToDevice, cuda->stream);
        if (result == cudaSuccess)
            result = cudaEventRecord(done, cuda->stream);
        t5_cuda_check(cuda, result, "copying to the GPU");
    }
}

t5_status t5_cuda_sync(t5_device *dev, t5_error *err) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (t5_cuda_spoils_capture(cuda))
        return no_replay("waits", err);
    cudaError_t result = cudaStreamSynchronize(cuda->stream);
    if (result == cudaSuccess)
        result = cudaGetLastError();
    t5_cuda_check(cuda, result, "an operation of the queue");
    t5_status status = cuda->error.status;
    if (status != T5_OK)
        t5_fail(err, status, "%s", cuda->error.text);
    cuda->error = (t5_error){0};
    return status;
}

/* Small results, such as the tokens of a decoding step, arrive in pinned memory: one transfer
 * without the driver's own staging. */
t5_status t5_cuda_to_host(t5_device *dev, void *dst, const void *d_src, size_t bytes,
                          t5_error *err) {
    t5_cuda *cuda = t5_cuda_of(dev);
    void *to = dst;
    if (t5_cuda_spoils_capture(cuda))
        return no_replay("waits", err);
    if (bytes && !t5_cuda_failed(cuda)) {
        cudaEvent_t done;
        if (bytes <= T5_CUDA_SLOT_BYTES)
            to = take_slot(cuda, &done);
        if (to)
            t5_cuda_check(cuda,
                          cudaMemcpyAsync(to, d_src, bytes, cudaMemcpyDeviceToHost, cuda->stream),
                          "copying from the GPU");
    }
    t5_status status = t5_cuda_sync(dev, err);
    if (status == T5_OK && to && to != dst)
        memcpy(dst, to, bytes);
    return status;
}

void t5_cuda_copy(t5_device *dev, void *d_dst, const void *d_src, size_t bytes) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (!t5_cuda_failed(cuda) && bytes)
        t5_cuda_check(cuda,
                      cudaMemcpyAsync(d_dst, d_src, bytes, cudaMemcpyDeviceToDevice, cuda->stream),
                      "copying");
}

void t5_cuda_zero(t5_device *dev, void *d_dst, size_t bytes) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (!t5_cuda_failed(cuda) && bytes)
        t5_cuda_check(cuda, cudaMemsetAsync(d_dst, 0, bytes, cuda->stream), "zeroing");
}
