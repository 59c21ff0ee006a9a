#include "report/report.h"
#include "report/report_parts.h"
#include <math.h>
#include <stdarg.h>
#include <string.h>

/* ---------------------------------------------------------------- what the parts share */

double t5_report_value(const t5_trial_summary *t, int metric) {
    return t->has_test ? t5_metric_value(&t->test, metric) : NAN;
}

double t5_report_baseline(const t5_report *r, int metric) {
    if (r->baseline >= 0)
        return t5_report_value(&r->trials[r->baseline], metric);
    for (int f = 0; f < T5_N_FIGURES && r->baseline_figures; f++)
        if (strcmp(t5_figure_names[f], t5_metric_names[metric]) == 0)
            return r->baseline_figures[f];
    return NAN;
}

int t5_report_best(const t5_report *r, int metric, int top_n) {
    int best = -1;
    for (int i = 0; i < r->n; i++) {
        double value = t5_report_value(&r->trials[i], metric);
        if (isnan(value) || (top_n >= 0 && r->trials[i].spec.top_n != top_n))
            continue;
        if (best < 0 || value > t5_report_value(&r->trials[best], metric))
            best = i;
    }
    return best;
}

void t5_report_title(const t5_report_page *p, const char *format, ...) {
    va_list args;
    fprintf(p->out, "\n%s", t5_style_begin(T5_STYLE_BOLD, p->colour));
    va_start(args, format);
    vfprintf(p->out, format, args);
    va_end(args);
    fprintf(p->out, "%s\n", t5_style_end(T5_STYLE_BOLD, p->colour));
}

/* ---------------------------------------------------------------- goals */

enum { MAX_LISTED = 3 }; /* trials by name; of more, the best */

static bool has_met(const t5_report *r, int trial, int figure) {
    int metric = t5_metric_find(t5_figure_names[figure]);
    return t5_report_value(&r->trials[trial], metric) > r->goals[figure];
}

static bool has_met_all(const t5_report *r, int trial) {
    for (int f = 0; f < T5_N_FIGURES; f++)
        if (!isnan(r->goals[f]) && !has_met(r, trial, f))
            return false;
    return true;
}

/* "a 0.1, b 0.2" of the trials that met a goal, "a, b" of those that met all (figure -1). */
static void list_met(const t5_report_page *p, int figure) {
    int n = 0;
    for (int i = 0; i < p->r->n; i++)
        if (figure >= 0 ? has_met(p->r, i, figure) : has_met_all(p->r, i)) {
            fprintf(p->out, "%s%s", n ? ", " : "", p->r->trials[i].name);
            if (figure >= 0)
                fprintf(p->out, " %.4f",
                        t5_report_value(&p->r->trials[i], t5_metric_find(t5_figure_names[figure])));
            n++;
        }
}

static int count_met(const t5_report *r, int figure) {
    int n = 0;
    for (int i = 0; i < r->n; i++)
        n += figure >= 0 ? has_met(r, i, figure) : has_met_all(r, i);
    return n;
}

static void print_met(const t5_report_page *p, bool met) {
    t5_style style = met ? T5_STYLE_GOOD : T5_STYLE_BAD;
    fprintf(p->out, "%s%s%s", t5_style_begin(style, p->colour), met ? "met" : "not met",
            t5_style_end(style, p->colour));
}

static void print_goal(const t5_report_page *p, int figure) {
    const t5_report *r = p->r;
    int metric = t5_metric_find(t5_figure_names[figure]);
    int n = count_met(r, figure), best = t5_report_best(r, metric, -1);
    char goal[64];
    snprintf(goal, sizeof goal, "%s > %.4g", t5_figure_names[figure], r->goals[figure]);
    fprintf(p->out, "  %-32s ", goal);
    print_met(p, n > 0);
    if (n > 0)
        fprintf(p->out, " by %d of %d", n, r->n);
    if (n > 0 && n <= MAX_LISTED) {
        fprintf(p->out, ": ");
        list_met(p, figure);
    } else if (best >= 0) {
        fprintf(p->out, ", best: %s %.4f", r->trials[best].name,
                t5_report_value(&r->trials[best], metric));
    }
    fputc('\n', p->out);
}

void t5_report_goals(const t5_report_page *p) {
    const t5_report *r = p->r;
    int goals = 0;
    for (int f = 0; f < T5_N_FIGURES && r->goals; f++)
        goals += !isnan(r->goals[f]);
    if (goals == 0)
        return;
    t5_report_title(p, "Goals");
    for (int f = 0; f < T5_N_FIGURES; f++)
        if (!isnan(r->goals[f]))
            print_goal(p, f);
    if (goals == 1)
        return;
    int n = count_met(r, -1);
    fprintf(p->out, "  %-32s ", "all of them by one trial");
    print_met(p, n > 0);
    if (n > MAX_LISTED)
        fprintf(p->out, " by %d of %d", n, r->n);
    else if (n > 0) {
        fprintf(p->out, " by ");
        list_met(p, -1);
    }
    fputc('\n', p->out);
}

/* ---------------------------------------------------------------- without a model */

static const t5_table_column columns[] = {
    {{"", "test rows"}, false, 0}, {{"", "answer"}, false, 2}, {{"", "Jaccard"}, true, 2},
    {{"exact", "match"}, true, 2}, {{"micro", "F1"}, true, 2}, {{"outside", "Top-5"}, true, 2},
    {{"distinct", "out"}, true, 2}};

static void answer_row(t5_table *table, const char *rows, const char *name, t5_style style,
                       const t5_metrics *m) {
    t5_table_cell(table, T5_STYLE_PLAIN, "%s", rows);
    t5_table_cell(table, style, "%s", name);
    t5_table_cell(table, style, "%.4f", m->avg_jaccard);
    t5_table_cell(table, T5_STYLE_PLAIN, "%.1f%%", 100 * m->exact_match_rate);
    t5_table_cell(table, T5_STYLE_PLAIN, "%.4f", m->micro_f1);
    t5_table_cell(table, T5_STYLE_PLAIN, "%.1f%%", 100 * m->diversity_non_top5_ratio);
    t5_table_cell(table, T5_STYLE_PLAIN, "%lld", (long long)m->diversity_unique_emojis);
}

/* Three lines for the test rows of one filter. */
static void compare_filter(t5_table *table, const t5_report *r, const t5_trial_summary *t) {
    char rows[64] = "all labels";
    int best = t5_report_best(r, t5_metric_find("avg_jaccard"), t->spec.top_n);
    if (t->spec.top_n > 0)
        snprintf(rows, sizeof rows, "Top-%d", t->spec.top_n);
    answer_row(table, rows, t->no_model_name, T5_STYLE_PLAIN, &t->no_model);
    snprintf(rows, sizeof rows, "%lld rows", (long long)t->no_model.num_samples);
    if (best >= 0) {
        const t5_metrics *m = &r->trials[best].test;
        bool better = m->avg_jaccard > t->no_model.avg_jaccard;
        answer_row(table, rows, r->trials[best].name, better ? T5_STYLE_GOOD : T5_STYLE_BAD, m);
    }
    t5_table_cell(table, T5_STYLE_PLAIN, "%s", best >= 0 ? "" : rows);
    t5_table_cell(table, T5_STYLE_DIM, "the gold answers");
    for (int c = 2; c < 5; c++)
        t5_table_cell(table, T5_STYLE_PLAIN, "%s", "");
    t5_table_cell(table, T5_STYLE_DIM, "%.1f%%", 100 * t->gold_outside_top5);
    t5_table_end_row(table);
}

static bool is_first_of_filter(const t5_report *r, int trial) {
    for (int i = 0; i < trial; i++)
        if (r->trials[i].spec.top_n == r->trials[trial].spec.top_n &&
            r->trials[i].no_model.num_samples > 0)
            return false;
    return r->trials[trial].no_model.num_samples > 0;
}

void t5_report_no_model(const t5_report_page *p) {
    const t5_report *r = p->r;
    t5_table *table = t5_table_create(columns, sizeof columns / sizeof *columns);
    int n = 0;
    for (int i = 0; i < r->n; i++)
        if (is_first_of_filter(r, i)) {
            compare_filter(table, r, &r->trials[i]);
            n++;
        }
    if (n > 0) {
        t5_report_title(p, "Best answer without a model, and best trial on the same test rows");
        t5_table_print(table, p->out, 2, p->colour);
    }
    t5_table_destroy(table);
}

/* ---------------------------------------------------------------- the page */

/* Would a shell and Python take it as it is, between their quotes? Commands are shown to be
 * copied. */
static bool is_plain(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x80 && !strchr(" /._-+=:,", *text) &&
            !(*text >= '0' && *text <= '9') && !((*text | 32) >= 'a' && (*text | 32) <= 'z'))
            return false;
    return true;
}

static void print_where(const t5_report_page *p) {
    const t5_report *r = p->r;
    int best = t5_report_best(r, t5_metric_find("avg_jaccard"), -1);
    fprintf(p->out, "\nEverything is in %s (docs/results.md)", r->results_path);
    if (best >= 0 && is_plain(r->results_path) && is_plain(r->trials[best].name))
        fprintf(p->out,
                "; the best trial's answers, beside text and gold:\n"
                "  python3 -c \"import h5py; [print(*map(bytes.decode, row), sep=' | ') for row in "
                "h5py.File('%s')['trials/%s/predictions'][:5]]\"",
                r->results_path, r->trials[best].name);
    fputc('\n', p->out);
}

void t5_report_print(const t5_report *report, FILE *out, bool colour) {
    const t5_report_page page = {report, out, colour};
    t5_report_trials(&page);
    t5_report_goals(&page);
    t5_report_no_model(&page);
    t5_report_tree(&page);
    if (report->results_path)
        print_where(&page);
    fflush(out);
}
