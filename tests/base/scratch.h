/* A directory for files that a test writes: made and entered by scratch_enter, removed with all
 * that is in it by scratch_leave (cmocka's group setup and teardown). */
#ifndef TESTS_BASE_SCRATCH_H
#define TESTS_BASE_SCRATCH_H
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline int scratch_enter(void **state) {
    const char *parent = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/t5mpi-test-XXXXXX", parent && parent[0] ? parent : "/tmp");
    if (!mkdtemp(path) || chdir(path) != 0)
        return -1;
    *state = strdup(path);
    return *state ? 0 : -1;
}

static inline int scratch_remove(const char *path, const struct stat *info, int type,
                                 struct FTW *level) {
    (void)info;
    (void)type;
    (void)level;
    return remove(path);
}

static inline int scratch_leave(void **state) {
    int failed = chdir("/") != 0 || nftw(*state, scratch_remove, 8, FTW_DEPTH | FTW_PHYS) != 0;
    free(*state);
    return failed ? -1 : 0;
}

/* Writes n bytes; false if that fails. */
static inline int scratch_write_bytes(const char *name, const void *bytes, size_t n) {
    FILE *file = fopen(name, "wb");
    int ok = file && fwrite(bytes, 1, n, file) == n;
    return file && fclose(file) == 0 && ok;
}
static inline int scratch_write(const char *name, const char *text) {
    return scratch_write_bytes(name, text, strlen(text));
}

#endif
