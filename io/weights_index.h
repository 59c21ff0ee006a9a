/* model.safetensors.index.json and pytorch_model.bin.index.json: which file has which tensor. */
#ifndef T5_IO_WEIGHTS_INDEX_H
#define T5_IO_WEIGHTS_INDEX_H
#include "io/weights_list.h"

typedef struct t5_weights_index t5_weights_index;

/* T5_ERR_INPUT: no JSON, no weight_map, a file name that is not that of a file beside the index,
 * too many files; T5_ERR_IO, T5_ERR_MEMORY. */
t5_status t5_weights_index_read(const char *path, t5_weights_index **index, t5_error *err);
void t5_weights_index_free(t5_weights_index *index); /* NULL is fine */
/* The files by name, each once. */
int t5_weights_index_size(const t5_weights_index *index);
const char *t5_weights_index_file(const t5_weights_index *index, int i);
/* T5_ERR_INPUT naming a tensor that the index has and the list, sorted by name, has not, or has in
 * another file. */
t5_status t5_weights_index_check(const t5_weights_index *index, const t5_weights_list *list,
                                 t5_error *err);

#endif
