/* White space as Python's str.split() and str.strip() see it, in UTF-8: what separates labels
 * (data) and what makes a text "empty" (io). Nothing here allocates or fails. */
#ifndef T5_BASE_TEXT_H
#define T5_BASE_TEXT_H
#include <stdbool.h>
#include <stddef.h>

/* Bytes (1 to 3) of the white-space character that s[0..n) begins with; 0 if it begins with another
 * character or n is 0. The characters: U+0009-000D, 001C-0020, 0085, 00A0, 1680, 2000-200A, 2028,
 * 2029, 202F, 205F, 3000 (those for which str.isspace() holds). Bytes that are not UTF-8 are no
 * white space. */
size_t t5_space_length(const char *s, size_t n);

/* Whether s[0..n) is empty or nothing but white space. */
bool t5_is_blank(const char *s, size_t n);

#endif
