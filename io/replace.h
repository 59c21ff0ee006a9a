/* Writing a whole file so that nobody ever sees half of it. */
#ifndef T5_IO_REPLACE_H
#define T5_IO_REPLACE_H
#include "base/status.h"
#include <stddef.h>

/* Writes `bytes` bytes to .NAME.tmp.PID beside `path`, fsyncs, renames it over `path` and fsyncs
 * the folder. On failure (T5_ERR_IO with the system's reason, T5_ERR_MEMORY) the temporary file is
 * gone and what was at `path` is untouched; only if the folder's fsync fails is the new file
 * already there, and the text says so. */
t5_status t5_file_replace(const char *path, const void *data, size_t bytes, t5_error *err);

/* For a file that is not written in one piece: creates .NAME.tmp.PID beside `path`, open for
 * reading and writing. *temporary is malloc'd; on failure NULL, and *fd is -1. */
t5_status t5_file_begin(const char *path, char **temporary, int *fd, t5_error *err);
/* fsync; fine where a file system has none. 0, or -1 with errno. */
int t5_file_sync(int fd);
/* write(2) until everything is written. 0, or -1 with errno. */
int t5_file_write(int fd, const void *data, size_t bytes);
/* fsyncs fd, closes it in any case, and goes on as t5_file_replace does. */
t5_status t5_file_finish(const char *path, const char *temporary, int fd, t5_error *err);

/* Removes what writers that were killed have left in a folder: files .NAME.tmp.PID. As far as that
 * works; no such folder is fine. Nobody may be writing there. */
void t5_file_remove_temporaries(const char *folder);

/* T5_ERR_IO if the folder of `path` does not exist or cannot be written to: lets a long run fail
 * before its work rather than after it. */
t5_status t5_file_check_folder(const char *path, t5_error *err);

/* fsyncs the folder of `path`, as far as the file system can. 0, or -1 with errno. */
int t5_file_sync_folder(const char *path);

#endif
