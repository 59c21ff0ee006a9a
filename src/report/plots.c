#include "report/plots.h"
#include "io/file.h"
#include "io/replace.h"
#include "report/gnuplot.h"
#include "report/plot_commands.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATH = 4352 };

/* ---------------------------------------------------------------- curves */

static t5_status read_curve(const t5_view *v, int t, const char *column, t5_curve *curve,
                            t5_error *err) {
    char path[MAX_PATH];
    t5_store_reader *file = NULL;
    char *folder = t5_part_folder(v->run, t5_view_part(v, t));
    if (!folder)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for a path");
    snprintf(path, sizeof path, "%s/trials/%s.h5", folder, v->trials[t].name);
    free(folder);
    if (!t5_file_exists(path)) /* of a part that is not there; others were found already */
        return T5_OK;
    if (t5_store_open(path, &file, err) == T5_OK) {
        if (column)
            t5_curve_eval(file, column, curve, err);
        else
            t5_curve_train(file, curve, err);
    }
    t5_store_close(file);
    return err->status;
}

/* Something to draw at all? */
static bool has_points(const t5_curve *c) {
    for (int64_t i = 0; i < c->n; i++)
        if (isfinite(c->y[i]))
            return true;
    return false;
}

static void free_curves(t5_curve *curves, int n) {
    for (int t = 0; curves && t < n; t++)
        t5_curve_free(&curves[t]);
    free(curves);
}

/* (plan.n), those without points empty; *n_drawn: how many are not. NULL: an error. */
static t5_curve *read_curves(const t5_view *v, const char *column, int *n_drawn, t5_error *err) {
    t5_curve *curves = calloc((size_t)v->plan.n + 1, sizeof *curves);
    *n_drawn = 0;
    if (!curves)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for %d curves", v->plan.n);
    for (int t = 0; t < v->plan.n && err->status == T5_OK; t++)
        if (read_curve(v, t, column, &curves[t], err) == T5_OK) {
            if (has_points(&curves[t]))
                ++*n_drawn;
            else
                t5_curve_free(&curves[t]);
        }
    if (err->status == T5_OK)
        return curves;
    free_curves(curves, v->plan.n);
    return NULL;
}

/* ---------------------------------------------------------------- pictures */

/* Where pictures go: into `given`, or else into the run's own folder for them. */
typedef struct place {
    const char *run, *given;
    char dir[MAX_PATH];
} place;

static const char own_folder[] = "plots";

static t5_status find_place(const char *run, const char *given, place *to, t5_error *err) {
    int n = given ? snprintf(to->dir, MAX_PATH, "%s", given)
                  : snprintf(to->dir, MAX_PATH, "%s/%s", run, own_folder);
    to->run = run;
    to->given = given;
    return n > 0 && n < MAX_PATH - 64
               ? T5_OK
               : t5_fail(err, T5_ERR_INPUT, "%.100s...: too long a path", given ? given : run);
}

static t5_status make_place(const place *to, t5_error *err) {
    return to->given ? t5_file_make_folder(to->given, err)
                     : t5_file_make_folder_below(to->run, own_folder, err);
}

static t5_status draw(const char *commands, size_t bytes, const place *to, const t5_picture *p,
                      bool *found, t5_error *err) {
    static const unsigned char signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    char path[MAX_PATH + 64];
    void *image = NULL;
    size_t image_bytes = 0;
    snprintf(path, sizeof path, "%s/%s", to->dir, p->file);
    if (t5_gnuplot_run(commands, bytes, found, &image, &image_bytes, err) == T5_OK && *found) {
        if (image_bytes < sizeof signature || memcmp(image, signature, sizeof signature) != 0)
            t5_fail(err, T5_ERR_IO, "%s: gnuplot made no PNG picture", path);
        else if (make_place(to, err) == T5_OK)
            t5_file_replace(path, image, image_bytes, err);
    }
    free(image);
    return err->status;
}

/* *n_drawn: curves in it; 0: nothing was made. */
static t5_status make_picture(const t5_view *v, const place *to, const t5_picture *p, bool *found,
                              int *n_drawn, t5_error *err) {
    char *commands = NULL;
    size_t bytes = 0;
    t5_curve *curves = read_curves(v, p->column, n_drawn, err);
    FILE *out = curves && *n_drawn > 0 ? open_memstream(&commands, &bytes) : NULL;
    if (curves && *n_drawn > 0 && !out)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for a plot");
    if (out) {
        t5_plot_commands(out, v, p, curves, *n_drawn, err);
        if (fclose(out) != 0)
            t5_fail(err, T5_ERR_MEMORY, "out of memory for a plot");
        if (err->status == T5_OK)
            draw(commands, bytes, to, p, found, err);
    }
    free(commands);
    free_curves(curves, v->plan.n);
    return err->status;
}

t5_status t5_plots_write(const t5_view *v, const char *dir, FILE *out, t5_error *err) {
    place to;
    char metric_file[64], metric_title[128];
    const char *metric = v->index.decide_by;
    const t5_picture pictures[] = {{"train_loss.png", "training loss", "mean loss", NULL},
                                   {"val_loss.png", "loss of the validation split", "loss", "loss"},
                                   {metric_file, metric_title, metric, metric}};
    int n_written = 0, n_drawn = 0;
    bool found = true;

    if (find_place(v->run, dir, &to, err) != T5_OK)
        return err->status;
    snprintf(metric_file, sizeof metric_file, "%s.png", metric);
    snprintf(metric_title, sizeof metric_title, "%s of the validation split", metric);
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures && found; i++) {
        if (make_picture(v, &to, &pictures[i], &found, &n_drawn, err) != T5_OK)
            return err->status;
        if (found && n_drawn > 0 && n_written == 0)
            fprintf(out, "\nPlots in %s: ", to.dir);
        if (found && n_drawn > 0)
            fprintf(out, "%s%s", n_written++ ? ", " : "", pictures[i].file);
    }
    if (!found)
        fputs("\nNo plots: gnuplot is not installed (Debian and Ubuntu: gnuplot-nox)", out);
    else if (n_written == 0)
        fputs("\nNo plots: no trial has a curve yet", out);
    fputc('\n', out);
    return T5_OK;
}
