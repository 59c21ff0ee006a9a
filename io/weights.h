/* The tensors of a Hugging Face model directory, by name: model.safetensors, the files of
 * model.safetensors.index.json, pytorch_model.bin, or the files of pytorch_model.bin.index.json,
 * the first of these that is there. Knows no model: names, shapes and float32 values. Opening reads
 * and checks headers only; values are read when asked for. Nothing in a file is ever executed. */
#ifndef T5_IO_WEIGHTS_H
#define T5_IO_WEIGHTS_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct t5_weights t5_weights;

enum { T5_WEIGHTS_MAX_DIMS = 4 };
typedef struct t5_weights_tensor {
    const char *name;
    int n_dims;
    int64_t dims[T5_WEIGHTS_MAX_DIMS];
    int64_t count; /* product of dims */
} t5_weights_tensor;

/* T5_ERR_INPUT naming the file and the tensor or field: no such directory or file, cut short,
 * absurd header sizes, offsets outside the file or overlapping, a name twice, a type other than
 * F32, F16 and BF16, a pickle with an opcode or a global that a state dict does not need. */
t5_status t5_weights_open(const char *directory, t5_weights **weights, t5_error *err);
void t5_weights_close(t5_weights *weights); /* NULL is fine */
int t5_weights_size(const t5_weights *weights);
const t5_weights_tensor *t5_weights_at(const t5_weights *weights, int i);
/* NULL: there is no tensor of this name. */
const t5_weights_tensor *t5_weights_find(const t5_weights *weights, const char *name);
/* Elements [first, first + n) of a tensor in row-major order, converted to float32. Reads that many
 * elements' bytes of the file and no more memory than a small buffer. T5_ERR_IO. */
t5_status t5_weights_read(t5_weights *weights, const t5_weights_tensor *tensor, int64_t first,
                          int64_t n, float *out, t5_error *err);

#endif
