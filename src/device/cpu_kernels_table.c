/* The table of this instruction set's kernels. */
#include "device/cpu_kernels_names.h"

const t5_cpu_kernels K(cpu_kernels) = {
    .isa = T5_STRING(T5_ISA),
    .embed_forward = K(embed_forward),
    .embed_backward = K(embed_backward),
    .norm_forward = K(norm_forward),
    .norm_backward = K(norm_backward),
    .sum_rows = K(sum_rows),
    .act_forward = K(act_forward),
    .act_backward = K(act_backward),
    .attention_forward = K(attention_forward),
    .attention_backward = K(attention_backward),
    .loss = K(loss),
    .sum_squares = K(sum_squares),
    .adamw = K(adamw),
    .cast = K(cast),
    .widen = K(widen),
    .topk = K(topk),
    .attention_scratch = K(attention_scratch),
};
