/* Lines that come bit by bit: nothing is waited for, nothing is lost. */
#include "io/lines_waiting.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void put(int fd, const char *text) {
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void expect(t5_lines *lines, const char *expected) {
    const char *line;
    size_t n;
    bool too_long;
    assert_true(t5_lines_waiting(lines));
    assert_int_equal(t5_lines_next(lines, &line, &n, &too_long, NULL), T5_OK);
    assert_non_null(line);
    assert_false(too_long);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(line, expected, n);
}

static void a_broken_stream_is_the_readers(void **state) {
    (void)state;
    t5_lines lines;
    const char *line;
    size_t n;
    bool too_long;
    t5_lines_init(&lines, 1000000, 10); /* no such descriptor */
    assert_true(t5_lines_waiting(&lines));
    assert_int_equal(t5_lines_next(&lines, &line, &n, &too_long, NULL), T5_ERR_IO);
    t5_lines_free(&lines);
}

static void half_a_line_is_none(void **state) {
    (void)state;
    int fd[2];
    t5_lines lines;
    assert_int_equal(pipe(fd), 0);
    t5_lines_init(&lines, fd[0], 100);
    assert_false(t5_lines_waiting(&lines));
    put(fd[1], "first\nsec");
    expect(&lines, "first");
    assert_false(t5_lines_waiting(&lines));
    assert_false(t5_lines_waiting(&lines));
    put(fd[1], "o");
    assert_false(t5_lines_waiting(&lines));
    put(fd[1], "nd\n\nthird\r");
    expect(&lines, "second");
    expect(&lines, "");
    assert_false(t5_lines_waiting(&lines));
    close(fd[1]); /* an end ends the line, too */
    expect(&lines, "third");
    const char *line;
    size_t n;
    bool too_long;
    assert_true(t5_lines_waiting(&lines));
    assert_int_equal(t5_lines_next(&lines, &line, &n, &too_long, NULL), T5_OK);
    assert_null(line);
    close(fd[0]);
    t5_lines_free(&lines);
}

/* A line beyond the buffer is taken for a whole one once the buffer is full; reading it gives all
 * of it. */
static void long_lines_come_whole(void **state) {
    (void)state;
    enum { N = 150000, PIECE = 1000 };
    int fd[2], waited = 0;
    t5_lines lines;
    char piece[PIECE + 1];
    assert_int_equal(pipe(fd), 0);
    t5_lines_init(&lines, fd[0], 1 << 20);
    put(fd[1], "a\n");
    expect(&lines, "a");
    memset(piece, 'x', PIECE);
    piece[PIECE] = 0;
    int sent = 0;
    for (; sent < N && !t5_lines_waiting(&lines); sent += PIECE) {
        put(fd[1], piece);
        waited++;
    }
    assert_true(waited > 10 && sent < N);
    put(fd[1], "\nb\n");
    const char *line;
    size_t n;
    bool too_long;
    assert_int_equal(t5_lines_next(&lines, &line, &n, &too_long, NULL), T5_OK);
    assert_int_equal(n, sent);
    for (int i = 0; i < sent; i++)
        assert_int_equal(line[i], 'x');
    expect(&lines, "b");
    assert_false(t5_lines_waiting(&lines));
    close(fd[0]);
    close(fd[1]);
    t5_lines_free(&lines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_stream_is_the_readers),
        cmocka_unit_test(half_a_line_is_none),
        cmocka_unit_test(long_lines_come_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
