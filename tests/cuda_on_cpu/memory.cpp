/* Device memory is host memory that is NaN when it is fresh and, under the address sanitizer, not
 * the host's to touch. EMU_MEMORY: how many MiB the device has (4096). */
#include "emu.h"
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

using emu::result;
using Blocks = std::map<char *, size_t>;

/* They live until the process ends, since other objects' destructors may call us. */
static Blocks &device = *new Blocks, &pinned = *new Blocks;
static size_t used;

static bool within(const Blocks &m, const void *p, size_t n) {
    auto i = m.upper_bound((char *)p);
    if (i == m.begin())
        return false;
    --i;
    size_t offset = (size_t)((char *)p - i->first);
    return offset <= i->second && n <= i->second - offset;
}

/* Opens or closes a block to the sanitizer. Of a large one only the ends, since this happens at
 * every operation. */
static void guard(char *p, size_t n, bool open) {
#if EMU_ASAN
    const size_t end = (size_t)1 << 20, parts = n <= 2 * end ? 1 : 2;
    for (size_t i = 0; i < parts; i++) {
        char *at = i ? p + n - end : p;
        if (open)
            __asan_unpoison_memory_region(at, parts == 1 ? n : end);
        else
            __asan_poison_memory_region(at, parts == 1 ? n : end);
    }
#else
    (void)p, (void)n, (void)open;
#endif
}

static size_t total() {
    return (size_t)emu::setting("EMU_MEMORY", 4096) << 20;
}

namespace emu {
bool is_device(const void *p, size_t n) {
    return n == 0 || within(device, p, n);
}

void expose(bool open) {
    for (auto &a : device)
        guard(a.first, a.second, open);
}
} // namespace emu

static cudaError_t allocate(void **p, size_t n) {
    *p = nullptr;
    if (n == 0)
        return cudaSuccess;
    if (n > total() - used || posix_memalign(p, 256, n))
        return result(cudaErrorMemoryAllocation);
    memset(*p, 0xFF, n); /* NaN in every floating-point type */
    device[(char *)*p] = n;
    used += n;
    guard((char *)*p, n, false);
    return cudaSuccess;
}

static void release(void *p) {
    auto i = device.find((char *)p);
    if (i == device.end())
        emu::fail("memory is freed twice");
    guard(i->first, i->second, true);
    used -= i->second;
    device.erase(i);
    free(p);
}

static bool valid_kind(enum cudaMemcpyKind k) {
    return k == cudaMemcpyHostToDevice || k == cudaMemcpyDeviceToHost ||
           k == cudaMemcpyDeviceToDevice || k == cudaMemcpyDefault;
}

extern "C" {
cudaError_t cudaMemGetInfo(size_t *f, size_t *t) {
    *t = total();
    *f = *t - used;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t n) {
    if (emu::is_capturing())
        return emu::lose_capture();
    return allocate(p, n);
}
cudaError_t cudaFree(void *p) {
    if (!p)
        return cudaSuccess;
    if (emu::is_capturing())
        return emu::lose_capture();
    emu::drain_all();
    if (!device.count((char *)p))
        return result(cudaErrorInvalidValue);
    release(p);
    return cudaSuccess;
}

/* The memory is there at once, which is more than a GPU promises to other streams. */
cudaError_t cudaMallocAsync(void **p, size_t n, cudaStream_t s) {
    if (emu::is_capturing(s))
        return result(cudaErrorNotSupported); /* allocations as nodes of a graph */
    return allocate(p, n);
}
cudaError_t cudaFreeAsync(void *p, cudaStream_t s) {
    if (!p)
        return cudaSuccess;
    if (emu::is_capturing(s))
        return result(cudaErrorNotSupported);
    if (!device.count((char *)p))
        return result(cudaErrorInvalidValue);
    emu::submit(s, [p] { release(p); });
    return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int) {
    *pool = (cudaMemPool_t)&device;
    return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr a, void *) {
    if (pool != (cudaMemPool_t)&device || a != cudaMemPoolAttrReleaseThreshold)
        return result(cudaErrorInvalidValue);
    return cudaSuccess; /* nothing is kept here */
}

cudaError_t cudaHostAlloc(void **p, size_t n, unsigned flags) {
    if (flags &
        ~(unsigned)(cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined))
        return result(cudaErrorInvalidValue);
    *p = malloc(n ? n : 1);
    if (!*p)
        return result(cudaErrorMemoryAllocation);
    memset(*p, 0xFF, n);
    pinned[(char *)*p] = n;
    return cudaSuccess;
}
cudaError_t cudaMallocHost(void **p, size_t n) {
    return cudaHostAlloc(p, n, cudaHostAllocDefault);
}
cudaError_t cudaFreeHost(void *p) {
    if (!p)
        return cudaSuccess;
    emu::drain_all();
    if (!pinned.erase((char *)p))
        return result(cudaErrorInvalidValue);
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *d, const void *s, size_t n, enum cudaMemcpyKind k,
                            cudaStream_t st) {
    if (!valid_kind(k))
        return result(cudaErrorInvalidMemcpyDirection);
    bool to = k == cudaMemcpyHostToDevice || k == cudaMemcpyDeviceToDevice;
    bool from = k == cudaMemcpyDeviceToHost || k == cudaMemcpyDeviceToDevice;
    if (n && k != cudaMemcpyDefault && (to != within(device, d, n) || from != within(device, s, n)))
        return result(cudaErrorInvalidValue);
    if (k == cudaMemcpyHostToDevice && !within(pinned, s, n) && !emu::is_capturing(st)) {
        std::vector<char> copy((const char *)s, (const char *)s + n); /* pageable: staged at once */
        emu::submit(st, [=] { memcpy(d, copy.data(), n); });
        return cudaSuccess;
    }
    emu::submit(st, [=] { memmove(d, s, n); });
    if (k == cudaMemcpyDeviceToHost && !within(pinned, d, n) && !emu::is_capturing(st))
        emu::drain(st); /* to pageable memory it returns when it is done */
    return cudaSuccess;
}
cudaError_t cudaMemcpy(void *d, const void *s, size_t n, enum cudaMemcpyKind k) {
    if (emu::is_capturing())
        return emu::lose_capture(cudaErrorStreamCaptureImplicit);
    cudaError_t e = cudaMemcpyAsync(d, s, n, k, nullptr);
    emu::drain(nullptr);
    return e;
}
cudaError_t cudaMemsetAsync(void *d, int v, size_t n, cudaStream_t st) {
    if (!emu::is_device(d, n))
        return result(cudaErrorInvalidValue);
    emu::submit(st, [=] { memset(d, v, n); });
    return cudaSuccess;
}
cudaError_t cudaMemset(void *d, int v, size_t n) {
    if (emu::is_capturing())
        return emu::lose_capture(cudaErrorStreamCaptureImplicit);
    return cudaMemsetAsync(d, v, n, nullptr);
}
}
