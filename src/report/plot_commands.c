#include "report/plot_commands.h"
#include "report/gnuplot.h"
#include "report/width.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    COLOURED = 8, /* curves that an eye can tell apart; all others are grey */
    NAME_COLUMNS = 36
};

/* Okabe and Ito's colours, which colour-blind people can tell apart, too. */
static const char *const colours[COLOURED] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                              "#e69f00", "#56b4e9", "#000000", "#b0a000"};

/* The next one to be coloured: the baseline, then the best; -1: none is left. */
static int next_coloured(const t5_view *v, const t5_curve *curves, const bool *taken) {
    int best = -1;
    if (v->plan.baseline >= 0 && !taken[v->plan.baseline] && curves[v->plan.baseline].n > 0)
        return v->plan.baseline;
    for (int t = 0; t < v->plan.n; t++)
        if (!taken[t] && curves[t].n > 0 &&
            (best < 0 || v->trials[t].best_value > v->trials[best].best_value ||
             (isnan(v->trials[best].best_value) && !isnan(v->trials[t].best_value))))
            best = t;
    return best;
}

/* Long names are cut; those, and names in other letters than the fonts may have, get the trial's
 * number in the table. */
static void put_name(FILE *out, const t5_view *v, int t) {
    const char *name = v->trials[t].name;
    char title[256];
    size_t n = strlen(name), kept = t5_display_cut(name, n, NAME_COLUMNS);
    bool plain = kept == n;
    for (size_t i = 0; i < n; i++)
        plain = plain && (unsigned char)name[i] < 0x80;
    if (plain)
        snprintf(title, sizeof title, "%s", name);
    else
        snprintf(title, sizeof title, "%d: %.*s%s", t + 1, (int)kept, name, kept < n ? "..." : "");
    t5_gnuplot_quote(out, title);
}

static void put_data(FILE *out, const t5_curve *c, int t) {
    fprintf(out, "$c%d << END_OF_CURVE\n", t);
    for (int64_t i = 0; i < c->n; i++)
        if (isfinite(c->y[i]))
            fprintf(out, "%.9g %.9g\n", c->x[i], c->y[i]);
        else
            fprintf(out, "%.9g NaN\n", c->x[i]);
    fputs("END_OF_CURVE\n", out);
}

static void put_settings(FILE *out, const t5_view *v, const t5_picture *p, int n_lines,
                         double x_most) {
    char title[512];
    int rows = (n_lines + 1) / 2;
    snprintf(title, sizeof title, "%.400s: %s", v->run, p->title);
    for (int other = 0; other < 2; other++)
        fprintf(out,
                "if (strstrt(GPVAL_TERMINALS, ' pngcairo ') %s 0) {\n"
                "set terminal %s noenhanced font 'sans,11' size 1000,%d\n}\n",
                other ? "==" : "!=", other ? "png" : "pngcairo", 560 + 20 * rows);
    fputs("set encoding utf8\nset title ", out);
    t5_gnuplot_quote(out, title);
    fputs("\nset xlabel 'epoch'\nset ylabel ", out);
    t5_gnuplot_quote(out, p->y_label);
    fprintf(out,
            "\nset border 3\nset tics nomirror\nset grid lt 1 lw 1 lc rgb '#e0e0e0'\n"
            "set key below Left reverse maxcols 2\nset xrange [0:%.9g]\n",
            x_most);
}

static void put_plot(FILE *out, const t5_view *v, const t5_picture *p, const t5_curve *curves,
                     const int *colour, int n_grey) {
    const char *style = p->column ? "linespoints pt 7 ps 0.6" : "lines";
    const char *between = "plot ";
    bool named = false;
    for (int t = 0; t < v->plan.n; t++) /* below the others */
        if (curves[t].n > 0 && colour[t] < 0) {
            fprintf(out, "%s$c%d using 1:2 with lines lc rgb '#cccccc' lw 1 ", between, t);
            if (named)
                fputs("notitle", out);
            else
                fprintf(out, "title '%d others'", n_grey);
            named = true;
            between = ", \\\n ";
        }
    for (int t = 0; t < v->plan.n; t++)
        if (curves[t].n > 0 && colour[t] >= 0) {
            fprintf(out, "%s$c%d using 1:2 with %s lc rgb '%s' lw 2 title ", between, t, style,
                    colours[colour[t]]);
            put_name(out, v, t);
            between = ", \\\n ";
        }
    fputc('\n', out);
}

t5_status t5_plot_commands(FILE *out, const t5_view *v, const t5_picture *p, const t5_curve *curves,
                           int n_drawn, t5_error *err) {
    bool *taken = calloc((size_t)v->plan.n + 1, sizeof *taken);
    int *colour = malloc(((size_t)v->plan.n + 1) * sizeof *colour);
    double x_most = 0;
    if (!taken || !colour) {
        t5_fail(err, T5_ERR_MEMORY, "out of memory for a plot of %d trials", v->plan.n);
        goto done;
    }
    for (int t = 0; t < v->plan.n; t++) {
        colour[t] = -1;
        for (int64_t i = 0; i < curves[t].n; i++)
            x_most = curves[t].x[i] > x_most ? curves[t].x[i] : x_most;
    }
    int n_coloured = n_drawn < COLOURED ? n_drawn : COLOURED;
    for (int c = 0; c < n_coloured; c++)
        taken[next_coloured(v, curves, taken)] = true;
    for (int t = 0, c = 0; t < v->plan.n; t++)
        if (taken[t])
            colour[t] = c++;
    put_settings(out, v, p, n_coloured + (n_drawn > n_coloured), ceil(x_most));
    for (int t = 0; t < v->plan.n; t++)
        if (curves[t].n > 0)
            put_data(out, &curves[t], t);
    put_plot(out, v, p, curves, colour, n_drawn - n_coloured);
done:
    free(taken);
    free(colour);
    return err->status;
}
