/* The log as it arrives on stderr: prefixes, levels, whole lines. */
#include "base/log.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* needs those above */

enum { CAPACITY = 1 << 16 };

/* stderr goes to a file while `body` runs; what came is returned in text. */
static void capture(void (*body)(void), char text[CAPACITY]) {
    char path[] = "/tmp/t5mpi-test-log-XXXXXX";
    int file = mkstemp(path), saved = dup(STDERR_FILENO);
    assert_true(file >= 0 && saved >= 0);
    unlink(path);
    assert_true(dup2(file, STDERR_FILENO) >= 0);
    body();
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = pread(file, text, CAPACITY - 1, 0);
    close(file);
    assert_true(n >= 0);
    text[n] = '\0';
}

static void say_everything(void) {
    t5_log(T5_LOG_ERROR, "one %d", 1);
    t5_log(T5_LOG_WARNING, "two\nlines");
    t5_log(T5_LOG_INFO, "three");
    t5_log(T5_LOG_DEBUG, "four");
}

static void levels_and_prefixes(void **state) {
    (void)state;
    char text[CAPACITY];
    t5_log_setup(T5_LOG_INFO, -1);
    capture(say_everything, text);
    assert_string_equal(text, "t5mpi: error: one 1\nt5mpi: warning: two lines\nt5mpi: three\n");
    t5_log_setup(T5_LOG_ERROR, 3);
    capture(say_everything, text);
    assert_string_equal(text, "t5mpi[3]: error: one 1\n");
    t5_log_setup(T5_LOG_DEBUG, 0);
    capture(say_everything, text);
    assert_non_null(strstr(text, "t5mpi[0]: debug: four\n"));
}

static void say_too_much(void) {
    char text[4096];
    for (size_t i = 0; i + 4 < sizeof text; i += 4)
        memcpy(text + i, "\xf0\x9f\x8e\xb5", 5);
    errno = ENOSPC;
    t5_log(T5_LOG_ERROR, "%s", text);
    assert_int_equal(errno, ENOSPC);
}

static void long_lines_are_cut_between_characters(void **state) {
    (void)state;
    char text[CAPACITY];
    t5_log_setup(T5_LOG_ERROR, -1);
    capture(say_too_much, text);
    size_t n = strlen(text), head = strlen("t5mpi: error: ");
    assert_true(n > 2000 && n < 2100);
    assert_int_equal(text[n - 1], '\n');
    assert_int_equal((n - 1 - head) % 4, 0);
}

enum { THREADS = 4, LINES = 50 };
static void *talk(void *letter) {
    char text[101];
    memset(text, *(const char *)letter, 100);
    text[100] = '\0';
    for (int i = 0; i < LINES; i++)
        t5_log(T5_LOG_INFO, "%s", text);
    return NULL;
}
static void talk_at_once(void) {
    static const char letters[THREADS] = {'a', 'b', 'c', 'd'};
    pthread_t thread[THREADS];
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&thread[t], NULL, talk, (void *)(uintptr_t)&letters[t]), 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(thread[t], NULL);
}

static void lines_of_threads_do_not_mix(void **state) {
    (void)state;
    char text[CAPACITY], want[16];
    t5_log_setup(T5_LOG_INFO, -1);
    capture(talk_at_once, text);
    int lines = 0;
    for (char *rest, *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest), lines++) {
        assert_int_equal(strlen(line), 107);
        memset(want, line[7], sizeof want);
        for (int i = 7; i < 107; i++)
            assert_int_equal(line[i], want[0]);
    }
    assert_int_equal(lines, THREADS * LINES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_and_prefixes),
        cmocka_unit_test(long_lines_are_cut_between_characters),
        cmocka_unit_test(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
