/* A large file, written piece by piece, that appears whole or not at all: io/replace.h for what
 * does not fit into memory. */
#ifndef T5_IO_REPLACE_STREAM_H
#define T5_IO_REPLACE_STREAM_H
#include "base/status.h"
#include <stddef.h>

typedef struct t5_replace_stream t5_replace_stream;

/* Opens .NAME.tmp.PID beside path. T5_ERR_IO with the system's reason, T5_ERR_MEMORY. */
t5_status t5_replace_stream_open(const char *path, t5_replace_stream **stream, t5_error *err);
/* T5_ERR_IO with the system's reason: the disk is full, ... */
t5_status t5_replace_stream_write(t5_replace_stream *stream, const void *data, size_t bytes,
                                  t5_error *err);
/* fsyncs, renames it over path and fsyncs the folder. To be closed all the same. */
t5_status t5_replace_stream_finish(t5_replace_stream *stream, t5_error *err);
/* Unless it was finished the temporary file goes, and what was at path is untouched. NULL is fine.
 */
void t5_replace_stream_close(t5_replace_stream *stream);

#endif
