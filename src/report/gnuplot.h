/* The program gnuplot, if it is there. */
#ifndef T5_REPORT_GNUPLOT_H
#define T5_REPORT_GNUPLOT_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Runs gnuplot with these commands, without a shell and without the user's start-up files, and
 * gives what it wrote to its standard output, malloc'd. *found false: it is not installed; nothing
 * happened then. T5_ERR_IO: it cannot be started, or says that something is wrong. */
t5_status t5_gnuplot_run(const char *commands, size_t bytes, bool *found, void **output,
                         size_t *output_bytes, t5_error *err);

/* A text in the way that gnuplot takes it literally, whatever is in it: single quotes, in which it
 * replaces nothing. Control characters, what is no UTF-8, and emojis become '?'. */
void t5_gnuplot_quote(FILE *out, const char *text);

#endif
