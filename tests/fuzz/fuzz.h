/* What the fuzz targets share: a file of given bytes, and what has to hold of every error. */
#ifndef T5_TESTS_FUZZ_FUZZ_H
#define T5_TESTS_FUZZ_FUZZ_H
#include "base/status.h"
#include "base/utf8.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* libFuzzer's entry; always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program where a target's answer is wrong: libFuzzer keeps the input then. */
#define fuzz_check(condition)                                                              \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/* A failure has a status and a text of printable UTF-8; a success neither. */
static inline void fuzz_check_error(t5_status status, const t5_error *err) {
    fuzz_check(err->status == status);
    fuzz_check((status == T5_OK) == (err->text[0] == '\0'));
    fuzz_check(t5_utf8_valid(err->text, strlen(err->text)));
    for (const char *c = err->text; *c; c++)
        fuzz_check((unsigned char)*c >= 0x20 && *c != 0x7f);
}

/* The path of a file in memory with these bytes; the same one each time. */
static inline const char *fuzz_file(const uint8_t *data, size_t size) {
    static char path[64];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("input", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    fuzz_check(fd >= 0 && ftruncate(fd, 0) == 0);
    fuzz_check(pwrite(fd, data, size, 0) == (ssize_t)size);
    return path;
}

#endif
