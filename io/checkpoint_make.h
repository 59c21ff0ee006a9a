/* The file of a checkpoint as HDF5 makes it, but for what is in its arrays. Not for others.
 *
 * It is made in memory (memfd_create), where the arrays are holes that take no room, and copied to
 * the disk without HDF5: 1.10.8 cannot let go of a file that it could not write, and crashes in
 * MPI_Finalize. */
#ifndef T5_IO_CHECKPOINT_MAKE_H
#define T5_IO_CHECKPOINT_MAKE_H
#include "io/checkpoint.h"
#include "io/checkpoint_layout.h"
#include <stddef.h>

/* What the elements of an array take. */
uint64_t t5_checkpoint_bytes(const t5_checkpoint_array *array);

/* image: the values' HDF5 file, which is on the disk, too, behind the user block, as the file
 * `values`, where it is only read. places (n): offsets and bytes of the arrays; *table: where they
 * are to be written. *fd: the file in memory, the caller's to close; -1 on failure. T5_ERR_IO (a
 * path is taken, ...), T5_ERR_MEMORY; path is for the messages. */
t5_status t5_checkpoint_make(const char *path, const char *values, const void *image, size_t bytes,
                             const t5_checkpoint_array *arrays, int n, t5_checkpoint_place *places,
                             int64_t *table, int *fd, t5_error *err);

#endif
