/* Kernels for the tests of the emulation itself; the program's own are in src/device. */
#ifndef T5_TESTS_CUDA_ON_CPU_SAMPLE_KERNELS_H
#define T5_TESTS_CUDA_ON_CPU_SAMPLE_KERNELS_H
#include <cuda_runtime_api.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { SAMPLE_WIDTH = 512, SAMPLE_HEAD = 64, SAMPLE_LONGEST = 128, SAMPLE_BUCKETS = 32 };

/* RMS norm of rows of SAMPLE_WIDTH: x, y, dx, dy bfloat16; dw is added to. */
cudaError_t sample_norm_forward(const uint16_t *x, const float *w, uint16_t *y, float *rstd,
                                int rows, float eps, cudaStream_t s);
cudaError_t sample_norm_backward(const uint16_t *x, const float *w, const float *rstd,
                                 const uint16_t *dy, uint16_t *dx, float *dw, int rows,
                                 cudaStream_t s);
/* Packed attention, heads of SAMPLE_HEAD, sequences of up to SAMPLE_LONGEST tokens; qkv (tokens, 3,
 * heads, head) and out bfloat16, start (sequences + 1), bias (SAMPLE_BUCKETS, heads). */
cudaError_t sample_attention(const uint16_t *qkv, const int *start, const float *bias,
                             uint16_t *out, int sequences, int heads, cudaStream_t s);
cudaError_t sample_adamw(float *p, float *m, float *v, const float *g, uint16_t *copy,
                         const float *scale, long n, float lr, float decay, int step,
                         cudaStream_t s);

/* Twice A B^T by tensor cores: a, b (16, k) bfloat16, c (16, 16). */
cudaError_t sample_product(const uint16_t *a, const uint16_t *b, float *c, int k, cudaStream_t s);
/* Adds, for each thread for which every built-in function was right, 1 to *out, and 1 to *f. */
cudaError_t sample_builtins(dim3 grid, dim3 block, size_t shared, int *out, float *f,
                            cudaStream_t s);
/* x[i] = x[i] * factor + 1 */
cudaError_t sample_scale(float *x, int n, float factor, cudaStream_t s);
/* Runs the faulty kernel of that name over 64 ints; cudaErrorInvalidValue: there is none. */
cudaError_t sample_fault(const char *name, int *out, cudaStream_t s);

#ifdef __cplusplus
}
#endif
#endif
