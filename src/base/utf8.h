/* Small helpers for UTF-8 text. Nothing here allocates or fails. */
#ifndef T5_BASE_UTF8_H
#define T5_BASE_UTF8_H
#include <stdbool.h>
#include <stddef.h>

/* The largest m <= n such that s[0..m) does not end inside a UTF-8 character that s[0..n) began.
 * Bytes that are no UTF-8 are left alone: at most 3 bytes are given up. */
size_t t5_utf8_cut(const char *s, size_t n);

/* Is s[0..n) valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool t5_utf8_valid(const char *s, size_t n);

#endif
