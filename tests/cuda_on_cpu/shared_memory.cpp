#include "shared_memory.h"
#include "emu.h"
#include <cstddef>
#include <cstdint>
#include <link.h>

/* What every 'extern __shared__ float4 smem[]' of a kernel refers to. */
alignas(128) thread_local unsigned char smem[emu::SHARED_MAX];

#if defined(EMU_TSAN)
extern "C" void __tsan_java_init(unsigned long, unsigned long);
extern "C" void __tsan_java_alloc(unsigned long, unsigned long);
#endif

namespace emu {
/* Not memset: the sanitizers would see it, and this is no access of the program's. */
static void fill_nan(char *p, size_t n) {
    volatile char *q = p, *end = p + n;
    for (; q != end && (uintptr_t)q % sizeof(uint64_t); q++)
        *q = (char)0xFF;
    for (; end - q >= (ptrdiff_t)sizeof(uint64_t); q += sizeof(uint64_t))
        *(volatile uint64_t *)q = ~(uint64_t)0;
    for (; q != end; q++)
        *q = (char)0xFF;
}

/* A new block's memory is new memory to the race detector, too. */
static void forget(char *p, size_t n) {
#if defined(EMU_TSAN)
    static bool started;
    unsigned long first = (unsigned long)p & ~7ul, size = ((unsigned long)p + n - first + 7) & ~7ul;
    if (!started)
        __tsan_java_init(first, size), started = true;
    __tsan_java_alloc(first, size);
#else
    (void)p, (void)n;
#endif
}

/* The thread-local variables of the module (the test program) that smem lies in. Only kernels may
 * have any there: the project has no thread-local variables of its own. */
static int renew_static(dl_phdr_info *info, size_t, void *) {
    char *volatile hidden = (char *)smem; /* or the compiler knows where smem ends */
    char *dynamic = hidden;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        char *p = (char *)info->dlpi_tls_data;
        if (info->dlpi_phdr[i].p_type != PT_TLS || !p)
            continue;
        size_t size = info->dlpi_phdr[i].p_memsz;
        if (dynamic < p || dynamic >= p + size)
            continue; /* another module's */
        forget(p, size);
        fill_nan(p, (size_t)(dynamic - p));
        fill_nan(dynamic + SHARED_MAX, (size_t)(p + size - (dynamic + SHARED_MAX)));
        return 1;
    }
    return 0;
}

void shared_renew(size_t dynamic) {
    if (!dl_iterate_phdr(renew_static, nullptr))
        fail("the program's thread-local variables were not found");
    fill_nan((char *)smem, dynamic);
}

void shared_open(size_t dynamic) {
#if EMU_ASAN
    __asan_poison_memory_region(smem, sizeof smem);
    __asan_unpoison_memory_region(smem, dynamic);
#endif
    (void)dynamic;
}

void shared_close() {
#if EMU_ASAN
    __asan_unpoison_memory_region(smem, sizeof smem);
#endif
}
} // namespace emu
