/* Shared memory of the block that runs: static __shared__ variables are thread-local variables of
 * the program, dynamic shared memory is one thread-local array. */
#ifndef T5_TESTS_CUDA_ON_CPU_SHARED_MEMORY_H
#define T5_TESTS_CUDA_ON_CPU_SHARED_MEMORY_H
#include <cstddef>

namespace emu {
/* For a launch: only the first `dynamic` bytes of smem may be touched. shared_close undoes it. */
void shared_open(size_t dynamic);
void shared_close();
/* For each block: nothing is left of the block before, everything is NaN. */
void shared_renew(size_t dynamic);
} // namespace emu
#endif
