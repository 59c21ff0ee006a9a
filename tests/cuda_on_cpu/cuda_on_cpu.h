/* CUDA C++ on the CPU, for tests: g++ -x c++ -include cuda_on_cpu.h kernels_x.cu
 * NVIDIA's own headers supply the types and declare the runtime; this header supplies what nvcc
 * builds in. An intrinsic that is not here yet is a compile error: add it. */
#ifndef T5_TESTS_CUDA_ON_CPU_CUDA_ON_CPU_H
#define T5_TESTS_CUDA_ON_CPU_CUDA_ON_CPU_H
/* Before any header of NVIDIA's. */
#define __shared__ thread_local /* also fits 'extern __shared__ float4 smem[]' */
#define __launch_bounds__(...)
#define cudaLaunchKernelEx cudaLaunchKernelExUntyped /* NVIDIA's drops the argument types */
#include <cuda_runtime.h>
#undef cudaLaunchKernelEx

#include "warp.h"
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <tuple>
#include <type_traits>

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
static constexpr int warpSize = 32;

template <class... P, class... A>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *c, void (*kernel)(P...), A &&...a) {
    std::tuple<P...> args(std::forward<A>(a)...);
    return emu::launch(*c, (const void *)kernel, [=] { std::apply(kernel, args); });
}

/* --- barriers, votes, shuffles; reports name the line of the call --- */

#define EMU_HERE const char *file_ = __builtin_FILE(), int line_ = __builtin_LINE()
#define EMU_WHERE    \
    emu::Where {     \
        file_, line_ \
    }

inline void __syncthreads(EMU_HERE) {
    emu::barrier(EMU_WHERE);
}
inline int __syncthreads_count(int p, EMU_HERE) {
    return emu::barrier(EMU_WHERE, p != 0);
}
inline int __syncthreads_or(int p, EMU_HERE) {
    return emu::barrier(EMU_WHERE, p != 0) != 0;
}
inline int __syncthreads_and(int p, EMU_HERE) {
    int votes[2];
    emu::barrier(EMU_WHERE, p != 0, votes);
    return votes[0] == votes[1];
}
inline void __syncwarp(unsigned mask = ~0u, EMU_HERE) {
    emu::exchange(mask, 0, emu::lane(), EMU_WHERE, true);
}
inline unsigned __ballot_sync(unsigned mask, int p, EMU_HERE) {
    return emu::exchange(mask, p != 0, emu::lane(), EMU_WHERE).ballot;
}
inline int __any_sync(unsigned mask, int p, EMU_HERE) {
    return __ballot_sync(mask, p, file_, line_) != 0;
}
inline int __all_sync(unsigned mask, int p, EMU_HERE) {
    return __ballot_sync(mask, !p, file_, line_) == 0;
}

namespace emu {
template <class T> T shuffle(unsigned mask, T v, int source, Where w) {
    static_assert(std::is_trivially_copyable<T>::value && sizeof(T) <= 8, "shuffle");
    uint64_t bits = 0;
    memcpy(&bits, &v, sizeof v);
    bits = exchange(mask, bits, source, w).value;
    memcpy(&v, &bits, sizeof v);
    return v;
}
} // namespace emu

template <class T> T __shfl_sync(unsigned mask, T v, int source, int width = 32, EMU_HERE) {
    return emu::shuffle(mask, v, (emu::lane() & -width) | (source & (width - 1)), EMU_WHERE);
}
template <class T> T __shfl_xor_sync(unsigned mask, T v, int x, int width = 32, EMU_HERE) {
    int l = emu::lane(), s = l ^ x;
    return emu::shuffle(mask, v, s < (l & -width) + width ? s : l, EMU_WHERE);
}
template <class T> T __shfl_down_sync(unsigned mask, T v, unsigned d, int width = 32, EMU_HERE) {
    int l = emu::lane(), s = l + (int)d;
    return emu::shuffle(mask, v, s < (l & -width) + width ? s : l, EMU_WHERE);
}
template <class T> T __shfl_up_sync(unsigned mask, T v, unsigned d, int width = 32, EMU_HERE) {
    int l = emu::lane(), s = l - (int)d;
    return emu::shuffle(mask, v, s >= (l & -width) ? s : l, EMU_WHERE);
}
#undef EMU_HERE
#undef EMU_WHERE

/* --- memory --- */

template <class T> T __ldg(const T *p) {
    return *p;
}
template <class T> T __ldcs(const T *p) {
    return *p;
}
template <class T> T __ldcg(const T *p) {
    return *p;
}
template <class T> void __stcs(T *p, T v) {
    *p = v;
}
template <class T> void __stcg(T *p, T v) {
    *p = v;
}
inline void __threadfence() {}
inline void __threadfence_block() {}

namespace emu {
/* Relaxed, as on the GPU: it orders nothing else, and the race detector knows. */
template <class T, class F> T atomically(T *p, F change) {
    T old, next;
    __atomic_load(p, &old, __ATOMIC_RELAXED);
    do
        next = change(old);
    while (!__atomic_compare_exchange(p, &old, &next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}
template <class T>
inline constexpr bool is_atomic = std::is_same<T, int>::value || std::is_same<T, unsigned>::value ||
                                  std::is_same<T, unsigned long long>::value ||
                                  std::is_same<T, float>::value || std::is_same<T, double>::value;
template <class T> using same = typename std::enable_if<is_atomic<T>, T>::type;
template <class T>
using same_integer = typename std::enable_if<std::is_integral<T>::value, T>::type;
} // namespace emu

template <class T> T atomicAdd(T *p, emu::same<T> v) {
    return emu::atomically(p, [v](T old) { return old + v; });
}
template <class T> T atomicMax(T *p, emu::same_integer<T> v) {
    return emu::atomically(p, [v](T old) { return old < v ? v : old; });
}
template <class T> T atomicMin(T *p, emu::same_integer<T> v) {
    return emu::atomically(p, [v](T old) { return v < old ? v : old; });
}
template <class T> T atomicOr(T *p, emu::same_integer<T> v) {
    return emu::atomically(p, [v](T old) { return old | v; });
}
template <class T> T atomicExch(T *p, emu::same<T> v) {
    return emu::atomically(p, [v](T) { return v; });
}
template <class T> T atomicCAS(T *p, emu::same_integer<T> expected, emu::same_integer<T> v) {
    return emu::atomically(p, [=](T old) { return old == expected ? v : old; });
}
[[noreturn]] inline void __trap() {
    emu::fail("__trap");
}

/* --- arithmetic; the fast versions of the GPU are the exact ones here --- */

inline float rsqrtf(float x) {
    return 1.0f / sqrtf(x);
}
inline double rsqrt(double x) {
    return 1.0 / sqrt(x);
}
inline float __frsqrt_rn(float x) {
    return rsqrtf(x);
}
inline float __fsqrt_rn(float x) {
    return sqrtf(x);
}
inline float __frcp_rn(float x) {
    return 1.0f / x;
}
inline float __expf(float x) {
    return expf(x);
}
inline float __exp2f(float x) {
    return exp2f(x);
}
inline float __logf(float x) {
    return logf(x);
}
inline float __log2f(float x) {
    return log2f(x);
}
inline float __powf(float x, float y) {
    return powf(x, y);
}
inline float __fdividef(float a, float b) {
    return a / b;
}
inline float __fdiv_rn(float a, float b) {
    return a / b;
}
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fsub_rn(float a, float b) {
    return a - b;
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fmaf_rn(float a, float b, float c) {
    return fmaf(a, b, c);
}
inline float __saturatef(float x) {
    return x > 1.0f ? 1.0f : x > 0.0f ? x : 0.0f; /* NaN gives 0, as there */
}
inline float __int2float_rn(int x) {
    return (float)x;
}
inline float __uint2float_rn(unsigned x) {
    return (float)x;
}
inline int __float2int_rn(float x) {
    return (int)rintf(x);
}

namespace emu {
template <class To, class From> To bits(From x) {
    static_assert(sizeof(To) == sizeof(From), "bits");
    To y;
    memcpy(&y, &x, sizeof y);
    return y;
}
} // namespace emu
inline int __float_as_int(float x) {
    return emu::bits<int>(x);
}
inline float __int_as_float(int x) {
    return emu::bits<float>(x);
}
inline unsigned __float_as_uint(float x) {
    return emu::bits<unsigned>(x);
}
inline float __uint_as_float(unsigned x) {
    return emu::bits<float>(x);
}
inline long long __double_as_longlong(double x) {
    return emu::bits<long long>(x);
}
inline double __longlong_as_double(long long x) {
    return emu::bits<double>(x);
}
inline unsigned __umulhi(unsigned a, unsigned b) {
    return (unsigned)((uint64_t)a * b >> 32);
}
inline int __popc(unsigned x) {
    return __builtin_popcount(x);
}
inline int __popcll(unsigned long long x) {
    return __builtin_popcountll(x);
}
inline int __ffs(int x) {
    return __builtin_ffs(x);
}
inline int __clz(int x) {
    return x ? __builtin_clz((unsigned)x) : 32;
}
inline int __clzll(long long x) {
    return x ? __builtin_clzll((unsigned long long)x) : 64;
}

#define EMU_MIN_MAX(T)        \
    inline T min(T a, T b) {  \
        return a < b ? a : b; \
    }                         \
    inline T max(T a, T b) {  \
        return a > b ? a : b; \
    }
EMU_MIN_MAX(int)
EMU_MIN_MAX(unsigned)
EMU_MIN_MAX(long)
EMU_MIN_MAX(unsigned long)
EMU_MIN_MAX(long long)
EMU_MIN_MAX(unsigned long long)
#undef EMU_MIN_MAX
inline float min(float a, float b) {
    return fminf(a, b);
}
inline float max(float a, float b) {
    return fmaxf(a, b);
}
#endif
