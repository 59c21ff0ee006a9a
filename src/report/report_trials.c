#include "report/report_parts.h"
#include <math.h>
#include <string.h>

/* Output that is as good as constant: less than this outside the Top-5, or so few distinct labels.
 */
static const double collapsed_share = 0.05;
enum { COLLAPSED_DISTINCT = 5 };

static const t5_table_column columns[] = {
    {{"", "trial"}, false, 0},    {{"", "status"}, false, 2},       {{"", "rate"}, true, 2},
    {{"", "Top-N"}, true, 1},     {{"", "loss"}, false, 1},         {{"", "rows"}, true, 1},
    {{"", "Jaccard "}, true, 1},  {{"vs", "base"}, true, 1},        {{"exact ", "match "}, true, 1},
    {{"micro ", "F1 "}, true, 1}, {{"outside", "Top-5 "}, true, 1}, {{"emojis ", "out "}, true, 1},
    {{"best", "epoch"}, true, 1}, {{"", "time"}, true, 1}};

/* The metrics with a column, whose best value is marked. */
enum { JACCARD, EXACT, MICRO_F1, OUTSIDE, DISTINCT, N_SHOWN };
static const char *const shown[N_SHOWN] = {"avg_jaccard", "exact_match_rate", "micro_f1",
                                           "diversity_non_top5_ratio", "diversity_unique_emojis"};
static const char *const formats[N_SHOWN] = {"%.4f", "%.1f%%", "%.3f", "%.1f%%", "%.0f"};
static const double scales[N_SHOWN] = {1, 100, 1, 100, 1};

typedef struct bests {
    double value[N_SHOWN]; /* NaN: nothing to mark */
} bests;

static bests find_bests(const t5_report *r) {
    bests b;
    int n_tests = 0;
    for (int i = 0; i < r->n; i++)
        n_tests += r->trials[i].has_test;
    for (int m = 0; m < N_SHOWN; m++) {
        int metric = t5_metric_find(shown[m]), best = t5_report_best(r, metric, -1);
        double value = best < 0 ? NAN : t5_report_value(&r->trials[best], metric);
        b.value[m] = n_tests > 1 && value > 0 ? value : NAN;
    }
    return b;
}

static void metric_cell(t5_table *t, double value, int m, const bests *b) {
    char number[32];
    if (isnan(value)) {
        t5_table_cell(t, T5_STYLE_PLAIN, "%s", "");
        return;
    }
    snprintf(number, sizeof number, formats[m], value * scales[m]);
    bool best = value == b->value[m];
    t5_table_cell(t, best ? T5_STYLE_BOLD : T5_STYLE_PLAIN, "%s%s", number, best ? "*" : " ");
}

static void difference_cell(t5_table *t, double value, double baseline) {
    double d = value - baseline;
    if (isnan(d))
        t5_table_cell(t, T5_STYLE_PLAIN, "%s", "");
    else
        t5_table_cell(t, d > 0 ? T5_STYLE_GOOD : d < 0 ? T5_STYLE_BAD : T5_STYLE_PLAIN, "%+.3f", d);
}

/* "12.3s", "2m05s", "3h20m" */
static void put_time(char *text, size_t size, double seconds) {
    if (seconds < 60)
        snprintf(text, size, "%.1fs", seconds);
    else if (seconds < 3600)
        snprintf(text, size, "%dm%02ds", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(text, size, "%.0fh%02dm", floor(seconds / 3600), (int)(fmod(seconds, 3600) / 60));
}

static void time_cell(t5_table *t, double seconds) {
    char text[64] = "";
    if (seconds > 0)
        put_time(text, sizeof text, seconds);
    t5_table_cell(t, T5_STYLE_PLAIN, "%s", text);
}

/* 3e-4 rather than 0.0003 or 3e-04. */
static void rate_cell(t5_table *t, double rate) {
    int exponent = rate > 0 ? (int)floor(log10(rate) + 1e-9) : 0;
    if (exponent < -2)
        t5_table_cell(t, T5_STYLE_PLAIN, "%.3ge%d", rate / pow(10, exponent), exponent);
    else
        t5_table_cell(t, T5_STYLE_PLAIN, "%.4g", rate);
}

static void spec_cells(t5_table *t, const t5_trial_spec *spec) {
    rate_cell(t, spec->learning_rate);
    if (spec->top_n > 0)
        t5_table_cell(t, T5_STYLE_PLAIN, "%d", spec->top_n);
    else
        t5_table_cell(t, T5_STYLE_PLAIN, "all");
    if (spec->loss.kind == T5_LOSS_FOCAL)
        t5_table_cell(t, T5_STYLE_PLAIN, "focal %.3g", spec->loss.gamma);
    else
        t5_table_cell(t, T5_STYLE_PLAIN, "CE %.3g", spec->loss.label_smoothing);
}

static t5_style status_style(const char *status) {
    if (strcmp(status, "failed") == 0)
        return T5_STYLE_BAD;
    return strcmp(status, "completed") == 0 ? T5_STYLE_PLAIN : T5_STYLE_DIM;
}

static void trial_row(t5_table *table, const t5_report *r, int i, const bests *b) {
    const t5_trial_summary *t = &r->trials[i];
    double value[N_SHOWN], baseline = t5_report_baseline(r, t5_metric_find(shown[JACCARD]));
    for (int m = 0; m < N_SHOWN; m++)
        value[m] = t5_report_value(t, t5_metric_find(shown[m]));
    t5_table_cell(table, T5_STYLE_BOLD, "%s", t->name);
    t5_table_cell(table, status_style(t->status), "%s", t->status);
    spec_cells(table, &t->spec);
    int64_t rows = t->rows_train + t->rows_val + t->rows_test;
    if (rows > 0)
        t5_table_cell(table, T5_STYLE_PLAIN, "%lld", (long long)rows);
    else
        t5_table_cell(table, T5_STYLE_PLAIN, "%s", "");
    metric_cell(table, value[JACCARD], JACCARD, b);
    difference_cell(table, value[JACCARD], i == r->baseline ? NAN : baseline);
    for (int m = EXACT; m < N_SHOWN; m++)
        metric_cell(table, value[m], m, b);
    if (t->best_epoch > 0)
        t5_table_cell(table, T5_STYLE_PLAIN, "%d/%d", t->best_epoch, t->epochs);
    else
        t5_table_cell(table, T5_STYLE_PLAIN, "%s", "");
    time_cell(table, t5_spent_total(&t->spent));
    t5_table_end_row(table);
}

/* The published figures, where no trial is the baseline. */
static void baseline_row(t5_table *table, const t5_report *r) {
    const bests nothing = {{NAN, NAN, NAN, NAN, NAN}};
    bool any = false;
    for (int m = 0; m < N_SHOWN; m++)
        any = any || !isnan(t5_report_baseline(r, t5_metric_find(shown[m])));
    if (r->baseline >= 0 || !any)
        return;
    t5_table_cell(table, T5_STYLE_BOLD, "baseline");
    t5_table_cell(table, T5_STYLE_DIM, "given");
    for (int c = 2; c < 6; c++)
        t5_table_cell(table, T5_STYLE_PLAIN, "%s", "");
    for (int m = 0; m < N_SHOWN; m++) {
        metric_cell(table, t5_report_baseline(r, t5_metric_find(shown[m])), m, &nothing);
        if (m == JACCARD)
            t5_table_cell(table, T5_STYLE_PLAIN, "%s", "");
    }
    t5_table_end_row(table);
}

/* ---------------------------------------------------------------- what is to be said about them */

static void print_legend(const t5_report_page *p, const bests *b) {
    const t5_report *r = p->r;
    bool several = false;
    for (int i = 1; i < r->n; i++)
        several = several || r->trials[i].spec.top_n != r->trials[0].spec.top_n;
    fprintf(p->out,
            "%srate: learning rate. CE e: cross entropy, label smoothing e. focal g: focal loss, "
            "gamma g.%s",
            t5_style_begin(T5_STYLE_DIM, p->colour), isnan(b->value[JACCARD]) ? "" : " *: best.");
    if (several)
        fprintf(p->out,
                "\nA Top-N filter also filters the test rows: compare across filters with care.");
    fprintf(p->out, "%s\n", t5_style_end(T5_STYLE_DIM, p->colour));
}

/* What the trials' time went into; whoever wants it shorter sees where. */
static void print_times(const t5_report_page *p) {
    t5_spent all = {0};
    char time[64];
    for (int i = 0; i < p->r->n; i++)
        t5_spent_add(&all, &p->r->trials[i].spent);
    const double total = t5_spent_total(&all);
    if (!(total > 0))
        return;
    put_time(time, sizeof time, total);
    fprintf(p->out, "%stime of all trials: %s", t5_style_begin(T5_STYLE_DIM, p->colour), time);
    for (int i = 0; i < T5_N_ACTIVITIES; i++)
        fprintf(p->out, ", %s %.0f%%", t5_spent_words[i], 100 * all.seconds[i] / total);
    fprintf(p->out, "%s\n", t5_style_end(T5_STYLE_DIM, p->colour));
}

static void print_warning(const t5_report_page *p, const t5_trial_summary *t, const char *what,
                          const char *detail) {
    fprintf(p->out, "%s%s%s: %s%s%s\n", t5_style_begin(T5_STYLE_BAD, p->colour), t->name,
            t5_style_end(T5_STYLE_BAD, p->colour), what, *detail ? ": " : "", detail);
}

static void warn_of_output(const t5_report_page *p, const t5_trial_summary *t) {
    const t5_metrics *m = &t->test;
    char detail[160];
    if (m->num_samples > 0 && m->diversity_top5_count + m->diversity_non_top5_count == 0)
        print_warning(p, t, "puts out nothing", "");
    else if (m->num_samples > 0 && (m->diversity_non_top5_ratio < collapsed_share ||
                                    m->diversity_unique_emojis <= COLLAPSED_DISTINCT)) {
        snprintf(detail, sizeof detail,
                 "%lld distinct, %.1f%% outside the Top-5 (gold answers: %.1f%%)",
                 (long long)m->diversity_unique_emojis, 100 * m->diversity_non_top5_ratio,
                 100 * t->gold_outside_top5);
        print_warning(p, t, "the output collapsed", detail);
    }
}

static void print_warnings(const t5_report_page *p) {
    for (int i = 0; i < p->r->n; i++) {
        const t5_trial_summary *t = &p->r->trials[i];
        if (strcmp(t->status, "failed") == 0 || strcmp(t->status, "stopped") == 0)
            print_warning(p, t, t->status, t->reason);
        else if (t->weights_missing)
            print_warning(p, t, t->reason, "");
        if (t->has_test)
            warn_of_output(p, t);
    }
}

void t5_report_trials(const t5_report_page *p) {
    t5_table *table = t5_table_create(columns, sizeof columns / sizeof *columns);
    bests b = find_bests(p->r);
    baseline_row(table, p->r);
    for (int i = 0; i < p->r->n; i++)
        trial_row(table, p->r, i, &b);
    t5_report_title(p, "Results on the test rows");
    t5_table_print(table, p->out, 0, p->colour);
    t5_table_destroy(table);
    print_legend(p, &b);
    print_times(p);
    print_warnings(p);
}
