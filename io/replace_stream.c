#include "io/replace_stream.h"
#include "io/replace.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct t5_replace_stream {
    char *path, *temporary;
    int fd; /* -1: finished */
};

t5_status t5_replace_stream_open(const char *path, t5_replace_stream **stream, t5_error *err) {
    t5_replace_stream *s = calloc(1, sizeof *s);
    *stream = NULL;
    if (!s || !(s->path = strdup(path))) {
        free(s);
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    }
    t5_status status = t5_file_begin(path, &s->temporary, &s->fd, err);
    if (status == T5_OK)
        *stream = s;
    else
        t5_replace_stream_close(s);
    return status;
}

t5_status t5_replace_stream_write(t5_replace_stream *s, const void *data, size_t bytes,
                                  t5_error *err) {
    return t5_file_write(s->fd, data, bytes) == 0
               ? T5_OK
               : t5_fail(err, T5_ERR_IO, "%s: cannot be written: %s", s->path, strerror(errno));
}

t5_status t5_replace_stream_finish(t5_replace_stream *s, t5_error *err) {
    int fd = s->fd;
    s->fd = -1;
    return t5_file_finish(s->path, s->temporary, fd, err);
}

void t5_replace_stream_close(t5_replace_stream *s) {
    if (!s)
        return;
    if (s->fd >= 0) {
        close(s->fd);
        unlink(s->temporary);
    }
    free(s->path);
    free(s->temporary);
    free(s);
}
