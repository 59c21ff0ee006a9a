/* JSON Lines: one object a line, two string values of it are wanted. Jansson parses. */
#ifndef T5_IO_JSONL_H
#define T5_IO_JSONL_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct t5_jsonl_options {
    const char *keys[4]; /* wanted string values, NULL after the last; at most 4 */
    bool allow_empty;    /* empty (or all-white-space) strings are fine (predictions) */
    bool skip_bad_rows;  /* count them instead of failing */
} t5_jsonl_options;

typedef struct t5_jsonl_report {
    int64_t rows, skipped;
    int64_t first_bad_line; /* 1-based, 0: none */
    char first_bad[256];    /* what was wrong with it */
} t5_jsonl_report;

/* Called per good row with the values of the keys (UTF-8, not NUL-terminated: lengths given). A
 * status other than T5_OK ends the reading. */
typedef t5_status t5_jsonl_row(void *user, const char *const *values, const size_t *lengths,
                               t5_error *err);

/* Bad rows (not JSON, not an object, a key missing, there twice or not a string, invalid UTF-8, a
 * NUL character, a value that is empty or only white space, a line of more than 64 MiB) are
 * T5_ERR_INPUT "FILE:LINE: what was found; what was expected" unless skipped. Blank lines are
 * ignored; CRLF, a byte order mark and a missing last newline are fine. path "-": standard input.
 * T5_ERR_INPUT too if the file cannot be opened; T5_ERR_IO if it cannot be read. *report is always
 * set. */
t5_status t5_jsonl_read(const char *path, const t5_jsonl_options *options, t5_jsonl_row *row,
                        void *user, t5_jsonl_report *report, t5_error *err);

#endif
