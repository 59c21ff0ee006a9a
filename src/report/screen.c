#include "report/screen.h"
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* mpirun, a shell around the program, a wrapper or two. */
enum { MAX_ANCESTORS = 8 };

typedef enum { NO_TERMINAL, SIZELESS_TERMINAL, TERMINAL } kind;

static kind kind_of(int fd, struct winsize *size) {
    *size = (struct winsize){0};
    if (!isatty(fd))
        return NO_TERMINAL;
    return ioctl(fd, TIOCGWINSZ, size) == 0 && size->ws_col > 0 ? TERMINAL : SIZELESS_TERMINAL;
}

/* The same of another process's file number fd. */
static kind kind_of_process(long process, int fd, struct winsize *size) {
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", process, fd);
    if (stat(path, &st) || !S_ISCHR(st.st_mode)) /* opening a pipe might have effects */
        return NO_TERMINAL;
    int copy = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (copy < 0)
        return NO_TERMINAL;
    kind k = kind_of(copy, size);
    close(copy);
    return k;
}

/* 0 if it cannot be found out. */
static long parent_of(long process) {
    char path[64], text[512];
    long parent = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", process);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *name_end = strrchr(text, ')'); /* the name may hold anything */
    if (!name_end || sscanf(name_end, ") %*c %ld", &parent) != 1)
        return 0;
    return parent;
}

bool t5_screen_find(FILE *out, int *columns, int *rows) {
    struct winsize size;
    int fd = fileno(out);
    kind k = fd >= 0 ? kind_of(fd, &size) : NO_TERMINAL;
    long process = getppid();
    for (int i = 0; k == SIZELESS_TERMINAL && i < MAX_ANCESTORS && process > 1; i++) {
        k = kind_of_process(process, fd, &size);
        process = parent_of(process);
    }
    if (columns)
        *columns = k == TERMINAL ? size.ws_col : 0;
    if (rows)
        *rows = k == TERMINAL ? size.ws_row : 0;
    return k != NO_TERMINAL;
}
