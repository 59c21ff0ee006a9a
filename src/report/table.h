/* Text tables whose columns fit what is in them, for terminals. */
#ifndef T5_REPORT_TABLE_H
#define T5_REPORT_TABLE_H
#include "base/status.h"
#include <stdbool.h>
#include <stdio.h>

typedef enum { T5_STYLE_PLAIN, T5_STYLE_BOLD, T5_STYLE_GOOD, T5_STYLE_BAD, T5_STYLE_DIM } t5_style;

/* The ANSI sequence that begins a style ("" for PLAIN or without colour), and the one that ends it.
 */
const char *t5_style_begin(t5_style style, bool colour);
const char *t5_style_end(t5_style style, bool colour);

typedef struct t5_table_column {
    const char *title[2]; /* two lines, "" above a short one */
    bool right;           /* aligned to the right */
    int gap;              /* spaces before it */
} t5_table_column;

typedef struct t5_table t5_table;

/* columns must outlive the table. NULL if out of memory; the other functions then do nothing and
 * t5_table_print says so. */
t5_table *t5_table_create(const t5_table_column *columns, int n_columns);
void t5_table_destroy(t5_table *t);
/* The next cell, UTF-8: left to right, then the next row; cut at 511 bytes. */
void t5_table_cell(t5_table *t, t5_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Empty cells to the end of the row. */
void t5_table_end_row(t5_table *t);
/* Columns without anything in their cells are left out. Lines begin with `indent` spaces. */
void t5_table_print(const t5_table *t, FILE *out, int indent, bool colour);

#endif
