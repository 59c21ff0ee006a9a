/* What the built-in functions of kernels (cuda_on_cpu.h) are made of; kernel.cpp implements it. */
#ifndef T5_TESTS_CUDA_ON_CPU_WARP_H
#define T5_TESTS_CUDA_ON_CPU_WARP_H
#include <cstdint>
#include <cuda_runtime_api.h>
#include <functional>

namespace emu {
struct Where {
    const char *file;
    int line;
};
struct Exchange {
    uint64_t value;  /* of the source lane */
    unsigned ballot; /* which lanes of the mask brought a value other than 0 */
};

/* Waits for the block. Returns how many threads voted; votes_of (may be NULL): that, and of how
 * many. */
int barrier(Where, bool vote = false, int votes_of[2] = nullptr);

/* Waits for the lanes of the mask. Only with `fence` (__syncwarp) does it order memory: shuffles
 * and votes do not, and the race detector must not think so. together: run once, by the last lane
 * to come, with all lanes' values. */
Exchange exchange(unsigned mask, uint64_t value, int source, Where, bool fence = false,
                  void (*together)(const uint64_t *lanes) = nullptr);
int lane();
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The kernel's launch, as the stream's next operation. */
cudaError_t launch(const cudaLaunchConfig_t &, const void *kernel, std::function<void()> thread);
} // namespace emu
#endif
