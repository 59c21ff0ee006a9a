#include "report/gnuplot.h"
#include "base/utf8.h"
#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bytes of the character that s begins with, 1 for what is no UTF-8; *code: its number, 0 for the
 * latter. */
static size_t take_character(const char *s, uint32_t *code) {
    unsigned char first = (unsigned char)*s;
    size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (strnlen(s, n) < n || !t5_utf8_valid(s, n)) {
        *code = 0;
        return 1;
    }
    *code = n == 1 ? first : first & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++)
        *code = *code << 6 | ((unsigned char)s[i] & 0x3f);
    return n;
}

/* Letters, also Japanese ones. What may be an emoji is not: where the system has a font of coloured
 * pictures for it, gnuplot draws it as large as the page. */
static bool is_drawable(uint32_t c) {
    bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    bool symbol = (c >= 0x2000 && c < 0x2e80) || c == 0x3030 || c == 0x303d || c == 0x3297 ||
                  c == 0x3299 || (c >= 0xd800 && c < 0xf900) || (c >= 0xfe00 && c < 0xfe10);
    bool ideograph = c >= 0x20000 && c < 0x40000;
    return !control && !symbol && (c < 0x10000 || ideograph);
}

void t5_gnuplot_quote(FILE *out, const char *text) {
    fputc('\'', out);
    while (*text) {
        uint32_t code;
        size_t n = take_character(text, &code);
        if (*text == '\'')
            fputs("\'\'", out);
        else if (is_drawable(code))
            fwrite(text, 1, n, out);
        else
            fputc('?', out);
        text += n;
    }
    fputc('\'', out);
}

/* Standard input, output and errors of the program are files in memory: nothing can fill up and
 * wait for the other side. */
enum { IN, OUT, ERRORS, N_STREAMS };

static t5_status open_streams(int fd[N_STREAMS], const char *commands, size_t bytes,
                              t5_error *err) {
    for (int s = 0; s < N_STREAMS; s++)
        fd[s] = memfd_create("gnuplot", MFD_CLOEXEC);
    for (size_t done = 0; fd[IN] >= 0 && done < bytes;) {
        ssize_t n = write(fd[IN], commands + done, bytes - done);
        if (n < 0 && errno != EINTR)
            return t5_fail(err, T5_ERR_IO, "gnuplot's commands cannot be kept in memory: %s",
                           strerror(errno));
        done += n > 0 ? (size_t)n : 0;
    }
    return fd[IN] >= 0 && fd[OUT] >= 0 && fd[ERRORS] >= 0 && lseek(fd[IN], 0, SEEK_SET) == 0
               ? T5_OK
               : t5_fail(err, T5_ERR_IO, "no files in memory for gnuplot: %s", strerror(errno));
}

/* A NUL behind it, which does not count. */
static void *read_all(int fd, size_t *bytes, t5_error *err) {
    struct stat about;
    char *data = NULL;
    *bytes = 0;
    if (fstat(fd, &about) == 0 && (data = malloc((size_t)about.st_size + 1))) {
        while (*bytes < (size_t)about.st_size) {
            ssize_t n = pread(fd, data + *bytes, (size_t)about.st_size - *bytes, (off_t)*bytes);
            if (n <= 0 && errno != EINTR)
                break;
            *bytes += n > 0 ? (size_t)n : 0;
        }
        data[*bytes] = 0;
    }
    if (!data)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for what gnuplot wrote");
    return data;
}

/* -1 and *found as it is, or an error. */
static pid_t start(const int fd[N_STREAMS], bool *found, t5_error *err) {
    char name[] = "gnuplot", defaults[] = "--default-settings", standard[] = "-";
    char *const arguments[] = {name, defaults, standard, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child = -1;
    int cause = posix_spawn_file_actions_init(&actions);
    if (cause == 0) {
        for (int s = 0; s < N_STREAMS && cause == 0; s++)
            cause = posix_spawn_file_actions_adddup2(&actions, fd[s], s);
        if (cause == 0)
            cause = posix_spawnp(&child, name, &actions, NULL, arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    *found = cause != ENOENT;
    if (cause != 0 && *found)
        t5_fail(err, T5_ERR_IO, "gnuplot cannot be started: %s", strerror(cause));
    return cause == 0 ? child : -1;
}

/* The first line of what it complained about that says anything. */
static t5_status explain(int fd, int status, t5_error *err) {
    size_t n;
    char *text = read_all(fd, &n, err), *line = text;
    if (!text)
        return err->status;
    char *mark = strstr(text, "line "); /* before it: the command again, with an arrow below */
    if (mark)
        line = mark;
    line += strspn(line, " \t\n");
    line[strcspn(line, "\n")] = 0;
    if (WIFSIGNALED(status))
        t5_fail(err, T5_ERR_IO, "gnuplot was ended by signal %d", WTERMSIG(status));
    else
        t5_fail(err, T5_ERR_IO, "gnuplot failed with status %d: %.300s", WEXITSTATUS(status),
                *line ? line : "it does not say why");
    free(text);
    return err->status;
}

t5_status t5_gnuplot_run(const char *commands, size_t bytes, bool *found, void **output,
                         size_t *output_bytes, t5_error *err) {
    int fd[N_STREAMS] = {-1, -1, -1}, status = 0;
    pid_t child = -1, ended;
    *found = true;
    *output = NULL;
    *output_bytes = 0;
    if (open_streams(fd, commands, bytes, err) == T5_OK)
        child = start(fd, found, err);
    if (child > 0) {
        do
            ended = waitpid(child, &status, 0);
        while (ended < 0 && errno == EINTR);
        if (ended < 0)
            t5_fail(err, T5_ERR_IO, "gnuplot cannot be waited for: %s", strerror(errno));
        else if (status != 0)
            explain(fd[ERRORS], status, err);
        else
            *output = read_all(fd[OUT], output_bytes, err);
    }
    for (int s = 0; s < N_STREAMS; s++)
        if (fd[s] >= 0)
            close(fd[s]);
    return err->status;
}
