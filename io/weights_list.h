/* The tensors of one or more weight files, as the readers of the formats list them for weights.c.
 */
#ifndef T5_IO_WEIGHTS_LIST_H
#define T5_IO_WEIGHTS_LIST_H
#include "io/weights.h"

typedef enum { T5_WEIGHTS_F32, T5_WEIGHTS_F16, T5_WEIGHTS_BF16 } t5_weights_type;
/* Bytes of an element: 4 or 2. */
int t5_weights_width(t5_weights_type type);

typedef struct t5_weights_entry {
    t5_weights_tensor tensor; /* its name belongs to the list */
    t5_weights_type type;
    int file;       /* of the opened files, the one that holds the values */
    int64_t member; /* member of the file's archive; -1: the bytes lie in the file as they are */
    int64_t offset; /* of the first element in the file or the member, in bytes */
} t5_weights_entry;

/* Far more than any model of this family has; bounds what a hostile file can make us allocate. */
enum { T5_WEIGHTS_MAX_TENSORS = 1 << 16, T5_WEIGHTS_MAX_NAME = 1000 };

typedef struct t5_weights_list {
    t5_weights_entry *entries;
    int n, cap;
} t5_weights_list;

/* How a message shows a name of n bytes from a file: printf("%.*s", T5_WEIGHTS_SHOWN(n), name). */
#define T5_WEIGHTS_SHOWN(n) ((int)((n) < 200 ? (n) : 200))

/* Appends a tensor named name[0..length), with n_dims and dims set and the rest zero; *entry is
 * valid until the next addition. T5_ERR_INPUT: too many tensors, a name that is empty or too long,
 * a negative dimension, sizes beyond 64 bits. T5_ERR_MEMORY. */
t5_status t5_weights_list_add(t5_weights_list *list, const char *name, size_t length, int n_dims,
                              const int64_t *dims, t5_weights_entry **entry, t5_error *err);
/* Sorts by name. T5_ERR_INPUT naming a tensor that is there twice. */
t5_status t5_weights_list_sort(t5_weights_list *list, t5_error *err);
/* In a sorted list; NULL: there is none of this name. */
const t5_weights_entry *t5_weights_list_find(const t5_weights_list *list, const char *name);
void t5_weights_list_free(t5_weights_list *list);

/* Reads n bytes at offset. T5_ERR_IO, also when the file ends before that. */
t5_status t5_weights_pread(int fd, void *out, size_t n, int64_t offset, t5_error *err);

#endif
