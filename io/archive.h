/* The members of a zip archive, by libzip. Values that are stored as they are, which is how PyTorch
 * stores them, can be read from the file itself: libzip only says where they are. */
#ifndef T5_IO_ARCHIVE_H
#define T5_IO_ARCHIVE_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct t5_archive t5_archive;

/* fd, a file of `size` bytes, stays the caller's and open until t5_archive_close. T5_ERR_INPUT: no
 * zip archive, or a damaged one; T5_ERR_IO, T5_ERR_MEMORY. */
t5_status t5_archive_open(int fd, int64_t size, t5_archive **archive, t5_error *err);
void t5_archive_close(t5_archive *archive); /* NULL is fine */

/* Name of the first member (valid until close); NULL: there is none. */
const char *t5_archive_first(const t5_archive *archive);
/* -1: no member of this name. */
int64_t t5_archive_find(const t5_archive *archive, const char *name);

/* Bytes of a member's content, and where it begins in the file if it is neither compressed nor
 * encrypted, else *offset is -1. T5_ERR_INPUT if it is not within the file or is encrypted. */
t5_status t5_archive_member(t5_archive *archive, int64_t member, int64_t *bytes, int64_t *offset,
                            t5_error *err);
/* The content of a member of at most `limit` bytes, malloc'd. T5_ERR_INPUT if it is longer or
 * damaged. */
t5_status t5_archive_load(t5_archive *archive, int64_t member, size_t limit, void **data,
                          size_t *bytes, t5_error *err);
/* Bytes [offset, offset + n) of a member's content. Cheap where the offset is not before the end of
 * the last call's range; else decompression starts again. */
t5_status t5_archive_read(t5_archive *archive, int64_t member, int64_t offset, void *out, size_t n,
                          t5_error *err);

#endif
