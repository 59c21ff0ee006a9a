/* White space is exactly what Python's str.isspace() says, over all of Unicode. */
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* needs those above */

static size_t encode(uint32_t c, char out[4]) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[n] | c);
    return n;
}

/* python3 -c 'print([hex(c) for c in range(0x110000) if chr(c).isspace()])' */
static const uint32_t spaces[] = {
    0x09,   0x0a,   0x0b,   0x0c,   0x0d,   0x1c,   0x1d,   0x1e,   0x1f,   0x20,
    0x85,   0xa0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
    0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
};

static void exactly_the_characters_of_python(void **state) {
    (void)state;
    size_t next = 0;
    for (uint32_t c = 0; c < 0x110000; c++) {
        char s[4];
        size_t n = encode(c, s);
        int is_space = next < sizeof spaces / sizeof *spaces && spaces[next] == c;
        next += (size_t)is_space;
        if (t5_space_length(s, n) != (is_space ? n : 0))
            fail_msg("U+%04X", (unsigned)c);
    }
    assert_int_equal(next, sizeof spaces / sizeof *spaces);
}

static void bytes_that_are_no_utf8_are_no_space(void **state) {
    (void)state;
    static const char *const cases[] = {"",         "\x85",     "\xa0",         "\xc2",
                                        "\xc2 ",    "\xe3\x80", "\xe3\x80 ",    "\xe3 \x80",
                                        "\xe2\x80", "\xff",     "\xf3\x80\x80", "\xe0\x80\xa0"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(t5_space_length(cases[i], strlen(cases[i])), 0);
    assert_int_equal(t5_space_length("\xe3\x80\x80", 2), 0); /* never reads beyond n */
}

static void blank(void **state) {
    (void)state;
    assert_true(t5_is_blank("", 0));
    assert_true(t5_is_blank(NULL, 0));
    assert_true(t5_is_blank(" \t\xe3\x80\x80\xc2\xa0", 7));
    assert_false(t5_is_blank(" \t\xe3\x80\x80\xc2\xa0", 6)); /* half a character */
    assert_false(t5_is_blank(" a ", 3));
    assert_false(t5_is_blank("\0", 1));           /* U+0000 is none */
    assert_false(t5_is_blank("\xe2\x80\x8b", 3)); /* neither is the zero-width space */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_no_utf8_are_no_space),
        cmocka_unit_test(exactly_the_characters_of_python),
        cmocka_unit_test(blank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
