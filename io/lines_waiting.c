#include "io/lines_waiting.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static bool readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do
        n = poll(&p, 1, 0);
    while (n < 0 && errno == EINTR);
    return n != 0; /* an error is for the reader to report */
}

bool t5_lines_waiting(t5_lines *l) {
    size_t searched = 0;
    for (;;) {
        size_t unread = l->end - l->begin;
        if (l->at_end ||
            (unread > searched && memchr(l->buffer + l->begin + searched, '\n', unread - searched)))
            return true;
        searched = unread;
        if (!readable(l->fd))
            return false;
        if (l->begin > 0) {
            memmove(l->buffer, l->buffer + l->begin, unread);
            l->begin = 0;
            l->end = unread;
        }
        if (l->end == l->cap)
            return true;
        ssize_t got = read(l->fd, l->buffer + l->end, l->cap - l->end);
        if (got < 0)
            return errno != EAGAIN && errno != EINTR;
        l->at_end = got == 0;
        l->end += (size_t)got;
    }
}
