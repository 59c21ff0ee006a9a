/* The lines of a stream, without a limit on their number and with one on their length. */
#ifndef T5_IO_LINES_H
#define T5_IO_LINES_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct t5_lines {
    int fd; /* the caller's */
    size_t limit;
    char *buffer;
    size_t cap, begin, end; /* unread bytes are buffer[begin .. end) */
    bool at_end;
    int64_t number; /* of the line last read, 1-based */
} t5_lines;

/* Lines of more than `limit` bytes are reported, not stored. Reads from fd, which stays open. */
void t5_lines_init(t5_lines *lines, int fd, size_t limit);
void t5_lines_free(t5_lines *lines);

/* The next line without its end ("\n" or "\r\n"; the last one may lack it), and without a byte
 * order mark at the start of the first. *line is valid until the next call; NULL after the last
 * line. *too_long: the line exceeded the limit and was dropped; *line is "". T5_ERR_IO,
 * T5_ERR_MEMORY. */
t5_status t5_lines_next(t5_lines *lines, const char **line, size_t *length, bool *too_long,
                        t5_error *err);

#endif
