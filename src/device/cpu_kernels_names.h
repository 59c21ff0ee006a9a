/* Prototypes of this instruction set's kernels; see cpu_kernels.h for what each does. */
#ifndef T5_DEVICE_CPU_KERNELS_NAMES_H
#define T5_DEVICE_CPU_KERNELS_NAMES_H
#include "device/cpu_kernels_simd.h"

t5_kernel K(embed_forward), K(embed_backward);
t5_kernel K(norm_forward), K(norm_backward), K(sum_rows);
t5_kernel K(act_forward), K(act_backward);
t5_kernel K(attention_forward), K(attention_backward);
t5_kernel K(loss), K(sum_squares), K(adamw), K(cast), K(widen), K(topk);
int64_t K(attention_scratch)(const t5_attention *a, bool backward);

#endif
