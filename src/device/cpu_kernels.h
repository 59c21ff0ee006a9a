/* The kernels of the CPU backend: everything but the matrix products, compiled once per instruction
 * set (isa.cmake). A kernel works on elements [first, last) of whatever its operation is divided
 * into; t5_cpu_parallel (cpu.h) cuts that into chunks of a fixed size, so partial sums are taken
 * over the same elements whatever the number of threads. The arguments are those of the operation
 * in device.h, plus scratch memory. */
#ifndef T5_DEVICE_CPU_KERNELS_H
#define T5_DEVICE_CPU_KERNELS_H
#include "device/device.h"

typedef void t5_kernel(const void *args, int64_t first, int64_t last);

typedef struct t5_embed_args { /* elements: forward tokens, backward blocks of columns */
    t5_mat table, x;           /* backward: dtable, dx */
    const int32_t *ids;
    t5_dropout drop;
} t5_embed_args;
enum { T5_EMBED_COLUMNS = 64 }; /* width of a block of columns of the backward */

typedef struct t5_norm_args { /* elements: tokens */
    t5_mat x_in, y, x_out, out;
    t5_dropout drop, out_drop;
    const float *w;
    float eps;
    float *rstd;
} t5_norm_args;

typedef struct t5_norm_back_args { /* elements: tokens, chunks of T5_NORM_ROWS */
    t5_mat x, dout, dx, dy;
    t5_dropout drop, out_drop;
    const float *w, *rstd;
    bool accumulate;
    float *dw_part; /* (chunks, cols) each chunk's sum */
} t5_norm_back_args;
enum { T5_NORM_ROWS = 16 };

typedef struct t5_sum_rows_args { /* elements: columns; dst[j] += sum of src[i][j], i ascending */
    const float *src;
    int64_t rows, cols;
    float *dst;
} t5_sum_rows_args;

typedef struct t5_act_args { /* elements: rows */
    t5_activation_kind kind;
    t5_mat in, out, dout, din;
    t5_dropout drop;
} t5_act_args;

typedef struct t5_attention_args { /* elements: (sequence, head), head fastest */
    const t5_attention *a;
    t5_mat out, dout, dq, dk, dv;
    float *lse;             /* forward */
    const float *saved_lse; /* backward */
    const float
        *bias;    /* (heads, row_length): bias of key position - query position + zero; or NULL */
    float *dbias; /* (n_seq, heads, row_length) each task's sum, or NULL */
    int64_t row_length, zero;
    float *scratch; /* scratch_size floats for each thread */
    int64_t scratch_size;
} t5_attention_args;

typedef struct t5_loss_kernel_args { /* elements: rows */
    const t5_loss_args *a;
    double *row_loss; /* (n) */
} t5_loss_kernel_args;

typedef struct t5_sum_squares_args { /* elements: floats, chunks of T5_SUM_FLOATS */
    const float *x;
    double *part; /* each chunk's sum */
} t5_sum_squares_args;
enum { T5_SUM_FLOATS = 1 << 15 };

typedef struct t5_cast_args { /* elements: floats */
    const float *src;
    uint16_t *dst;
} t5_cast_args;

typedef struct t5_widen_args { /* elements: floats */
    const uint16_t *src;
    float *dst;
} t5_widen_args;

typedef struct t5_topk_kernel_args { /* elements: rows */
    const t5_topk_args *a;
    uint64_t *heap; /* (threads, k) */
    float *old;     /* (threads, history_len) */
} t5_topk_kernel_args;

typedef struct t5_cpu_kernels {
    const char *isa;
    t5_kernel *embed_forward, *embed_backward;
    t5_kernel *norm_forward, *norm_backward, *sum_rows;
    t5_kernel *act_forward, *act_backward;
    t5_kernel *attention_forward, *attention_backward;
    t5_kernel *loss, *sum_squares, *adamw, *cast, *widen; /* adamw: args are t5_adamw_args */
    t5_kernel *topk;
    /* Floats of scratch memory that a thread of each attention kernel needs. */
    int64_t (*attention_scratch)(const t5_attention *a, bool backward);
} t5_cpu_kernels;

extern const t5_cpu_kernels t5_cpu_kernels_generic;
#if defined(__x86_64__)
extern const t5_cpu_kernels t5_cpu_kernels_avx2, t5_cpu_kernels_avx512;
#endif

#endif
