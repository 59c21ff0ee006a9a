#include "report/report_command.h"
#include "report/plots.h"
#include "report/report.h"
#include "report/screen.h"
#include "results/claim.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_PATH = 4352 };

static bool has_ended(const t5_trial_summary *s) {
    static const char *const open[] = {"pending", "running", "stopped"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (strcmp(s->status, open[i]) == 0)
            return false;
    return true;
}

/* Does a run go on in this folder? */
static bool is_running(const char *folder) {
    t5_error held = {0};
    return t5_claim_check(folder, NULL, &held) != T5_OK;
}

static int count_open(const t5_view *v, t5_part part, int *n) {
    int n_open = 0;
    *n = 0;
    for (int t = 0; t < v->plan.n; t++)
        if (t5_part_has(part, t)) {
            n_open += !has_ended(&v->trials[t]);
            ++*n;
        }
    return n_open;
}

/* Why trials have not ended: of a whole run, or of one part. */
static void print_open(const char *what, const char *folder, int n_open, int n, FILE *out) {
    fprintf(out, "%s: %d of %d trial%s %s not ended; ", what, n_open, n, n == 1 ? "" : "s",
            n_open == 1 ? "has" : "have");
    fputs(is_running(folder) ? "the run goes on\n"
                             : "nobody is at work: --resume goes on with the run\n",
          out);
}

static t5_status print_parts(const t5_view *v, FILE *out, t5_error *err) {
    const char *before = "\n";
    for (int i = 0; i < v->index.merged_of; i++) {
        t5_part part = {i + 1, v->index.merged_of};
        char what[64];
        int n, n_open = count_open(v, part, &n);
        char *folder = t5_part_folder(v->run, part);
        if (!folder)
            return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", v->run);
        snprintf(what, sizeof what, "Part %d of %d", part.number, part.count);
        if (n_open > 0)
            fputs(before, out);
        if (n > 0 && !v->index.parts_here[i])
            fprintf(out, "%s is missing, with %d trial%s: there is no %s/results.h5\n", what, n,
                    n == 1 ? "" : "s", folder);
        else if (n_open > 0)
            print_open(what, folder, n_open, n, out);
        before = n_open > 0 ? "" : before;
        free(folder);
    }
    return T5_OK;
}

static t5_status print_unfinished(const t5_view *v, FILE *out, t5_error *err) {
    int n, n_open = count_open(v, (t5_part){0}, &n);
    if (v->index.merged_of > 0)
        return print_parts(v, out, err);
    if (n_open > 0) {
        fputc('\n', out);
        print_open("Unfinished", v->run, n_open, n, out);
    }
    return T5_OK;
}

/* results: its results.h5, NULL if that could not be written. */
static void print_tables(const t5_view *v, const char *results, FILE *out) {
    t5_report report = {.n = v->plan.n,
                        .trials = v->trials,
                        .baseline = v->plan.baseline,
                        .baseline_figures = v->index.baseline,
                        .goals = v->index.goals,
                        .decide_by = v->index.decide_by,
                        .is_tree = v->plan.is_tree,
                        .results_path = results};
    t5_report_print(&report, out, t5_screen_find(out, NULL, NULL));
}

/* What cannot be written is said at the end: the tables need not be. */
static t5_status report(const t5_view *v, const char *plots, FILE *out, t5_error *err) {
    char results[MAX_PATH];
    t5_error unwritten = {0};
    snprintf(results, sizeof results, "%s/results.h5", v->run);
    if (v->index.merged_of > 0)
        t5_index_write(v->run, &v->index, &unwritten);
    print_tables(v, unwritten.status == T5_OK ? results : NULL, out);
    if (print_unfinished(v, out, err) == T5_OK)
        t5_plots_write(v, plots, out, err);
    return unwritten.status == T5_OK ? err->status
                                     : t5_fail(err, unwritten.status, "%s", unwritten.text);
}

t5_status t5_report_run(const char *run, const char *plots, FILE *out, t5_error *err) {
    char bare[MAX_PATH];
    t5_view v;
    size_t n = strlen(run);
    while (n > 1 && run[n - 1] == '/')
        n--;
    if (n == 0 || n >= sizeof bare - 300)
        return t5_fail(err, T5_ERR_INPUT, "%.100s: no path of a run's folder", run);
    memcpy(bare, run, n);
    bare[n] = 0;
    if (t5_view_open(bare, &v, err) != T5_OK)
        return err->status;
    report(&v, plots, out, err);
    t5_view_close(&v);
    return err->status;
}
