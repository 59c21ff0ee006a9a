#include "results/index.h"
#include "results/index_plan.h"
#include "results/results.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* NaN where there is none, so that every figure has its attribute. */
static void put_figures(t5_store *s, const char *group, const double *figures) {
    for (int f = 0; f < T5_N_FIGURES; f++)
        t5_store_attr_double(s, group, t5_figure_names[f], figures[f]);
}

static void put_attributes(t5_store *s, const t5_index *x) {
    t5_store_attr_int(s, "/", "schema_version", T5_INDEX_SCHEMA);
    t5_store_attr_text(s, "/", "t5mpi_version", x->version);
    t5_store_attr_text(s, "/", "config", x->config);
    t5_store_attr_text(s, "/", "settings", x->settings);
    t5_store_attr_int(s, "/", "ranks", x->ranks);
    t5_store_attr_text(s, "/", "device", x->device);
    t5_store_attr_text(s, "/", "decide_by", x->decide_by);
    t5_store_attr_int(s, "/", "epochs", x->epochs);
    t5_store_attr_int(s, "/", "part", x->part.number);
    t5_store_attr_int(s, "/", "parts", x->part.count);
    t5_store_attr_int(s, "/", "merged_of", x->merged_of);
}

static void put_dataset(t5_store *s, const t5_index *x) {
    t5_store_group(s, "/dataset");
    t5_store_attr_int(s, "/dataset", "rows", x->rows);
    t5_store_attr_int(s, "/dataset", "fingerprint", (int64_t)x->fingerprint);
    t5_store_attr_int(s, "/dataset", "fingerprint_tokenizer", (int64_t)x->fingerprint_tokenizer);
    t5_store_attr_int(s, "/dataset", "fingerprint_model", (int64_t)x->fingerprint_model);
    t5_store_attr_int(s, "/dataset", "distinct_emojis", x->n_labels);
    t5_store_attr_int(s, "/dataset", "occurrences", x->occurrences);
    t5_store_array(s, "/dataset/emoji", T5_COLUMN_TEXT, x->labels, x->n_labels);
    t5_store_array(s, "/dataset/count", T5_COLUMN_INT, x->counts, x->n_labels);
}

static void put_selections(t5_store *s, const t5_index *x) {
    t5_store_group(s, "/no_model");
    for (int i = 0; i < x->n_selections; i++) {
        const t5_source_selection *sel = &x->selections[i];
        char group[64] = "/no_model/all";
        if (sel->top_n > 0)
            snprintf(group, sizeof group, "/no_model/top%d", sel->top_n);
        t5_store_attr_int(s, group, "top_n", sel->top_n);
        t5_store_attr_text(s, group, "answer", sel->no_model_name);
        t5_store_attr_double(s, group, "gold_outside_top5", sel->gold_outside_top5);
        t5_results_put_metrics(s, group, &sel->no_model);
    }
}

/* Trials of a part that is not there have no link. */
static void put_links(t5_store *s, const t5_index *x) {
    t5_store_group(s, "/trials");
    for (int t = 0; t < x->plan.n; t++) {
        char link[160], file[224];
        const char *name = x->plan.trials[t].name;
        t5_part part = {x->merged_of ? t % x->merged_of + 1 : 0, x->merged_of};
        if (!t5_part_has(x->part, t) || (x->merged_of && !x->parts_here[part.number - 1]))
            continue;
        snprintf(link, sizeof link, "/trials/%s", name);
        if (x->merged_of)
            snprintf(file, sizeof file, T5_PART_FOLDER "/trials/%s.h5", part.number, part.count,
                     name);
        else
            snprintf(file, sizeof file, "trials/%s.h5", name);
        t5_store_link(s, link, file, "/");
    }
}

t5_status t5_index_write(const char *dir, const t5_index *x, t5_error *err) {
    char path[4352];
    t5_store *s = NULL;
    snprintf(path, sizeof path, "%s/results.h5", dir);
    if (t5_store_create(path, &s, err) != T5_OK)
        return err->status;
    put_attributes(s, x);
    put_dataset(s, x);
    if (t5_index_write_plan(s, &x->plan, err) != T5_OK) {
        t5_store_abandon(s);
        return err->status;
    }
    t5_store_attr_text(s, "/baseline", "trial", x->baseline_trial);
    put_figures(s, "/baseline", x->baseline);
    put_figures(s, "/goals", x->goals);
    put_selections(s, x);
    put_links(s, x);
    return t5_store_commit(s, err);
}
