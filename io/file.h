/* Small files as a whole, and folders. */
#ifndef T5_IO_FILE_H
#define T5_IO_FILE_H
#include "base/status.h"
#include <stddef.h>

/* Opens a regular file for reading; *size in bytes. T5_ERR_INPUT with the reason ("No such file or
 * directory") if the name leads to none that may be read, T5_ERR_IO if it cannot be opened now
 * ("Too many open files"); *fd is -1 then. */
t5_status t5_file_open(const char *path, int *fd, size_t *size, t5_error *err);
/* *data malloc'd, a NUL behind it that does not count. Errors: as above; T5_ERR_IO if it cannot be
 * read. */
t5_status t5_file_read(const char *path, void **data, size_t *bytes, t5_error *err);
/* Makes the folder and its parents (permissions as the umask says); fine if it is there. T5_ERR_IO.
 */
t5_status t5_file_make_folder(const char *path, t5_error *err);
/* Makes base/below, each folder of `below` unless it is there; `base` is. None of them may be a
 * symbolic link: nothing is written through one. T5_ERR_INPUT naming it if one is. T5_ERR_IO. */
t5_status t5_file_make_folder_below(const char *base, const char *below, t5_error *err);
/* 1: there is a folder of that name, itself, not by a link. */
int t5_file_is_folder(const char *path);
/* 1: there is something of that name (a broken link is nothing), 0: there is not, or a folder on
 * the way cannot be searched. */
int t5_file_exists(const char *path);

#endif
