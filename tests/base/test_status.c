/* t5_error: first failure wins, texts are cut at character boundaries. */
#include "base/status.h"
#include "base/utf8.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* needs those above */

static void cut_gives_up_only_the_broken_character(void **state) {
    (void)state;
    static const struct {
        const char *s;
        size_t n, want;
    } cases[] = {
        {"", 0, 0},
        {"abc", 2, 2},
        {"\xc3\xa9", 1, 0},          /* e acute, cut */
        {"\xc3\xa9", 2, 2},          /* whole */
        {"a\xf0\x9f\x8e\xb5", 4, 1}, /* musical note, one byte missing */
        {"a\xf0\x9f\x8e\xb5", 3, 1}, /* two missing */
        {"a\xf0\x9f\x8e\xb5", 2, 1}, /* three missing */
        {"a\xf0\x9f\x8e\xb5", 5, 5}, /* whole */
        {"\xe3\x81\x82z", 2, 0},     /* hiragana a */
        {"\xe3\x81\x82z", 3, 3},
        {"\x80\x80\x80\x80\x80", 5, 5}, /* no UTF-8: left alone */
        {"\x80", 1, 1},
        {"a\xff", 2, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(t5_utf8_cut(cases[i].s, cases[i].n), cases[i].want);
}

static void fail_without_an_error_returns_the_status(void **state) {
    (void)state;
    assert_int_equal(t5_fail(NULL, T5_ERR_IO, "%d", 1), T5_ERR_IO);
}

static void the_first_failure_wins(void **state) {
    (void)state;
    t5_error err = {0};
    assert_int_equal(t5_fail(&err, T5_ERR_MEMORY, "first %d", 1), T5_ERR_MEMORY);
    assert_int_equal(t5_fail(&err, T5_ERR_IO, "second"), T5_ERR_MEMORY);
    assert_int_equal(err.status, T5_ERR_MEMORY);
    assert_string_equal(err.text, "first 1");
}

/* A text that is too long by 0..8 bytes, so that the cut falls on every byte of a character. */
static void long_texts_are_cut_between_characters(void **state) {
    (void)state;
    const char note[] = "\xf0\x9f\x8e\xb5";
    const size_t size = sizeof(t5_error){0}.text;
    for (size_t shift = 0; shift < 8; shift++) {
        char text[1400] = {0};
        memset(text, 'x', shift);
        for (size_t n = shift; n + 4 < sizeof text; n += 4)
            memcpy(text + n, note, 4);
        t5_error err = {0};
        t5_fail(&err, T5_ERR_INPUT, "%s", text);
        size_t want = shift + (size - 1 - shift) / 4 * 4;
        assert_int_equal(strlen(err.text), want);
        assert_memory_equal(err.text, text, want);
        t5_error_prefix(&err, "ab");
        assert_memory_equal(err.text, "ab: ", 4);
        want = shift + (size - 5 - shift) / 4 * 4;
        assert_int_equal(strlen(err.text), 4 + want);
        assert_memory_equal(err.text + 4, text, want);
        /* a prefix as long as the buffer leaves no room for anything else */
        t5_error_prefix(&err, "%s", text);
        assert_memory_equal(err.text, text, shift + (size - 1 - shift) / 4 * 4);
    }
}

static void prefixes_stack_up(void **state) {
    (void)state;
    t5_error err = {0};
    assert_int_equal(t5_error_prefix(&err, "nothing failed"), T5_OK);
    assert_string_equal(err.text, "");
    t5_fail(&err, T5_ERR_IO, "disk full");
    assert_int_equal(t5_error_prefix(&err, "line %d", 7), T5_ERR_IO);
    assert_int_equal(t5_error_prefix(&err, "data.jsonl"), T5_ERR_IO);
    assert_string_equal(err.text, "data.jsonl: line 7: disk full");
    t5_error_prefix(&err, "%s", err.text); /* its own text as an argument */
    assert_string_equal(err.text, "data.jsonl: line 7: disk full: data.jsonl: line 7: disk full");
}

static void every_status_has_its_own_name(void **state) {
    (void)state;
    for (int a = T5_OK; a <= T5_STOPPED; a++) {
        assert_string_not_equal(t5_status_name((t5_status)a), "unknown");
        for (int b = T5_OK; b < a; b++)
            assert_string_not_equal(t5_status_name((t5_status)a), t5_status_name((t5_status)b));
    }
    assert_string_equal(t5_status_name((t5_status)99), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_gives_up_only_the_broken_character),
        cmocka_unit_test(fail_without_an_error_returns_the_status),
        cmocka_unit_test(the_first_failure_wins),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(prefixes_stack_up),
        cmocka_unit_test(every_status_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
