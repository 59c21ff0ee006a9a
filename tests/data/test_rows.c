/* Rows keep what they are given; words are cut as Python's str.split() cuts them. */
#include "tests/data/fixture.h"

static void words_of_a_target(void **state) {
    (void)state;
    static const struct {
        const char *text, *words; /* words joined by '|' */
    } cases[] = {
        {"", ""},
        {" \t\r\n\v\f", ""},
        {"\xe3\x80\x80\xc2\xa0\xe2\x80\x83", ""},
        {"\xe3\x80", "\xe3\x80"}, /* half an ideographic space is a word */
        {"a\xff b", "a\xff|b"},   /* bytes that are no UTF-8 stay */
        {"a", "a"},
        {"  a  b ", "a|b"},
        {"a\xe3\x80\x80"
         "b",
         "a|b"}, /* U+3000 */
        {"a\xc2\x85"
         "b\x1f"
         "c",
         "a|b|c"}, /* U+0085, U+001F */
        {"a\xe2\x80\x8b"
         "b",
         "a\xe2\x80\x8b"
         "b"}, /* the zero-width space does not separate */
        {"🎵 📚", "🎵|📚"},
        {"👨‍👩‍👧 🏛️\n🇯🇵",
         "👨‍👩‍👧|🏛️|🇯🇵"}, /* joiners and variation selectors stay inside */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        t5_str rest = str(cases[i].text), word;
        char joined[100] = "";
        while ((word = t5_next_word(&rest)).n > 0)
            snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%.*s",
                     *joined ? "|" : "", (int)word.n, word.s);
        assert_string_equal(joined, cases[i].words);
        assert_int_equal(t5_next_word(&rest).n, 0); /* and stays at the end */
    }
}

static void rows_are_kept(void **state) {
    (void)state;
    t5_rows *rows;
    assert_int_equal(t5_rows_create(&rows, NULL), T5_OK);
    assert_int_equal(t5_rows_count(rows), 0);
    char input[64], target[64];
    for (int i = 0; i < 20000; i++) { /* enough for both arenas to grow several times */
        int n = snprintf(input, sizeof input, "%.*s text %d", i % 7, "abcdefg", i);
        snprintf(target, sizeof target, "%d", i * 3);
        t5_str in = {i % 5 ? input : NULL, i % 5 ? (size_t)n : 0}; /* every fifth is empty */
        assert_int_equal(t5_rows_append(rows, in, str(target), NULL), T5_OK);
    }
    assert_int_equal(t5_rows_count(rows), 20000);
    for (int i = 0; i < 20000; i++) {
        snprintf(input, sizeof input, "%.*s text %d", i % 7, "abcdefg", i);
        snprintf(target, sizeof target, "%d", i * 3);
        t5_str in = t5_rows_input(rows, i), out = t5_rows_target(rows, i);
        assert_int_equal(in.n, i % 5 ? strlen(input) : 0);
        assert_memory_equal(in.s, input, in.n);
        assert_int_equal(out.n, strlen(target));
        assert_memory_equal(out.s, target, out.n);
    }
    t5_rows_destroy(rows);
    t5_rows_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_a_target),
        cmocka_unit_test(rows_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
