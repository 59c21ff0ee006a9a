/* What the writer and the reader of checkpoints share: the user block, the places of the arrays,
 * and the checksum of everything else. Not for others.
 *
 *     0    user block: a text of a few lines, zeros up to byte 512
 *     512  HDF5: the values, among them
 *            /arrays/paths   the arrays' names, by number
 *            /arrays/places  (n_arrays, 3) uint64: offset from the file's beginning, bytes, XXH3
 *          and the arrays themselves, anywhere, large ones at multiples of 4096
 *
 * An array's XXH3, of the XXH3 of its spans (the last one may be shorter), is in /arrays/places;
 * the user block's covers every byte outside of arrays, with zeros for itself. The user block and
 * the places are read without HDF5, which must not see a byte before it is verified. */
#ifndef T5_IO_CHECKPOINT_LAYOUT_H
#define T5_IO_CHECKPOINT_LAYOUT_H
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>
#include <xxhash.h>

#define T5_CHECKPOINT_PATHS "/arrays/paths"
#define T5_CHECKPOINT_PLACES "/arrays/places"

enum {
    T5_CHECKPOINT_BLOCK = 512,         /* bytes of the user block */
    T5_CHECKPOINT_SPAN_BYTES = 1 << 20 /* with a checksum of their own */
};

typedef struct t5_checkpoint_header {
    int64_t size; /* bytes of the file */
    int n_arrays;
    int64_t places; /* where the places are, bytes from the beginning */
    uint64_t xxh3;  /* of everything outside of arrays */
} t5_checkpoint_header;

/* As in the file: little endian, like the machines. */
typedef struct t5_checkpoint_place {
    uint64_t offset, bytes, xxh3;
} t5_checkpoint_place;

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are written as they are");

void t5_checkpoint_render(const t5_checkpoint_header *header, char block[T5_CHECKPOINT_BLOCK]);
/* false: a single byte of it is not as t5_checkpoint_render makes it. */
bool t5_checkpoint_parse(const char block[T5_CHECKPOINT_BLOCK], t5_checkpoint_header *header);

/* pread and pwrite of everything; T5_ERR_IO, and T5_ERR_INPUT where the file ends early. */
t5_status t5_checkpoint_pread(const char *path, int fd, void *data, size_t bytes, int64_t offset,
                              t5_error *err);
t5_status t5_checkpoint_pwrite(const char *path, int fd, const void *data, size_t bytes,
                               int64_t offset, t5_error *err);

/* The checksum of everything outside of arrays. T5_ERR_INPUT: the places (of header->n_arrays
 * arrays) lie outside of the file or in each other. */
t5_status t5_checkpoint_hash_rest(const char *path, int fd, const t5_checkpoint_header *header,
                                  const t5_checkpoint_place *places, uint64_t *xxh3, t5_error *err);
/* The checksum of a place's bytes. */
t5_status t5_checkpoint_hash_place(const char *path, int fd, const t5_checkpoint_place *place,
                                   uint64_t *xxh3, t5_error *err);

#endif
