/* A file of large float32 arrays beside small values: a model's weights, an optimiser's state. HDF5
 * that h5py reads like any other, with a checksum for every byte.
 *
 * The values are a store (io/store.h), built in memory; the arrays are contiguous data sets in the
 * same file whose places HDF5 fixes before any of them is written. From then on they are written
 * with pwrite, so nothing that can run out of disk or fail is in HDF5's hands (1.10.8 cannot let go
 * of a file that it could not write), memory stays small, and several writers can write ranges of
 * their own. That is what parallel HDF5 is for, too, but its writes are collective: every rank
 * would wait for the disk inside MPI where here a thread of each writes beside the training, and a
 * full disk would be met where HDF5 cannot let go.
 *
 * The first 512 bytes (HDF5's user block) and the data sets /arrays/paths and /arrays/places, which
 * a checkpoint has beside what it is given, say what the arrays are and hold the checksums (XXH3,
 * 64 bits) of each of them and of everything else. An array's is that of the checksums of its spans
 * of 1 MiB, one behind the other, so that several processes can make it. One thread at a time. */
#ifndef T5_IO_CHECKPOINT_H
#define T5_IO_CHECKPOINT_H
#include "io/store_read.h"

typedef struct t5_checkpoint_array {
    const char *path; /* "/weights/shared.weight" */
    int n_dims;       /* 1 or 2 */
    int64_t dims[2];
} t5_checkpoint_array;

typedef struct t5_checkpoint_writer t5_checkpoint_writer;

/* Begins a file that will replace `path` on commit. values: what it holds beside the arrays, a
 * store of t5_store_create; taken over, also on failure. n_arrays >= 1, none of them empty. The
 * whole room on the disk is reserved here. T5_ERR_IO (the disk is full, an array's path is taken, a
 * call on the store failed, ...), T5_ERR_MEMORY; nothing is left behind then. */
t5_status t5_checkpoint_begin(const char *path, t5_store *values, const t5_checkpoint_array *arrays,
                              int n_arrays, t5_checkpoint_writer **writer, t5_error *err);
/* Writes elements [first, first + n) of array i, each element once, in the order of the file:
 * arrays by number, first ascending without gaps (the checksum is made on the way). T5_ERR_IO,
 * also for another order; the first error stays. */
t5_status t5_checkpoint_write(t5_checkpoint_writer *writer, int i, int64_t first, int64_t n,
                              const float *data, t5_error *err);
/* Checksums, fsync, rename over path, fsync of the folder; frees in any case. Without HDF5, so that
 * a thread may do it beside others that use HDF5. T5_ERR_IO: an earlier error, an element that was
 * not written, or one of these steps; nothing new is left behind and what was at path is untouched
 * (but for a failed fsync of the folder, see io/replace.h). */
t5_status t5_checkpoint_commit(t5_checkpoint_writer *writer, t5_error *err);
void t5_checkpoint_abandon(t5_checkpoint_writer *writer); /* NULL is fine */

/* Several processes: one begins the file and says where the arrays are, all write ranges of them
 * and fsync, and the one that began gives the checksums of what all have written and commits. */
enum { T5_CHECKPOINT_SPAN = 1 << 18 }; /* elements with a checksum of their own; the last: fewer */
/* The name under which the file is written, the writer's; only until commit. */
const char *t5_checkpoint_temporary(const t5_checkpoint_writer *writer);
/* Where array i is: bytes from the beginning of the file. */
int64_t t5_checkpoint_offset(const t5_checkpoint_writer *writer, int i);
/* Takes array i as written, in the order of the file, with these checksums of all its spans. */
t5_status t5_checkpoint_written(t5_checkpoint_writer *writer, int i, const uint64_t *sums,
                                t5_error *err);

/* Opens such a file; a symbolic link is none. *fd is the caller's to close. T5_ERR_IO. */
t5_status t5_checkpoint_join(const char *temporary, int *fd, t5_error *err);
/* Writes n elements of the array at `offset` from element `first` on, a multiple of the span, and
 * leaves the checksum of each span in *sums. Here and in t5_checkpoint_sync only POSIX's calls: a
 * thread may make them beside others that use HDF5 or MPI. path: for messages. T5_ERR_IO. */
t5_status t5_checkpoint_write_range(const char *path, int fd, int64_t offset, int64_t first,
                                    int64_t n, const float *data, uint64_t *sums, t5_error *err);
/* fsync and close, in any case. T5_ERR_IO. */
t5_status t5_checkpoint_sync(const char *path, int fd, t5_error *err);

typedef struct t5_checkpoint t5_checkpoint;

/* Opens a file and verifies every byte of it against the checksums before anything is believed;
 * reads it once from end to end. T5_ERR_INPUT naming the file: not there, not such a file, cut
 * short, damaged (and where). T5_ERR_IO: it cannot be read now, and may be good. */
t5_status t5_checkpoint_open(const char *path, t5_checkpoint **checkpoint, t5_error *err);
void t5_checkpoint_close(t5_checkpoint *checkpoint); /* NULL is fine */
/* The values beside the arrays; the checkpoint's. */
t5_store_reader *t5_checkpoint_values(t5_checkpoint *checkpoint);
int t5_checkpoint_size(const t5_checkpoint *checkpoint);
const t5_checkpoint_array *t5_checkpoint_at(const t5_checkpoint *checkpoint, int i);
/* The number of the array of that path, -1: there is none. */
int t5_checkpoint_find(const t5_checkpoint *checkpoint, const char *path);
/* Elements [first, first + n) of array i. T5_ERR_INPUT: no such range; T5_ERR_IO. */
t5_status t5_checkpoint_read(t5_checkpoint *checkpoint, int i, int64_t first, int64_t n, float *out,
                             t5_error *err);

#endif
