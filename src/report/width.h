/* How many columns of a terminal a text takes: wide characters (Japanese, emojis) take two, joined
 * emojis are one, marks on another character take none. The ranges are those of Unicode's East
 * Asian Width (UAX 11, W and F) up to version 15; sequences as in UTS 51. Terminals differ in
 * details. */
#ifndef T5_REPORT_WIDTH_H
#define T5_REPORT_WIDTH_H
#include <stddef.h>

/* Columns of n bytes of UTF-8 text; bytes that are no UTF-8 take one each. Control characters: 0.
 */
int t5_display_width(const char *s, size_t n);
/* The longest beginning (in bytes, between characters) that takes at most `columns`. */
size_t t5_display_cut(const char *s, size_t n, int columns);

#endif
