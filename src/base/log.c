#include "base/log.h"
#include "base/utf8.h"
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* Level and rank: set once at start, read from every thread. */
static atomic_int g_level = T5_LOG_INFO;
static atomic_int g_rank = -1;

void t5_log_setup(t5_log_level level, int rank) {
    atomic_store(&g_level, (int)level);
    atomic_store(&g_rank, rank);
}

static const char *level_prefix(t5_log_level level) {
    switch (level) {
    case T5_LOG_ERROR:
        return "error: ";
    case T5_LOG_WARNING:
        return "warning: ";
    case T5_LOG_INFO:
        return "";
    case T5_LOG_DEBUG:
        return "debug: ";
    }
    return "";
}

/* One write a line: lines of several threads and ranks do not mix. Nothing can be done about a log
 * that cannot be written, so failures other than an interruption are dropped. */
static void write_line(const char *line, size_t n) {
    while (n > 0) {
        ssize_t w = write(STDERR_FILENO, line, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return;
        line += w;
        n -= (size_t)w;
    }
}

void t5_log(t5_log_level level, const char *format, ...) {
    if ((int)level > atomic_load(&g_level))
        return;
    char line[2048];
    int rank = atomic_load(&g_rank);
    int head = rank < 0 ? snprintf(line, sizeof line, "t5mpi: %s", level_prefix(level))
                        : snprintf(line, sizeof line, "t5mpi[%d]: %s", rank, level_prefix(level));
    size_t start = (size_t)head, room = sizeof line - 1 - start; /* 1: the newline */
    va_list args;
    va_start(args, format);
    int body = vsnprintf(line + start, room, format, args);
    va_end(args);
    size_t n = body < 0 ? 0 : (size_t)body;
    if (n >= room)
        n = t5_utf8_cut(line + start, room - 1);
    for (size_t i = start; i < start + n; i++)
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' '; /* a message is a line, whatever text went into it */
    line[start + n] = '\n';
    int saved = errno; /* logging an error must not change the error */
    write_line(line, start + n + 1);
    errno = saved;
}
