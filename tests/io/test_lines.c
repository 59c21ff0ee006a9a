/* Lines of every length around the limit and the size of the buffer, however they arrive. */
#include "io/lines.h"
#include "tests/io/scratch.h"
#include <fcntl.h>

static void what_cannot_be_read(void **state) {
    (void)state;
    t5_lines lines;
    const char *line;
    size_t length;
    bool too_long;
    t5_error err = {0};
    t5_lines_init(&lines, -1, 10);
    assert_int_equal(t5_lines_next(&lines, &line, &length, &too_long, &err), T5_ERR_IO);
    assert_text(err, "cannot be read: Bad file descriptor");
    t5_lines_free(&lines);
}

/* Lines joined by '|', one that is too long as '!'. */
static void check(const char *bytes, size_t n, size_t limit, const char *expected) {
    write_file("lines", bytes, n);
    int fd = open("lines", O_RDONLY);
    assert_true(fd >= 0);
    t5_lines lines;
    t5_lines_init(&lines, fd, limit);
    char joined[256] = "";
    int64_t count = 0;
    for (;;) {
        const char *line;
        size_t length;
        bool too_long;
        assert_int_equal(t5_lines_next(&lines, &line, &length, &too_long, NULL), T5_OK);
        if (!line)
            break;
        assert_int_equal(lines.number, ++count);
        size_t at = strlen(joined);
        snprintf(joined + at, sizeof joined - at, "%.*s|", too_long ? 1 : (int)length,
                 too_long ? "!" : line);
    }
    t5_lines_free(&lines);
    close(fd);
    assert_string_equal(joined, expected);
}

static void ends_marks_and_limits(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t limit;
        const char *expected;
    } cases[] = {
        {"", 4, ""},
        {"12345", 4, "!|"},
        {"12345\n1\n", 4, "!|1|"},
        {"12345\r\n1", 4, "!|1|"},
        {"1\n123456789012345678\n\n123456\n2", 4, "1|!||!|2|"},
        {"1234", 4, "1234|"},
        {"1234\n", 4, "1234|"},
        {"1234\r\n1234\r\n", 4, "1234|1234|"},
        {"\n", 4, "|"},
        {"\n\n", 4, "||"},
        {"\r\n\r\na", 4, "||a|"},
        {"a\rb\n", 4, "a\rb|"}, /* a lone return ends no line */
        {"a\r\r\n", 4, "a\r|"},
        {"\xef\xbb\xbf", 4, "|"},
        {"\xef\xbb\xbf"
         "1234\n",
         4, "1234|"}, /* the mark does not count */
        {"\xef\xbb\xbf\xef\xbb\xbf\n", 4, "\xef\xbb\xbf|"},
        {"a\n\xef\xbb\xbf"
         "b",
         4,
         "a|\xef\xbb\xbf"
         "b|"}, /* at the very start only */
        {"\xef\xbb", 4, "\xef\xbb|"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check(cases[i].bytes, strlen(cases[i].bytes), cases[i].limit, cases[i].expected);
}

/* Pairs of lines, the first of a length around multiples of the buffer: its end, "\r\n" or "\n",
 * may be cut anywhere by the reading in chunks. */
static void lengths_around_the_buffer(void **state) {
    (void)state;
    enum { LONGEST = 4 * 65536 + 8 };
    char *bytes = malloc(LONGEST + 16);
    for (size_t k = 1; k <= 4; k *= 2) {
        for (size_t n = k * 65536 - 4; n <= k * 65536 + 4; n++) {
            for (int crlf = 0; crlf < 2; crlf++) {
                memset(bytes, 'x', n);
                strcpy(bytes + n, crlf ? "\r\nend\r\n" : "\nend\n");
                write_file("lines", bytes, strlen(bytes));
                int fd = open("lines", O_RDONLY);
                t5_lines lines;
                t5_lines_init(&lines, fd, LONGEST);
                const char *line;
                size_t length;
                bool too_long;
                assert_int_equal(t5_lines_next(&lines, &line, &length, &too_long, NULL), T5_OK);
                assert_false(too_long);
                assert_int_equal(length, n);
                assert_memory_equal(line, bytes, n);
                assert_int_equal(t5_lines_next(&lines, &line, &length, &too_long, NULL), T5_OK);
                assert_int_equal(length, 3);
                assert_memory_equal(line, "end", 3);
                assert_int_equal(t5_lines_next(&lines, &line, &length, &too_long, NULL), T5_OK);
                assert_null(line);
                t5_lines_free(&lines);
                close(fd);
                /* and with a limit of one less */
                check(bytes, strlen(bytes), n - 1, "!|end|");
            }
        }
    }
    free(bytes);
}

/* A pipe gives a few bytes at a time. */
static void bytes_that_trickle_in(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    t5_lines lines;
    t5_lines_init(&lines, ends[0], 100);
    const char *line;
    size_t length;
    bool too_long;
    assert_int_equal(write(ends[1], "ab\nc", 4), 4);
    assert_int_equal(t5_lines_next(&lines, &line, &length, &too_long, NULL), T5_OK);
    assert_int_equal(length, 2);
    assert_int_equal(write(ends[1], "d\r\ne", 4), 4);
    close(ends[1]);
    assert_int_equal(t5_lines_next(&lines, &line, &length, &too_long, NULL), T5_OK);
    assert_int_equal(length, 2);
    assert_memory_equal(line, "cd", 2);
    assert_int_equal(t5_lines_next(&lines, &line, &length, &too_long, NULL), T5_OK);
    assert_int_equal(length, 1);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(t5_lines_next(&lines, &line, &length, &too_long, NULL), T5_OK);
        assert_null(line);
    }
    assert_int_equal(lines.number, 3);
    t5_lines_free(&lines);
    close(ends[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_read),
        cmocka_unit_test(ends_marks_and_limits),
        cmocka_unit_test(lengths_around_the_buffer),
        cmocka_unit_test(bytes_that_trickle_in),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
