/* Files in a folder of their own, for the tests of this folder. Includes cmocka with what it needs.
 */
#ifndef T5_TESTS_IO_SCRATCH_H
#define T5_TESTS_IO_SCRATCH_H
#include "base/status.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* setup and teardown of a group: *state is the folder's path, which is also the working directory,
 * so that messages name files as the tests know them. */
static inline int scratch_make(void **state) {
    const char *base = getenv("TMPDIR");
    static char path[512]; /* of the one folder of this program */
    snprintf(path, sizeof path, "%s/t5mpi-test-XXXXXX", base && *base ? base : "/tmp");
    *state = path;
    return mkdtemp(path) && chdir(path) == 0 ? 0 : -1;
}

static inline int scratch_remove(void **state) {
    char command[600];
    snprintf(command, sizeof command, "chmod -R u+rwx '%s' && rm -r '%s'", (char *)*state,
             (char *)*state);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static inline void write_file(const char *name, const void *bytes, size_t n) {
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

#define assert_text(err, expected)                                       \
    do {                                                                 \
        if (!strstr((err).text, expected))                               \
            fail_msg("expected \"%s\" in \"%s\"", expected, (err).text); \
    } while (0)

#endif
