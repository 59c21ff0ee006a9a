#include "report/table.h"
#include "base/utf8.h"
#include "report/width.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct cell {
    char *text;
    t5_style style;
} cell;

struct t5_table {
    const t5_table_column *columns;
    int n_columns;
    cell *cells; /* row after row */
    size_t n, cap;
    bool failed;
};

const char *t5_style_begin(t5_style style, bool colour) {
    static const char *const codes[] = {"", "\x1b[1m", "\x1b[1;32m", "\x1b[31m", "\x1b[2m"};
    return colour ? codes[style] : "";
}

const char *t5_style_end(t5_style style, bool colour) {
    return colour && style != T5_STYLE_PLAIN ? "\x1b[0m" : "";
}

t5_table *t5_table_create(const t5_table_column *columns, int n_columns) {
    t5_table *t = calloc(1, sizeof *t);
    if (t) {
        t->columns = columns;
        t->n_columns = n_columns;
    }
    return t;
}

void t5_table_destroy(t5_table *t) {
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t);
}

void t5_table_cell(t5_table *t, t5_style style, const char *format, ...) {
    char text[512];
    va_list args;
    if (!t || t->failed)
        return;
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 64;
        cell *cells = realloc(t->cells, cap * sizeof *cells);
        if (!cells) {
            t->failed = true;
            return;
        }
        t->cells = cells;
        t->cap = cap;
    }
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= (int)sizeof text)
        text[t5_utf8_cut(text, sizeof text - 1)] = '\0';
    cell *c = &t->cells[t->n];
    c->text = n < 0 ? NULL : strdup(text);
    c->style = style;
    t->failed = !c->text;
    t->n += !t->failed;
}

void t5_table_end_row(t5_table *t) {
    while (t && !t->failed && t->n % (size_t)t->n_columns)
        t5_table_cell(t, T5_STYLE_PLAIN, "%s", "");
}

static int width_of(const char *text) {
    return t5_display_width(text, strlen(text));
}

/* Columns of the terminal that column c takes without its gap; 0: nothing is in it. */
static int column_width(const t5_table *t, int c) {
    int width = 0;
    for (size_t i = (size_t)c; i < t->n; i += (size_t)t->n_columns) {
        int w = width_of(t->cells[i].text);
        width = w > width ? w : width;
    }
    for (int line = 0; line < 2 && width > 0; line++) {
        int w = width_of(t->columns[c].title[line]);
        width = w > width ? w : width;
    }
    return width;
}

typedef struct printer {
    FILE *out;
    bool colour;
    int owed; /* spaces that are printed only if something follows: no line ends with one */
} printer;

static void print_cell(printer *p, const t5_table_column *column, int width, const char *text,
                       t5_style style) {
    int space = width - width_of(text);
    p->owed += column->gap + (column->right ? space : 0);
    if (*text) {
        fprintf(p->out, "%*s%s%s%s", p->owed, "", t5_style_begin(style, p->colour), text,
                t5_style_end(style, p->colour));
        p->owed = 0;
    }
    p->owed += column->right ? 0 : space;
}

/* One line: the titles' (title 0 or 1) or, with title -1, the cells from `first` on. */
static void print_line(const t5_table *t, printer *p, const int *widths, int indent, int title,
                       size_t first) {
    p->owed = indent;
    for (int c = 0; c < t->n_columns; c++) {
        const t5_table_column *column = &t->columns[c];
        if (widths[c] == 0)
            continue;
        if (title >= 0)
            print_cell(p, column, widths[c], column->title[title], T5_STYLE_DIM);
        else
            print_cell(p, column, widths[c], t->cells[first + (size_t)c].text,
                       t->cells[first + (size_t)c].style);
    }
    fputc('\n', p->out);
}

void t5_table_print(const t5_table *t, FILE *out, int indent, bool colour) {
    int *widths = t && !t->failed ? calloc((size_t)t->n_columns, sizeof *widths) : NULL;
    printer p = {.out = out, .colour = colour};
    if (!widths) {
        fprintf(out, "%*s(out of memory for this table)\n", indent, "");
        return;
    }
    bool two_lines = false;
    for (int c = 0; c < t->n_columns; c++) {
        widths[c] = column_width(t, c);
        two_lines = two_lines || (widths[c] > 0 && *t->columns[c].title[0]);
    }
    for (int title = two_lines ? 0 : 1; title < 2; title++)
        print_line(t, &p, widths, indent, title, 0);
    for (size_t i = 0; i + (size_t)t->n_columns <= t->n; i += (size_t)t->n_columns)
        print_line(t, &p, widths, indent, -1, i);
    free(widths);
}
