/* For tests of the program as a user has it: a temporary folder, files in it, commands with their
 * output. Everything aborts the test on a failure of its own. */
#ifndef T5_TESTS_CLI_PROGRAM_H
#define T5_TESTS_CLI_PROGRAM_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct run_result {
    int status;   /* exit status, or 128 + signal */
    char *output; /* stdout and stderr together; malloc'd */
} run_result;

static char folder[] = "/tmp/t5mpi-test-XXXXXX";

static inline int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static inline int remove_folder(void **state) {
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") || system(command);
}

static inline void write_file(const char *name, const void *data, size_t bytes) {
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static inline void write_text(const char *name, const char *text) {
    write_file(name, text, strlen(text));
}

/* Runs a shell command (the tests' own, no user's input) in the temporary folder. */
static inline run_result run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline run_result run(const char *format, ...) {
    char command[4096];
    va_list args;
    run_result r = {0, NULL};
    size_t n = 0, cap = 1 << 16;

    va_start(args, format);
    int length = vsnprintf(command, sizeof command - 8, format, args);
    va_end(args);
    assert_in_range(length, 1, sizeof command - 9);
    strcat(command, " 2>&1");
    FILE *p = popen(command, "r");
    assert_non_null(p);
    r.output = malloc(cap);
    assert_non_null(r.output);
    for (size_t got; (got = fread(r.output + n, 1, cap - n - 1, p)) > 0;) {
        n += got;
        if (n + 1 == cap) {
            r.output = realloc(r.output, cap *= 2);
            assert_non_null(r.output);
        }
    }
    r.output[n] = 0;
    int status = pclose(p);
    r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return r;
}

/* Fails the test, with the whole output, unless the status is as expected. */
static inline void expect_status(const char *what, const run_result *r, int status) {
    if (r->status != status)
        fail_msg("%s: exit status %d, expected %d; it printed:\n%s", what, r->status, status,
                 r->output);
}

static inline void expect_text(const char *what, const run_result *r, const char *text) {
    if (!strstr(r->output, text))
        fail_msg("%s: expected \"%s\" in:\n%s", what, text, r->output);
}

#endif
