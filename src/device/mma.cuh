/* The instructions of the tensor cores that the kernels use, a function each: the only place with
 * PTX. tests/cuda_on_cpu/device/mma.cuh has the same functions for the CPU.
 *
 * A fragment is a warp's matrix spread over its lanes; lane l has g = l / 4 and t = l % 4. Two
 * neighbouring bfloat16 numbers share a word, the first in the low half. */
#ifndef T5_DEVICE_MMA_CUH
#define T5_DEVICE_MMA_CUH
#include "device/launch.cuh"

/* c += a b; a (16, 16), b (16, 8), c (16, 8) in float32. From sm_80.
 * c: (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1).
 * a: (g, 2t..), (g+8, 2t..), (g, 2t+8..), (g+8, 2t+8..).  b: (2t.., g), (2t+8.., g). */
__device__ __forceinline__ void mma_bf16(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                         uint32_t b1) {
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};\n"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    __trap(); /* the host does not choose these kernels */
#endif
}

/* Four matrices of 8 x 8 from shared memory: lane l says where row l % 8 of matrix l / 8 begins (16
 * bytes, aligned); r[i] is (g, 2t..) of matrix i. */
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const bf16 *row) {
    uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
}
/* The same of their transposes: r[i] is (2t.., g) of matrix i. */
__device__ __forceinline__ void load_transposed(uint32_t (&r)[4], const bf16 *row) {
    uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(at)
                 : "memory");
}

#endif
