/* Rows of text as read: inputs and targets, kept in one text arena each. Pure memory; io/jsonl.h
 * fills it. Labels of a target are its white-space-separated strings. */
#ifndef T5_DATA_ROWS_H
#define T5_DATA_ROWS_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct t5_rows t5_rows;

typedef struct t5_str {
    const char *s; /* not NUL-terminated */
    size_t n;
} t5_str;

t5_status t5_rows_create(t5_rows **rows, t5_error *err);
void t5_rows_destroy(t5_rows *rows);
/* Copies both strings. */
t5_status t5_rows_append(t5_rows *rows, t5_str input, t5_str target, t5_error *err);
int64_t t5_rows_count(const t5_rows *rows);
t5_str t5_rows_input(const t5_rows *rows, int64_t i); /* valid until the next append */
t5_str t5_rows_target(const t5_rows *rows, int64_t i);

/* The next white-space-separated word of *rest; advances it. White space is what Python's
 * str.split() splits at (ASCII and Unicode). Returns a word with n == 0 at the end. */
t5_str t5_next_word(t5_str *rest);

#endif
