#include "report/report_parts.h"
#include <math.h>
#include <string.h>

static const char *baseline_name(const t5_report *r) {
    return r->baseline >= 0 ? r->trials[r->baseline].name : "the given baseline";
}

/* One decision: "a: 0.1600 > 0.1500 of b: improved -> c". */
static void print_decision(const t5_report_page *p, const t5_trial_summary *t) {
    const t5_report *r = p->r;
    int metric = t5_metric_find(r->decide_by);
    double value = metric < 0 ? NAN : t5_report_value(t, metric);
    double baseline = metric < 0 ? NAN : t5_report_baseline(r, metric);
    fprintf(p->out, "  %s: ", t->name);
    if (t->decision < 0) {
        fprintf(p->out, "%s, undecided\n", t->status);
        return;
    }
    if (isnan(value))
        fprintf(p->out, "%s, counts as ", t->status);
    else if (isnan(baseline))
        fprintf(p->out, "%.4f, %s has none: ", value, baseline_name(r));
    else
        fprintf(p->out, "%.4f %s %.4f of %s: ", value,
                value > baseline   ? ">"
                : value < baseline ? "<"
                                   : "=",
                baseline, baseline_name(r));
    fprintf(p->out, "%s%s%s", t5_style_begin(t->decision ? T5_STYLE_GOOD : T5_STYLE_BAD, p->colour),
            t->decision ? "improved" : "not improved",
            t5_style_end(t->decision ? T5_STYLE_GOOD : T5_STYLE_BAD, p->colour));
    int next = t->decision ? t->improved : t->otherwise;
    if (next >= 0 && next < r->n)
        fprintf(p->out, " -> %s", r->trials[next].name);
    fputc('\n', p->out);
}

static bool is_pointed_to(const t5_report *r, int trial) {
    for (int i = 0; i < r->n; i++)
        if (r->trials[i].improved == trial || r->trials[i].otherwise == trial)
            return true;
    return false;
}

/* Follows the decisions from a root on; at most as many steps as there are trials. */
static void follow(const t5_report_page *p, int trial) {
    const t5_report *r = p->r;
    for (int steps = 0; trial >= 0 && trial < r->n && steps < r->n; steps++) {
        const t5_trial_summary *t = &r->trials[trial];
        print_decision(p, t);
        if (t->decision < 0)
            return;
        trial = t->decision ? t->improved : t->otherwise;
    }
}

static void print_skipped(const t5_report_page *p) {
    const char *before = "  not on the way: ";
    for (int i = 0; i < p->r->n; i++) {
        const t5_trial_summary *t = &p->r->trials[i];
        if (strcmp(t->status, "skipped") == 0) {
            fprintf(p->out, "%s%s (%s)", before, t->name, t->has_test ? "ran ahead" : "not run");
            before = ", ";
        }
    }
    if (*before == ',')
        fputc('\n', p->out);
}

void t5_report_tree(const t5_report_page *p) {
    const t5_report *r = p->r;
    if (!r->is_tree)
        return;
    t5_report_title(p, "The way of the tree, by %s", r->decide_by ? r->decide_by : "nothing");
    for (int i = 0; i < r->n; i++) {
        const t5_trial_summary *t = &r->trials[i];
        bool decides = t->improved >= 0 || t->otherwise >= 0 || i != r->baseline;
        if (decides && !is_pointed_to(r, i))
            follow(p, i);
    }
    print_skipped(p);
}
