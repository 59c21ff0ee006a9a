#include "results/index.h"
#include "results/index_plan.h"
#include "results/results_read.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void t5_index_free(t5_index *x) {
    free(x->version);
    free(x->config);
    free(x->settings);
    free(x->device);
    free(x->selections);
    free(x->labels);
    free(x->counts);
    free(x->parts_here);
    t5_plan_free(&x->plan);
    memset(x, 0, sizeof *x);
}

const t5_source_selection *t5_index_find(const t5_index *x, int top_n) {
    for (int i = 0; i < x->n_selections; i++)
        if (x->selections[i].top_n == top_n)
            return &x->selections[i];
    return NULL;
}

bool t5_index_settings_differ(const char *a, const char *b, t5_str *of_a, t5_str *of_b) {
    static const t5_str nothing = {"nothing", 7};
    while (*a || *b) {
        *of_a = (t5_str){a, strcspn(a, "\n")};
        *of_b = (t5_str){b, strcspn(b, "\n")};
        if (of_a->n != of_b->n || memcmp(a, b, of_a->n) != 0) {
            *of_a = of_a->n ? *of_a : nothing;
            *of_b = of_b->n ? *of_b : nothing;
            return true;
        }
        a += of_a->n + (a[of_a->n] != 0);
        b += of_b->n + (b[of_b->n] != 0);
    }
    return false;
}

/* ---------------------------------------------------------------- of a run that begins */

/* One block: the pointers, then the texts. */
static char **copy_labels(const t5_labels *labels, int n) {
    size_t bytes = (size_t)n * sizeof(char *) + 1;
    for (int l = 0; l < n; l++)
        bytes += t5_labels_name(labels, l).n + 1;
    char **block = malloc(bytes), *end = (char *)(block + n);
    for (int l = 0; block && l < n; l++) {
        t5_str name = t5_labels_name(labels, l);
        block[l] = memcpy(end, name.s, name.n);
        end[name.n] = 0;
        end += name.n + 1;
    }
    return block;
}

static bool fill_labels(const t5_labels *labels, t5_index *x) {
    int n = t5_labels_size(labels);
    x->n_labels = n;
    x->occurrences = t5_labels_total(labels);
    x->labels = copy_labels(labels, n);
    x->counts = malloc(((size_t)n + 1) * sizeof *x->counts);
    for (int l = 0; x->counts && l < n; l++)
        x->counts[l] = t5_labels_occurrences(labels, l);
    return x->labels && x->counts;
}

static void *copy(const void *from, size_t bytes) {
    void *to = malloc(bytes + 1);
    return to ? memcpy(to, from, bytes) : NULL;
}

t5_status t5_index_fill(const t5_config *config, const t5_plan *whole, t5_part part,
                        const t5_source *source, uint64_t fingerprint, int ranks,
                        const char *device, t5_index *x, t5_error *err) {
    *x = (t5_index){.ranks = ranks,
                    .epochs = config->train.epochs,
                    .part = part,
                    .rows = t5_rows_count(source->rows),
                    .fingerprint = fingerprint,
                    .fingerprint_tokenizer = t5_source_fingerprint_tokenizer(source),
                    .fingerprint_model = source->fingerprint_model,
                    .n_selections = source->n_selections};
    snprintf(x->decide_by, sizeof x->decide_by, "%s", config->decide_by);
    if (whole->baseline >= 0)
        strcpy(x->baseline_trial, whole->trials[whole->baseline].name);
    memcpy(x->baseline, config->baseline, sizeof x->baseline);
    memcpy(x->goals, config->goals, sizeof x->goals);
    x->version = strdup(T5MPI_VERSION);
    x->config = strdup(config->text);
    x->device = strdup(device);
    x->selections = copy(source->selections, (size_t)source->n_selections * sizeof *x->selections);
    if (t5_part_plan(whole, (t5_part){0}, &x->plan, err) == T5_OK &&
        t5_config_settings(config, &x->settings, err) == T5_OK &&
        (!fill_labels(t5_dataset_labels(source->set), x) || !x->version || !x->config ||
         !x->device || !x->selections))
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the index of the results");
    if (err->status != T5_OK)
        t5_index_free(x);
    return err->status;
}

/* ---------------------------------------------------------------- of a results.h5 */

static t5_status get_schema(t5_store_reader *r, const char *path, t5_error *err) {
    int64_t schema;
    bool found;
    if (t5_store_get_int(r, "/", "schema_version", &schema, err) != T5_OK)
        return err->status;
    if (schema != T5_INDEX_SCHEMA)
        return t5_fail(err, T5_ERR_INPUT, "%s: schema_version is %lld, this t5mpi reads %d", path,
                       (long long)schema, T5_INDEX_SCHEMA);
    if (t5_store_find(r, "/plan", &found, err) == T5_OK && !found)
        t5_fail(err, T5_ERR_INPUT,
                "%s: has no table /plan: an older t5mpi wrote it, and `t5mpi CONFIG "
                "--resume` adds what is missing",
                path);
    return err->status;
}

uint64_t t5_index_part_fingerprint(t5_store_reader *r, const char *name) {
    t5_error older = {0};
    int64_t value = 0;
    return t5_store_get_int(r, "/dataset", name, &value, &older) == T5_OK ? (uint64_t)value : 0;
}

static t5_status get_attributes(t5_store_reader *r, const char *path, t5_index *x, t5_error *err) {
    char *metric = NULL;
    int64_t epochs, part, parts, merged_of, fingerprint;
    if (t5_store_get_text(r, "/", "t5mpi_version", &x->version, err) != T5_OK ||
        t5_store_get_text(r, "/", "config", &x->config, err) != T5_OK ||
        t5_store_get_text(r, "/", "settings", &x->settings, err) != T5_OK ||
        t5_store_get_int(r, "/", "ranks", &x->ranks, err) != T5_OK ||
        t5_store_get_text(r, "/", "device", &x->device, err) != T5_OK ||
        t5_store_get_text(r, "/", "decide_by", &metric, err) != T5_OK ||
        t5_store_get_int(r, "/", "epochs", &epochs, err) != T5_OK ||
        t5_store_get_int(r, "/", "part", &part, err) != T5_OK ||
        t5_store_get_int(r, "/", "parts", &parts, err) != T5_OK ||
        t5_store_get_int(r, "/", "merged_of", &merged_of, err) != T5_OK ||
        t5_store_get_int(r, "/dataset", "rows", &x->rows, err) != T5_OK ||
        t5_store_get_int(r, "/dataset", "occurrences", &x->occurrences, err) != T5_OK ||
        t5_store_get_int(r, "/dataset", "fingerprint", &fingerprint, err) != T5_OK)
        goto done;
    if (t5_metric_find(metric) < 0)
        t5_fail(err, T5_ERR_INPUT, "%s: decide_by is \"%s\", which is no metric", path, metric);
    else if (epochs < 0 || epochs > INT32_MAX || parts < 0 || parts > T5_PARTS_MOST || part < 0 ||
             part > parts || (part == 0) != (parts == 0) || merged_of < 0 ||
             merged_of > T5_PARTS_MOST || (parts > 0 && merged_of > 0))
        t5_fail(err, T5_ERR_INPUT, "%s: epochs %lld, part %lld of %lld, merged of %lld", path,
                (long long)epochs, (long long)part, (long long)parts, (long long)merged_of);
    else
        snprintf(x->decide_by, sizeof x->decide_by, "%s", metric);
    x->epochs = (int)epochs;
    x->part = (t5_part){(int)part, (int)parts};
    x->merged_of = (int)merged_of;
    x->fingerprint = (uint64_t)fingerprint;
    x->fingerprint_tokenizer = t5_index_part_fingerprint(r, "fingerprint_tokenizer");
    x->fingerprint_model = t5_index_part_fingerprint(r, "fingerprint_model");
done:
    free(metric);
    return err->status;
}

static t5_status get_labels(t5_store_reader *r, const char *path, t5_index *x, t5_error *err) {
    int64_t n_counts;
    if (t5_store_get_array(r, "/dataset/emoji", NULL, T5_COLUMN_TEXT, (void **)&x->labels,
                           &x->n_labels, err) == T5_OK &&
        t5_store_get_array(r, "/dataset/count", NULL, T5_COLUMN_INT, (void **)&x->counts, &n_counts,
                           err) == T5_OK &&
        n_counts != x->n_labels)
        t5_fail(err, T5_ERR_INPUT, "%s: %lld labels and %lld counts of them", path,
                (long long)x->n_labels, (long long)n_counts);
    return err->status;
}

/* Figures that a group has as attributes; NaN for those that it has not. */
static t5_status get_figures(t5_store_reader *r, const char *group, double *figures,
                             t5_error *err) {
    for (int f = 0; f < T5_N_FIGURES && err->status == T5_OK; f++)
        t5_store_get_double(r, group, t5_figure_names[f], &figures[f], err);
    return err->status;
}

static t5_status get_selections(t5_store_reader *r, t5_index *x, t5_error *err) {
    char **names = NULL;
    int n = 0;
    if (t5_store_list(r, "/no_model", &names, &n, err) != T5_OK)
        return err->status;
    if (!(x->selections = calloc((size_t)n + 1, sizeof *x->selections)))
        t5_fail(err, T5_ERR_MEMORY, "out of memory for %d filters", n);
    for (int i = 0; i < n && err->status == T5_OK; i++) {
        t5_source_selection *s = &x->selections[i];
        char group[512], *answer = NULL;
        int64_t top_n = 0;
        snprintf(group, sizeof group, "/no_model/%s", names[i]);
        if (t5_store_get_int(r, group, "top_n", &top_n, err) == T5_OK &&
            t5_store_get_text(r, group, "answer", &answer, err) == T5_OK &&
            t5_store_get_double(r, group, "gold_outside_top5", &s->gold_outside_top5, err) ==
                T5_OK &&
            t5_results_read_metrics(r, group, &s->no_model, err) == T5_OK)
            snprintf(s->no_model_name, sizeof s->no_model_name, "%s", answer);
        s->top_n = (int)top_n;
        x->n_selections = i + 1;
        free(answer);
    }
    free(names);
    return err->status;
}

static t5_status get_baseline(t5_store_reader *r, const char *path, t5_index *x, t5_error *err) {
    char *trial = NULL;
    if (t5_store_get_text(r, "/baseline", "trial", &trial, err) == T5_OK &&
        get_figures(r, "/baseline", x->baseline, err) == T5_OK &&
        get_figures(r, "/goals", x->goals, err) == T5_OK && *trial) {
        snprintf(x->baseline_trial, sizeof x->baseline_trial, "%s", trial);
        for (int t = 0; t < x->plan.n; t++)
            if (strcmp(x->plan.trials[t].name, trial) == 0)
                x->plan.baseline = t;
        if (x->plan.baseline < 0)
            t5_fail(err, T5_ERR_INPUT, "%s: the baseline \"%s\" is no trial of /plan", path, trial);
    }
    free(trial);
    return err->status;
}

t5_status t5_index_read(t5_store_reader *r, const char *path, t5_index *x, t5_error *err) {
    memset(x, 0, sizeof *x);
    if (get_schema(r, path, err) != T5_OK || get_attributes(r, path, x, err) != T5_OK ||
        get_labels(r, path, x, err) != T5_OK ||
        t5_index_read_plan(r, path, &x->plan, err) != T5_OK ||
        get_baseline(r, path, x, err) != T5_OK || get_selections(r, x, err) != T5_OK)
        t5_index_free(x);
    return err->status;
}
