/* Moving rows and types: casts, gathering of rows, zeroing of a matrix. */
#include "device/element.cuh"

enum { THREADS = 256 };

/* Like __float2bfloat16 but that a NaN keeps its sign and upper bits, as on the CPU. */
static __device__ __forceinline__ unsigned bf16_bits(float v) {
    unsigned u = (unsigned)__float_as_int(v);
    unsigned rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16, nan = (u >> 16) | 0x40u;
    return (u & 0x7fffffffu) > 0x7f800000u ? nan : rounded;
}

template <bool VEC>
static __global__ void __launch_bounds__(THREADS)
    cast_kernel(const float *__restrict__ src, uint16_t *__restrict__ dst, int64_t n) {
    int64_t i = 8 * ((int64_t)blockIdx.x * THREADS + threadIdx.x);
    if (VEC && i + 8 <= n) {
        float4 a = get4(src + i), b = get4(src + i + 4);
        *(uint4 *)(dst + i) = make_uint4(
            bf16_bits(a.x) | bf16_bits(a.y) << 16, bf16_bits(a.z) | bf16_bits(a.w) << 16,
            bf16_bits(b.x) | bf16_bits(b.y) << 16, bf16_bits(b.z) | bf16_bits(b.w) << 16);
        return;
    }
    for (int64_t end = i + 8 < n ? i + 8 : n; i < end; i++)
        dst[i] = (uint16_t)bf16_bits(src[i]);
}

cudaError_t t5_launch_cast(const float *d_src, void *d_dst, int64_t n, cudaStream_t stream) {
    bool vec = ((uintptr_t)d_src | (uintptr_t)d_dst) % 16 == 0;
    return launch(vec ? cast_kernel<true> : cast_kernel<false>, blocks_for(n, 8 * THREADS), THREADS,
                  0, stream, d_src, (uint16_t *)d_dst, n);
}

template <bool VEC>
static __global__ void __launch_bounds__(THREADS)
    widen_kernel(const bf16 *__restrict__ src, float *__restrict__ dst, int64_t n) {
    int64_t i = 4 * ((int64_t)blockIdx.x * THREADS + threadIdx.x);
    if (i + 4 <= n)
        store4<VEC>(dst + i, load4<VEC>(src + i, 4), 4);
    else if (i < n)
        store4<false>(dst + i, load4<false>(src + i, (int)(n - i)), (int)(n - i));
}

cudaError_t t5_launch_widen(const void *d_src, float *d_dst, int64_t n, cudaStream_t stream) {
    bool vec = (uintptr_t)d_src % 8 == 0 && (uintptr_t)d_dst % 16 == 0;
    return launch(vec ? widen_kernel<true> : widen_kernel<false>, blocks_for(n, 4 * THREADS),
                  THREADS, 0, stream, (const bf16 *)d_src, d_dst, n);
}

static __global__ void __launch_bounds__(THREADS)
    narrow_kernel(const double *__restrict__ src, int64_t n, float *__restrict__ dst) {
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < n)
        dst[i] = (float)src[i];
}

cudaError_t t5_launch_narrow(const double *d_src, int64_t n, float *d_dst, cudaStream_t stream) {
    return launch(narrow_kernel, blocks_for(n, THREADS), THREADS, 0, stream, d_src, n, d_dst);
}

template <class T>
static __global__ void __launch_bounds__(THREADS)
    zero_rows_kernel(T *p, int64_t rows, int64_t cols, int64_t ld) {
    for (int64_t row = blockIdx.y; row < rows; row += gridDim.y)
        for (int64_t j = (int64_t)blockIdx.x * THREADS + threadIdx.x; j < cols;
             j += (int64_t)gridDim.x * THREADS)
            put(p + row * ld + j, 0.0f);
}

cudaError_t t5_launch_zero_rows(t5_mat m, cudaStream_t stream) {
    return by_type(m.type, [&](auto *t) {
        using T = std::remove_pointer_t<decltype(t)>;
        return launch(
            zero_rows_kernel<T>,
            dim3(at_most(blocks_for(m.cols, THREADS), 64), at_most(m.rows, MOST_BLOCKS_Y)), THREADS,
            0, stream, (T *)m.p, m.rows, m.cols, m.ld);
    });
}

/* stride: of T's; elements: T's in a row */
template <class T>
static __global__ void __launch_bounds__(THREADS)
    gather_kernel(T *__restrict__ dst, const T *__restrict__ src, const int32_t *__restrict__ index,
                  int64_t n, int64_t elements, int64_t stride) {
    for (int64_t row = blockIdx.y; row < n; row += gridDim.y) {
        const T *from = src + index[row] * stride;
        for (int64_t j = (int64_t)blockIdx.x * THREADS + threadIdx.x; j < elements;
             j += (int64_t)gridDim.x * THREADS)
            dst[row * stride + j] = from[j];
    }
}

template <class T>
static cudaError_t gather(void *d_dst, const void *d_src, const int32_t *d_index, int64_t n,
                          size_t bytes, size_t stride, cudaStream_t stream) {
    int64_t elements = (int64_t)(bytes / sizeof(T));
    dim3 grid(at_most(blocks_for(elements, THREADS), 256), at_most(n, MOST_BLOCKS_Y));
    return launch(gather_kernel<T>, grid, THREADS, 0, stream, (T *)d_dst, (const T *)d_src, d_index,
                  n, elements, (int64_t)(stride / sizeof(T)));
}

cudaError_t t5_launch_gather_rows(void *d_dst, const void *d_src, const int32_t *d_index, int64_t n,
                                  size_t bytes, size_t stride_bytes, cudaStream_t stream) {
    bool vec = ((uintptr_t)d_dst | (uintptr_t)d_src | bytes | stride_bytes) % 16 == 0;
    return (vec ? gather<uint4> : gather<uint8_t>)(d_dst, d_src, d_index, n, bytes, stride_bytes,
                                                   stream);
}
