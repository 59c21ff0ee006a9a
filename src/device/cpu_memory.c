/* Memory of the CPU backend. Large blocks come from mmap at 2 MiB boundaries, so that the kernel
 * can back them with huge pages and zeroes them only when they are touched; small ones from malloc.
 */
#include "device/cpu.h"
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE = 64, LARGE = 1 << 20, HUGE_PAGE = 1 << 21 };

/* Right before each block. */
typedef struct header {
    size_t bytes;
    void *base;    /* of the mapping or of malloc */
    size_t mapped; /* length of the mapping, 0: malloc */
} header;

static header *header_of(void *ptr) {
    return (header *)(void *)((char *)ptr - LINE);
}

static void *place(void *base, size_t offset, size_t bytes, size_t mapped) {
    char *ptr = (char *)base + offset;
    *header_of(ptr) = (header){bytes, base, mapped};
    return ptr;
}

static void *map_large(size_t bytes) {
    size_t mapped = bytes + HUGE_PAGE + LINE;
    if (mapped < bytes)
        return NULL;
    void *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    /* the header needs a line before the boundary */
    size_t beyond = ((uintptr_t)base + LINE) % HUGE_PAGE;
    size_t offset = LINE + (beyond ? HUGE_PAGE - beyond : 0);
    size_t whole = bytes / HUGE_PAGE * HUGE_PAGE;
    /* advice only; the tail stays in small pages, so that no memory is rounded up */
    if (whole)
        (void)madvise((char *)base + offset, whole, MADV_HUGEPAGE);
    return place(base, offset, bytes, mapped);
}

static void *allocate(size_t bytes) {
    if (bytes >= LARGE)
        return map_large(bytes);
    size_t rounded = (bytes + 2 * LINE - 1) / LINE * LINE;
    void *base = aligned_alloc(LINE, rounded);
    if (!base)
        return NULL;
    memset(base, 0, rounded);
    return place(base, LINE, bytes, 0);
}

static void release(void *ptr) {
    if (!ptr)
        return;
    header h = *header_of(ptr);
    if (h.mapped)
        (void)munmap(h.base, h.mapped);
    else
        free(h.base);
}

t5_status t5_cpu_alloc(t5_device *dev, size_t bytes, void **ptr, t5_error *err) {
    *ptr = allocate(bytes);
    if (!*ptr)
        return t5_fail(err, T5_ERR_MEMORY, "the CPU device cannot allocate %zu bytes (%zu in use)",
                       bytes, dev->allocated);
    dev->allocated += bytes;
    if (dev->allocated > dev->peak)
        dev->peak = dev->allocated;
    return T5_OK;
}

void t5_cpu_free(t5_device *dev, void *ptr) {
    if (!ptr)
        return;
    dev->allocated -= header_of(ptr)->bytes;
    release(ptr);
}

void *t5_cpu_scratch(t5_cpu *cpu, size_t bytes) {
    if (bytes <= cpu->scratch_bytes && cpu->scratch)
        return cpu->scratch;
    size_t wanted = bytes + bytes / 4; /* sizes creep up with the batches: do not grow each time */
    release(cpu->scratch);
    cpu->scratch_bytes = 0;
    cpu->scratch = allocate(wanted);
    if (!cpu->scratch) {
        t5_fail(&cpu->error, T5_ERR_MEMORY,
                "the CPU device cannot allocate %zu bytes of scratch memory", wanted);
        return NULL;
    }
    cpu->scratch_bytes = wanted;
    return cpu->scratch;
}

void t5_cpu_scratch_free(t5_cpu *cpu) {
    release(cpu->scratch);
    cpu->scratch = NULL;
    cpu->scratch_bytes = 0;
}
