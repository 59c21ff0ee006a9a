/* Bad rows with the message that names their line; what is fine; skipping. */
#include "io/jsonl.h"
#include "tests/io/scratch.h"
#include <fcntl.h>

/* Rows as read: "input>target;" one after the other. */
typedef struct got {
    char text[512];
    int calls, fail_at; /* the call that fails, 0: none */
} got;

static t5_status keep(void *user, const char *const *values, const size_t *lengths, t5_error *err) {
    got *g = user;
    size_t at = strlen(g->text);
    if (++g->calls == g->fail_at)
        return t5_fail(err, T5_ERR_MEMORY, "enough");
    snprintf(g->text + at, sizeof g->text - at, "%.*s>%.*s;", (int)lengths[0], values[0],
             (int)lengths[1], values[1]);
    return T5_OK;
}

static const t5_jsonl_options strict = {.keys = {"in", "out"}};
#define EXPECTED "expected a JSON object with a string \"in\" and a string \"out\""

/* `bytes` is one line; it is read as the third of a file, behind a good row and a blank line. */
static const struct {
    const char *bytes;
    size_t n;
    const char *text;
} bad[] = {
#define LINE(s) s, sizeof(s) - 1
    {LINE("{"), "not JSON (column 1: string or '}' expected near end of file); " EXPECTED},
    {LINE("hello"), "not JSON (column 5: invalid token near 'hello'); " EXPECTED},
    {LINE("in,out"), "not JSON (column 2: invalid token near 'in'); " EXPECTED},
    {LINE("{'in': 'a', 'out': 'b'}"), "not JSON (column 2: string or '}' expected near '''"},
    {LINE("{\"in\": \"a\", \"out\": \"b\""), "not JSON (column 22: '}' expected near end of file"},
    {LINE("{\"in\": \"a\", \"out\": \"b"),
     "not JSON (column 21: premature end of input near '\"b'"},
    {LINE("{\"in\": \"a\", \"out\": \"b\",}"),
     "not JSON (column 24: string or '}' expected near '}'"},
    {LINE("{\"in\": \"a\", \"out\": \"b\"} x"),
     "not JSON (column 25: end of file expected near 'x'"},
    {LINE("{\"in\": \"a\", \"out\": \"b\"}{}"), "not JSON (column 24: end of file expected"},
    {LINE("{\"in\": \"a\", \"out\": \"b\", \"n\": NaN}"),
     "not JSON (column 32: invalid token near 'NaN'"},
    {LINE("{\"in\": \"a\tb\", \"out\": \"b\"}"), "not JSON (column 9: control character 0x9"},
    {LINE("{\"in\": \"a\0b\", \"out\": \"b\"}"), "not JSON (column 9: control character 0x0"},
    {LINE("{\"in\": \"a\\u0000\", \"out\": \"b\"}"), "not JSON (column 16: \\u0000 is not allowed"},
    {LINE("{\"in\": \"\\ud800\", \"out\": \"b\"}"),
     "not JSON (column 15: invalid Unicode '\\uD800'"},
    {LINE("\0"), "not JSON (column 1: "},
    {LINE("\x1b[2J"), "not JSON (column 1: invalid token near '?'); " EXPECTED}, /* quoted, tamed */
    {LINE("{\"in\": \"a\xff\", \"out\": \"b\"}"),
     "not UTF-8 (column 9: unable to decode byte 0xff"},
    {LINE("{\"in\": \"a\xe3\x81\", \"out\": \"b\"}"),
     "not UTF-8 (column 9: unable to decode byte 0xe3"},
    {LINE("{\"in\": \"\xed\xa0\x80\", \"out\": \"b\"}"),
     "not UTF-8 (column 8: unable to decode byte 0xed"},
    {LINE("{\"in\": \"\xc0\x80\", \"out\": \"b\"}"),
     "not UTF-8 (column 8: unable to decode byte 0xc0"},
    {LINE("\xff\xfe{\0}\0"), "not UTF-8 (column 1: unable to decode byte 0xff"}, /* UTF-16 */
    {LINE("{\"in\": \"a\", \"in\": \"b\", \"out\": \"c\"}"),
     "a key is there twice (column 16: duplicate object key near '\"in\"'); " EXPECTED},
    {LINE("[\"a\", \"b\"]"), "an array; " EXPECTED},
    {LINE("\"text\""), "a string; " EXPECTED},
    {LINE("12"), "a number; " EXPECTED},
    {LINE("null"), "null; " EXPECTED},
    {LINE("{}"), "no key \"in\"; " EXPECTED "; found none"},
    {LINE("{\"sns_text\": \"a\", \"emoji\": \"b\"}"),
     "no key \"in\"; " EXPECTED "; found \"sns_text\", \"emoji\""},
    {LINE("{\"in\": \"a\", \"Out\": \"b\"}"),
     "no key \"out\"; " EXPECTED "; found \"in\", \"Out\""},
    {LINE("{\"in\": \"a\", \"o\\nut\": \"b\"}"), "found \"in\", \"o?ut\""},
    {LINE("{\"in\": 1, \"out\": \"b\"}"), "\"in\" is a number; expected a string"},
    {LINE("{\"in\": 1.5e300, \"out\": \"b\"}"), "\"in\" is a number; expected a string"},
    {LINE("{\"in\": \"a\", \"out\": [\"b\"]}"), "\"out\" is an array; expected a string"},
    {LINE("{\"in\": {}, \"out\": \"b\"}"), "\"in\" is an object; expected a string"},
    {LINE("{\"in\": \"a\", \"out\": null}"), "\"out\" is null; expected a string"},
    {LINE("{\"in\": true, \"out\": \"b\"}"), "\"in\" is true; expected a string"},
    {LINE("{\"in\": \"\", \"out\": \"b\"}"), "\"in\" is empty; expected some text"},
    {LINE("{\"in\": \"a\", \"out\": \"\"}"), "\"out\" is empty; expected some text"},
    {LINE("{\"in\": \"a\", \"out\": \" \\t\\n\xe3\x80\x80\"}"),
     "\"out\" is empty but for white space; expected some text"},
#undef LINE
};

static void write_with_bad_line(size_t i) {
    static const char before[] = "{\"in\": \"1\", \"out\": \"2\"}\n\n";
    static const char after[] = "\n{\"out\": \"4\", \"in\": \"3\"}\n";
    char bytes[256];
    size_t n = sizeof before - 1;
    assert_true(bad[i].n + sizeof before + sizeof after < sizeof bytes);
    memcpy(bytes, before, n);
    memcpy(bytes + n, bad[i].bytes, bad[i].n);
    memcpy(bytes + n + bad[i].n, after, sizeof after - 1);
    write_file("rows.jsonl", bytes, n + bad[i].n + sizeof after - 1);
}

static void bad_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        write_with_bad_line(i);
        got g = {0};
        t5_jsonl_report report;
        t5_error err = {0};
        assert_int_equal(t5_jsonl_read("rows.jsonl", &strict, keep, &g, &report, &err),
                         T5_ERR_INPUT);
        assert_memory_equal(err.text, "rows.jsonl:3: ", 14);
        assert_text(err, bad[i].text);
        assert_string_equal(g.text, "1>2;");
        assert_int_equal(report.rows, 1);
    }
}

static void bad_rows_skipped(void **state) {
    (void)state;
    t5_jsonl_options options = strict;
    options.skip_bad_rows = true;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        write_with_bad_line(i);
        got g = {0};
        t5_jsonl_report report;
        t5_error err = {0};
        assert_int_equal(t5_jsonl_read("rows.jsonl", &options, keep, &g, &report, &err), T5_OK);
        assert_string_equal(err.text, "");
        assert_string_equal(g.text, "1>2;3>4;");
        assert_int_equal(report.rows, 2);
        assert_int_equal(report.skipped, 1);
        assert_int_equal(report.first_bad_line, 3);
        if (!strstr(report.first_bad, bad[i].text))
            fail_msg("expected \"%s\" in \"%s\"", bad[i].text, report.first_bad);
    }
    const char all_bad[] = "[]\n\n1\n{}\n";
    write_file("rows.jsonl", all_bad, sizeof all_bad - 1);
    got g = {0};
    t5_jsonl_report report;
    assert_int_equal(t5_jsonl_read("rows.jsonl", &options, keep, &g, &report, NULL), T5_OK);
    assert_int_equal(report.rows, 0);
    assert_int_equal(report.skipped, 3);
    assert_int_equal(report.first_bad_line, 1);
    assert_memory_equal(report.first_bad, "an array; ", 10);
}

/* Messages keep whole characters where they are cut: a key of 3-byte characters, found instead. */
static void long_messages_end_between_characters(void **state) {
    (void)state;
    t5_jsonl_options options = strict;
    char line[4000];
    for (int lead = 0; lead < 3; lead++) {
        int n = snprintf(line, sizeof line, "{\"%.*s", lead, "xx");
        for (int i = 0; i < 1000; i++)
            n += snprintf(line + n, sizeof line - (size_t)n, "あ");
        n += snprintf(line + n, sizeof line - (size_t)n, "\": \"\"}");
        write_file("rows.jsonl", line, (size_t)n);
        got g = {0};
        t5_jsonl_report report;
        t5_error err = {0};
        options.skip_bad_rows = false;
        assert_int_equal(t5_jsonl_read("rows.jsonl", &options, keep, &g, &report, &err),
                         T5_ERR_INPUT);
        options.skip_bad_rows = true;
        assert_int_equal(t5_jsonl_read("rows.jsonl", &options, keep, &g, &report, NULL), T5_OK);
        assert_true(strlen(err.text) > sizeof err.text - 4);
        assert_true(strlen(report.first_bad) > sizeof report.first_bad - 4);
        assert_string_equal(err.text + strlen(err.text) - 3, "あ");
        assert_string_equal(report.first_bad + strlen(report.first_bad) - 3, "あ");
    }
}

static void files_that_cannot_be_read(void **state) {
    (void)state;
    assert_int_equal(mkdir("folder", 0777), 0);
    static const struct {
        const char *path;
        t5_status status;
        const char *text;
    } cases[] = {
        {"missing.jsonl", T5_ERR_INPUT,
         "missing.jsonl: cannot be opened: No such file or directory"},
        {"", T5_ERR_INPUT, ": cannot be opened: No such file or directory"},
        {"folder", T5_ERR_INPUT, "folder: is a folder, expected a file of JSON Lines"},
        {"/proc/self/mem", T5_ERR_IO, "/proc/self/mem: cannot be read: Input/output error"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        got g = {0};
        t5_jsonl_report report = {.rows = 99};
        t5_error err = {0};
        assert_int_equal(t5_jsonl_read(cases[i].path, &strict, keep, &g, &report, &err),
                         cases[i].status);
        assert_text(err, cases[i].text);
        assert_int_equal(report.rows, 0);
    }
}

static void a_line_without_end(void **state) {
    (void)state;
    FILE *f = fopen("rows.jsonl", "wb");
    assert_non_null(f);
    fputs("{\"in\": \"1\", \"out\": \"2\"}\n", f);
    static char block[1 << 20];
    memset(block, '[', sizeof block);
    for (int i = 0; i < 65; i++)
        assert_int_equal(fwrite(block, sizeof block, 1, f), 1);
    fputs("\n{\"in\": \"3\", \"out\": \"4\"}\n", f);
    assert_int_equal(fclose(f), 0);
    got g = {0};
    t5_jsonl_report report;
    t5_error err = {0};
    assert_int_equal(t5_jsonl_read("rows.jsonl", &strict, keep, &g, &report, &err), T5_ERR_INPUT);
    assert_text(err, "rows.jsonl:2: a line of more than 67108864 bytes; " EXPECTED);
    t5_jsonl_options options = strict;
    options.skip_bad_rows = true;
    g = (got){0};
    assert_int_equal(t5_jsonl_read("rows.jsonl", &options, keep, &g, &report, NULL), T5_OK);
    assert_string_equal(g.text, "1>2;3>4;");
    assert_int_equal(report.skipped, 1);
    assert_int_equal(report.first_bad_line, 2);
    assert_int_equal(unlink("rows.jsonl"), 0);
}

static void nothing_wrong_with_these(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *rows;
    } cases[] = {
        {"", ""},
        {"\xef\xbb\xbf", ""},
        {" \n\t\r\n\xe3\x80\x80\n", ""},
        {"{\"in\": \"a\", \"out\": \"b\"}", "a>b;"},
        {"{\"in\": \"a\", \"out\": \"b\"}\r\n", "a>b;"},
        {"\xef\xbb\xbf{\"in\":\"a\",\"out\":\"b\"}\r\n\r\n {\"out\":\"d\",\"in\":\"c\"} \n",
         "a>b;c>d;"},
        {"{\"id\": 123456789012345678901234567890, \"in\": \"a\", \"out\": \"b\"}", "a>b;"},
        {"{\"x\": [1, {\"in\": 2}], \"in\": \"a\", \"out\": \" b \"}", "a> b ;"},
        {"{\"in\": \"\\u3042\\n\\\"\", \"out\": \"\\ud83c\\udfb5 📚\"}", "あ\n\">🎵 📚;"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        write_file("rows.jsonl", cases[i].bytes, strlen(cases[i].bytes));
        got g = {0};
        t5_jsonl_report report;
        t5_error err = {0};
        assert_int_equal(t5_jsonl_read("rows.jsonl", &strict, keep, &g, &report, &err), T5_OK);
        assert_string_equal(g.text, cases[i].rows);
        assert_int_equal(report.rows, g.calls);
        assert_int_equal(report.skipped, 0);
        assert_int_equal(report.first_bad_line, 0);
    }
}

static void empty_answers_are_fine_where_allowed(void **state) {
    (void)state;
    const t5_jsonl_options options = {.keys = {"gold", "pred"}, .allow_empty = true};
    const char bytes[] = "{\"gold\": \"a b\", \"pred\": \"\"}\n{\"gold\": \" \", \"pred\": \"c\"}\n"
                         "{\"gold\": \"a\"}\n";
    write_file("rows.jsonl", bytes, sizeof bytes - 1);
    got g = {0};
    t5_jsonl_report report;
    t5_error err = {0};
    assert_int_equal(t5_jsonl_read("rows.jsonl", &options, keep, &g, &report, &err), T5_ERR_INPUT);
    assert_string_equal(err.text,
                        "rows.jsonl:3: no key \"pred\"; expected a JSON object with a string "
                        "\"gold\" and a string \"pred\"; found \"gold\"");
    assert_string_equal(g.text, "a b>; >c;");
}

static void a_failing_callback_ends_the_reading(void **state) {
    (void)state;
    const char bytes[] = "{\"in\": \"a\", \"out\": \"b\"}\n{\"in\": \"c\", \"out\": \"d\"}\n[]";
    write_file("rows.jsonl", bytes, sizeof bytes - 1);
    t5_jsonl_options options = strict;
    options.skip_bad_rows = true; /* that is about rows only */
    got g = {.fail_at = 2};
    t5_jsonl_report report;
    t5_error err = {0};
    assert_int_equal(t5_jsonl_read("rows.jsonl", &options, keep, &g, &report, &err), T5_ERR_MEMORY);
    assert_string_equal(err.text, "rows.jsonl:2: enough");
    assert_int_equal(report.rows, 1);
    assert_int_equal(report.skipped, 0);
}

static void standard_input(void **state) {
    (void)state;
    const char bytes[] = "{\"in\": \"a\", \"out\": \"b\"}\n[]";
    write_file("rows.jsonl", bytes, sizeof bytes - 1);
    int saved = dup(STDIN_FILENO), fd = open("rows.jsonl", O_RDONLY);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
    got g = {0};
    t5_jsonl_report report;
    t5_error err = {0};
    t5_status status = t5_jsonl_read("-", &strict, keep, &g, &report, &err);
    int still_open = fcntl(STDIN_FILENO, F_GETFD);
    if (saved >= 0) {
        dup2(saved, STDIN_FILENO);
        close(saved);
    }
    assert_int_equal(status, T5_ERR_INPUT);
    assert_memory_equal(err.text, "standard input:2: an array; ", 28);
    assert_string_equal(g.text, "a>b;");
    assert_int_not_equal(still_open, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_rows),
        cmocka_unit_test(bad_rows_skipped),
        cmocka_unit_test(long_messages_end_between_characters),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(a_line_without_end),
        cmocka_unit_test(nothing_wrong_with_these),
        cmocka_unit_test(empty_answers_are_fine_where_allowed),
        cmocka_unit_test(a_failing_callback_ends_the_reading),
        cmocka_unit_test(standard_input),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
