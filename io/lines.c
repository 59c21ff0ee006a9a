#include "io/lines.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

void t5_lines_init(t5_lines *lines, int fd, size_t limit) {
    *lines = (t5_lines){.fd = fd, .limit = limit};
}

void t5_lines_free(t5_lines *lines) {
    free(lines->buffer);
    *lines = (t5_lines){.fd = -1};
}

/* Reads at least one more byte behind the unread ones, or notices the end. Moves the unread bytes
 * to the front of the buffer first, which costs little: that is part of one line. */
static t5_status fill(t5_lines *l, t5_error *err) {
    if (l->begin > 0) {
        memmove(l->buffer, l->buffer + l->begin, l->end - l->begin);
        l->end -= l->begin;
        l->begin = 0;
    }
    if (l->end == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : CHUNK;
        char *buffer = realloc(l->buffer, cap);
        if (!buffer)
            return t5_fail(err, T5_ERR_MEMORY, "out of memory for a line of %zu bytes", cap);
        l->buffer = buffer;
        l->cap = cap;
    }
    ssize_t got;
    do
        got = read(l->fd, l->buffer + l->end, l->cap - l->end);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return t5_fail(err, T5_ERR_IO, "cannot be read: %s", strerror(errno));
    l->at_end = got == 0;
    l->end += (size_t)got;
    return T5_OK;
}

/* Drops what is left of a line that is too long. */
static t5_status skip_line(t5_lines *l, t5_error *err) {
    char *newline = NULL;
    t5_status status = T5_OK;
    while (!status && !(newline = memchr(l->buffer + l->begin, '\n', l->end - l->begin)) &&
           !l->at_end) {
        l->begin = l->end = 0;
        status = fill(l, err);
    }
    l->begin = newline ? (size_t)(newline - l->buffer) + 1 : l->end;
    return status;
}

/* Where the line that starts at begin ends: at a newline, at the end of the file, or beyond the
 * limit. */
static t5_status find_end(t5_lines *l, size_t *end, t5_error *err) {
    size_t searched = 0;
    for (;;) {
        size_t unread = l->end - l->begin;
        const char *newline = unread > searched
                                  ? memchr(l->buffer + l->begin + searched, '\n', unread - searched)
                                  : NULL;
        if (newline) {
            *end = (size_t)(newline - l->buffer);
            return T5_OK;
        }
        if (l->at_end || unread > l->limit + 2) { /* 2: its "\r\n" */
            *end = l->end;
            return T5_OK;
        }
        searched = unread;
        t5_status status = fill(l, err);
        if (status)
            return status;
    }
}

t5_status t5_lines_next(t5_lines *l, const char **line, size_t *length, bool *too_long,
                        t5_error *err) {
    size_t end = 0;
    t5_status status = find_end(l, &end, err);
    if (status)
        return status;
    *line = NULL;
    *length = 0;
    *too_long = false;
    if (l->begin == l->end)
        return T5_OK; /* nothing left */
    l->number++;
    if (l->number == 1 && end - l->begin >= 3 &&
        memcmp(l->buffer + l->begin, "\xef\xbb\xbf", 3) == 0)
        l->begin += 3;
    size_t n = end - l->begin;
    if (n > 0 && l->buffer[end - 1] == '\r')
        n--;
    if (n > l->limit) {
        *line = "";
        *too_long = true;
        return skip_line(l, err);
    }
    *line = l->buffer + l->begin;
    *length = n;
    l->begin = end < l->end ? end + 1 : end; /* behind the newline, where there is one */
    return T5_OK;
}
