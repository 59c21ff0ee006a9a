#include "report/console.h"
#include "base/clock.h"
#include "report/screen.h"
#include "report/width.h"
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    BAR_MAX = 24,
    BAR_MIN = 8,
    BAR_FRAME = 4,
    COLUMNS_UNKNOWN = 80,
    ROWS_UNKNOWN = 24,
    LINE_BYTES = 1024
};
static const double redraw_seconds = 0.1;

typedef struct line {
    bool running, speculative;
    t5_progress last;        /* epoch 0: nothing heard of it yet */
    double val_loss, figure; /* of the last finished epoch */
    bool better;
} line;

struct t5_console {
    FILE *out;
    bool terminal;
    int n;
    const char *const *names;
    const char *figure_name;
    int name_columns; /* of the longest name */
    line *lines;      /* (n) */
    int *order;       /* (n) the running trials, in the order of their start */
    int n_running;
    int drawn; /* live lines on the screen, above the cursor */
    double drawn_at;
};

t5_status t5_console_open(FILE *out, bool terminal, int n_trials, const char *const *names,
                          const char *figure_name, t5_console **console, t5_error *err) {
    t5_console *c = calloc(1, sizeof *c);
    *console = NULL;
    if (c) {
        c->lines = calloc((size_t)n_trials + 1, sizeof *c->lines);
        c->order = calloc((size_t)n_trials + 1, sizeof *c->order);
    }
    if (!c || !c->lines || !c->order) {
        t5_console_close(c);
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the progress of %d trials", n_trials);
    }
    c->out = out;
    c->terminal = terminal;
    c->n = n_trials;
    c->names = names;
    /* "jaccard" says enough where lines are short */
    c->figure_name = strncmp(figure_name, "avg_", 4) == 0 ? figure_name + 4 : figure_name;
    for (int i = 0; i < n_trials; i++) {
        int columns = t5_display_width(names[i], strlen(names[i]));
        c->name_columns = columns > c->name_columns ? columns : c->name_columns;
    }
    *console = c;
    return T5_OK;
}

/* ---------------------------------------------------------------- texts */

/* A line that is being put together; what does not fit is left out. */
typedef struct text {
    char s[LINE_BYTES];
    size_t n;
} text;

static void add(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->s + t->n, sizeof t->s - t->n, format, args);
    va_end(args);
    if (n > 0)
        t->n = t->n + (size_t)n < sizeof t->s ? t->n + (size_t)n : sizeof t->s - 1;
}

static int width(const text *t) {
    return t5_display_width(t->s, t->n);
}

static void add_name(text *t, const t5_console *c, int trial) {
    const char *name = c->names[trial];
    add(t, "%s%*s", name, c->name_columns - t5_display_width(name, strlen(name)), "");
}

static void add_time(text *t, double seconds) {
    if (seconds < 60)
        add(t, "%.0fs", seconds);
    else if (seconds < 3600)
        add(t, "%dm%02ds", (int)seconds / 60, (int)seconds % 60);
    else
        add(t, "%.0fh%02dm", floor(seconds / 3600), (int)(fmod(seconds, 3600) / 60));
}

/* "  WHAT  1.234", as wide without a value. */
static void add_figure(text *t, const char *what, double value, const char *mark) {
    if (isnan(value))
        add(t, "  %s     - %s", what, *mark ? " " : "");
    else
        add(t, "  %s %6.3f%s", what, value, mark);
}

static void add_epoch(text *t, const t5_progress *p) {
    add(t, "%3d/%d", p->epoch, p->epochs);
    add_figure(t, "loss", p->loss, "");
}

/* What is known at the end of an epoch only. */
static void add_validation(text *t, const t5_console *c, double val_loss, bool better,
                           double figure) {
    add_figure(t, "val", val_loss, better ? "*" : " ");
    add_figure(t, c->figure_name, figure, "");
}

static void add_speed(text *t, const t5_progress *p) {
    add(t, "  %5.0f rows/s", p->rows_per_second);
}

/* ---------------------------------------------------------------- live lines */

static void add_left(text *t, const t5_progress *p) {
    if (p->step <= 0 || p->steps < p->step)
        return;
    add(t, "  ");
    add_time(t, p->seconds * (double)(p->steps - p->step) / (double)p->step);
    add(t, " left");
}

static void add_bar(text *t, const t5_progress *p, int columns) {
    int inside = columns > BAR_MAX ? BAR_MAX : columns;
    if (inside < BAR_MIN)
        return;
    double part = p->steps > 0 ? (double)p->step / (double)p->steps : 0;
    int full = (int)(part * inside);
    add(t, "  [");
    for (int i = 0; i < inside; i++)
        add(t, "%c", i < full ? '=' : i == full ? '>' : ' ');
    add(t, "]");
}

/* The part behind the bar. Validation figures only where they leave room for a bar. */
static void add_state(text *t, const t5_console *c, const line *l, int columns) {
    text end = {.n = 0}, validation = {.n = 0};
    if (l->last.epoch > 0) {
        add_epoch(t, &l->last);
        add_validation(&validation, c, l->val_loss, l->better, l->figure);
        add_speed(&end, &l->last);
        add_left(&end, &l->last);
    } else {
        add(t, "  starts");
    }
    if (l->speculative)
        add(&end, "  (ahead)");
    int used = width(t) + width(&validation) + width(&end) + BAR_MIN + BAR_FRAME;
    if (used <= columns)
        add(t, "%s", validation.s);
    add(t, "%s", end.s);
}

/* One live line, never wider than the terminal: a line that wraps could not be wiped. */
static void draw_trial(const t5_console *c, int trial, int columns) {
    const line *l = &c->lines[trial];
    text head = {.n = 0}, state = {.n = 0};
    add_name(&head, c, trial);
    add_state(&state, c, l, columns - width(&head));
    add_bar(&head, &l->last, columns - width(&head) - width(&state) - BAR_FRAME);
    add(&head, "%s", state.s);
    fprintf(c->out, "%.*s\n", (int)t5_display_cut(head.s, head.n, columns), head.s);
}

static void wipe(t5_console *c) {
    if (c->drawn > 0)
        fprintf(c->out, "\r\x1b[%dA\x1b[J", c->drawn);
    c->drawn = 0;
}

static void draw(t5_console *c) {
    int columns = 0, rows = 0;
    t5_screen_find(c->out, &columns, &rows);
    columns = columns > 0 ? columns : COLUMNS_UNKNOWN;
    rows = rows > 0 ? rows : ROWS_UNKNOWN;
    int n = c->n_running;
    if (n > rows - 1) /* a line that has scrolled away cannot be wiped either */
        n = rows > 2 ? rows - 2 : 0;
    wipe(c);
    for (int i = 0; i < n; i++)
        draw_trial(c, c->order[i], columns - 1);
    c->drawn = n;
    if (n < c->n_running && rows > 2) {
        fprintf(c->out, "and %d more\n", c->n_running - n);
        c->drawn++;
    }
    c->drawn_at = t5_seconds();
    fflush(c->out);
}

/* ---------------------------------------------------------------- events */

void t5_console_start(t5_console *c, int trial, bool speculative) {
    assert(trial >= 0 && trial < c->n);
    line *l = &c->lines[trial];
    if (!l->running)
        c->order[c->n_running++] = trial;
    *l = (line){.running = true, .speculative = speculative, .val_loss = NAN, .figure = NAN};
    if (c->terminal)
        draw(c);
}

void t5_console_progress(t5_console *c, const t5_progress *p) {
    assert(p->trial >= 0 && p->trial < c->n);
    line *l = &c->lines[p->trial];
    l->last = *p;
    if (p->epoch_done) {
        l->val_loss = p->val_loss;
        l->figure = p->figure;
        l->better = p->better;
    }
    if (c->terminal && t5_seconds() - c->drawn_at >= redraw_seconds)
        draw(c);
    if (!c->terminal && p->epoch_done) {
        text t = {.n = 0};
        add_name(&t, c, p->trial);
        add(&t, "  epoch");
        add_epoch(&t, p);
        add_validation(&t, c, p->val_loss, p->better, p->figure);
        add_speed(&t, p);
        fprintf(c->out, "%s\n", t.s);
        fflush(c->out);
    }
}

void t5_console_end(t5_console *c, int trial, const char *how) {
    assert(trial >= 0 && trial < c->n);
    line *l = &c->lines[trial];
    text t = {.n = 0};
    add_name(&t, c, trial);
    add(&t, "  %s", how);
    if (l->last.epoch > 0) {
        add(&t, ", epoch %d/%d, ", l->last.epoch, l->last.epochs);
        add_time(&t, l->last.seconds);
    }
    for (int i = 0; l->running && i < c->n_running; i++)
        if (c->order[i] == trial) {
            c->n_running--;
            memmove(c->order + i, c->order + i + 1, (size_t)(c->n_running - i) * sizeof *c->order);
            break;
        }
    l->running = false;
    wipe(c);
    fprintf(c->out, "%s\n", t.s);
    fflush(c->out);
    if (c->terminal)
        draw(c);
}

void t5_console_close(t5_console *c) {
    if (!c)
        return;
    if (c->drawn > 0) {
        wipe(c);
        fflush(c->out);
    }
    free(c->lines);
    free(c->order);
    free(c);
}
