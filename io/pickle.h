/* The pickle of a PyTorch state dict (protocol 2), read by a machine that knows only the opcodes
 * and the names that torch.save needs for one: a dictionary of names and tensors. Everything else
 * is refused by its name; nothing is ever imported, called or executed. The opcodes' meaning is
 * that of Python's pickletools; the tensors' that of torch._utils._rebuild_tensor_v2. */
#ifndef T5_IO_PICKLE_H
#define T5_IO_PICKLE_H
#include "io/weights_list.h"

typedef struct t5_pickle t5_pickle;

/* Where a tensor's values are. Texts lie in the pickle's bytes: not NUL-terminated. */
typedef struct t5_pickle_tensor {
    const char *name, *storage; /* storage "17": the member data/17 of the archive */
    size_t name_bytes, storage_bytes;
    t5_weights_type type;
    int64_t storage_count; /* elements in the storage */
    int64_t first;         /* the storage's element that is the tensor's first */
    int n_dims;
    int64_t dims[T5_WEIGHTS_MAX_DIMS]; /* each >= 0 */
} t5_pickle_tensor;

/* A state dict's pickle has about 150 bytes a tensor. */
enum { T5_PICKLE_MAX_BYTES = 16 << 20 };

/* Tensors are row-major; whether one lies within its storage is checked, too. T5_ERR_INPUT naming
 * the opcode, global or tensor; T5_ERR_MEMORY. data has to outlive the pickle. */
t5_status t5_pickle_read(const void *data, size_t bytes, t5_pickle **pickle, t5_error *err);
void t5_pickle_free(t5_pickle *pickle); /* NULL is fine */
int t5_pickle_size(const t5_pickle *pickle);
const t5_pickle_tensor *t5_pickle_at(const t5_pickle *pickle, int i);

#endif
