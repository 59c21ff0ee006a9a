#include "io/replace_stream.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct t5_replace_stream {
    char *path, *temporary, *folder;
    int fd;       /* -1: closed */
    int is_there; /* the temporary file */
};

static t5_status fail_errno(const t5_replace_stream *s, const char *what, t5_error *err) {
    return t5_fail(err, T5_ERR_IO, "%s: %s: %s", s->path, what, strerror(errno));
}

t5_status t5_replace_stream_open(const char *path, t5_replace_stream **stream, t5_error *err) {
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) + 1 : 0;
    t5_replace_stream *s = calloc(1, sizeof *s);
    *stream = NULL;
    if (!s)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    s->fd = -1;
    s->path = strdup(path);
    s->folder = n ? strndup(path, (size_t)n) : strdup(".");
    if (asprintf(&s->temporary, "%.*s.%s.tmp.%ld", n, path, path + n, (long)getpid()) < 0)
        s->temporary = NULL;
    t5_status status = T5_OK;
    if (!s->path || !s->folder || !s->temporary)
        status = t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    if (!status) {
        s->fd = open(s->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
        s->is_there = s->fd >= 0;
        if (s->fd < 0)
            status = fail_errno(s, "cannot be written", err);
    }
    if (status)
        t5_replace_stream_close(s);
    else
        *stream = s;
    return status;
}

t5_status t5_replace_stream_write(t5_replace_stream *s, const void *data, size_t bytes,
                                  t5_error *err) {
    const char *at = data;
    while (bytes > 0) {
        ssize_t n = write(s->fd, at, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(s, "cannot be written", err);
        at += n;
        bytes -= (size_t)n;
    }
    return T5_OK;
}

/* Some file systems cannot fsync (EINVAL): then there is nothing more to be had. */
static int sync_fd(int fd) {
    return fsync(fd) == 0 || errno == EINVAL ? 0 : -1;
}

static t5_status sync_folder(const t5_replace_stream *s, t5_error *err) {
    int fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    t5_status status = T5_OK;
    if (fd < 0 || sync_fd(fd))
        status = fail_errno(s, "is written, but may be lost in a crash, its folder's fsync", err);
    if (fd >= 0)
        close(fd);
    return status;
}

t5_status t5_replace_stream_finish(t5_replace_stream *s, t5_error *err) {
    if (sync_fd(s->fd))
        return fail_errno(s, "cannot be written", err);
    int fd = s->fd;
    s->fd = -1;
    if (close(fd))
        return fail_errno(s, "cannot be written", err);
    if (rename(s->temporary, s->path))
        return fail_errno(s, "cannot be replaced", err);
    s->is_there = 0;
    return sync_folder(s, err);
}

void t5_replace_stream_close(t5_replace_stream *s) {
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    if (s->is_there)
        unlink(s->temporary);
    free(s->path);
    free(s->temporary);
    free(s->folder);
    free(s);
}
