#include "results/results.h"
#include "io/file.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has_room(void **rows, int64_t *room, int64_t n, size_t bytes) {
    void *larger = n > *room ? realloc(*rows, (size_t)n * bytes) : *rows;
    if (n <= *room || !larger)
        return n <= *room;
    *rows = larger;
    *room = n;
    return true;
}

t5_status t5_record_reserve(t5_record *r, int64_t steps, int64_t evals, t5_error *err) {
    int64_t kept = steps < T5_RECORD_STEPS ? steps : T5_RECORD_STEPS;
    return has_room((void **)&r->steps, &r->room_steps, kept, sizeof *r->steps) &&
                   has_room((void **)&r->evals, &r->room_evals, evals, sizeof *r->evals)
               ? T5_OK
               : t5_fail(err, T5_ERR_MEMORY, "out of memory for the curves of a trial");
}

/* Steps from one kept row to the next. */
static int64_t stride(const t5_record *r) {
    return r->n_steps > 1 ? r->steps[1].step - r->steps[0].step : 1;
}

static void thin_out(t5_record *r) {
    int64_t left = 0;
    for (int64_t i = 0; i < r->n_steps; i += 2)
        r->steps[left++] = r->steps[i];
    r->n_steps = left;
}

void t5_record_step(t5_record *r, const t5_step_row *row) {
    if (r->n_steps == T5_RECORD_STEPS && (row->step - 1) % stride(r) == 0)
        thin_out(r);
    if ((row->step - 1) % stride(r) != 0)
        return;
    assert(r->n_steps < r->room_steps);
    r->steps[r->n_steps++] = *row;
}
void t5_record_eval(t5_record *r, const t5_eval_row *row) {
    assert(r->n_evals < r->room_evals);
    r->evals[r->n_evals++] = *row;
}

void t5_record_free(t5_record *r) {
    for (int64_t i = 0; i < r->n_predictions; i++)
        free(r->predictions[i]);
    free(r->predictions);
    free(r->steps);
    free(r->evals);
    memset(r, 0, sizeof *r);
}

/* Columns are filled from an array of structs: one field each, copied into one block. */
typedef struct builder {
    t5_column columns[20];
    int n;
    int64_t rows;
    char *block;
} builder;

static t5_status builder_init(builder *b, int n_columns, int64_t rows, t5_error *err) {
    *b = (builder){.rows = rows};
    b->block = malloc((size_t)n_columns * (size_t)rows * sizeof(double) + 1);
    return b->block ? T5_OK : t5_fail(err, T5_ERR_MEMORY, "out of memory for a table of results");
}

/* The field at `offset` of every struct of `size` bytes; double or int64_t. */
static void builder_add(builder *b, const char *name, t5_column_type type, const void *structs,
                        size_t size, size_t offset) {
    char *to = b->block + (size_t)b->n * (size_t)b->rows * sizeof(double);
    for (int64_t i = 0; i < b->rows; i++)
        memcpy(to + (size_t)i * sizeof(double), (const char *)structs + (size_t)i * size + offset,
               sizeof(double));
    b->columns[b->n++] = (t5_column){name, type, to};
}

static t5_status write_steps(t5_store *s, const char *path, const t5_record *r, t5_error *err) {
    builder b;
    if (builder_init(&b, 7, r->n_steps, err) != T5_OK)
        return err->status;
#define ADD(field, type) \
    builder_add(&b, #field, type, r->steps, sizeof *r->steps, offsetof(t5_step_row, field))
    ADD(step, T5_COLUMN_INT);
    ADD(epoch, T5_COLUMN_INT);
    ADD(loss, T5_COLUMN_DOUBLE);
    ADD(learning_rate, T5_COLUMN_DOUBLE);
    ADD(grad_norm, T5_COLUMN_DOUBLE);
    ADD(tokens, T5_COLUMN_INT);
    ADD(seconds, T5_COLUMN_DOUBLE);
#undef ADD
    t5_store_table(s, path, b.columns, b.n, b.rows);
    free(b.block);
    return T5_OK;
}

static t5_status write_evals(t5_store *s, const char *path, const t5_record *r, t5_error *err) {
    int64_t n = r->n_evals;
    builder b;
    double *values;
    if (builder_init(&b, 2 + T5_N_METRICS, n, err) != T5_OK)
        return err->status;
    builder_add(&b, "epoch", T5_COLUMN_INT, r->evals, sizeof *r->evals,
                offsetof(t5_eval_row, epoch));
    builder_add(&b, "loss", T5_COLUMN_DOUBLE, r->evals, sizeof *r->evals,
                offsetof(t5_eval_row, loss));
    for (int m = 0; m < T5_N_METRICS; m++) {
        values = (double *)(void *)b.block + (int64_t)b.n * n;
        for (int64_t i = 0; i < n; i++) {
            double v = t5_metric_value(&r->evals[i].metrics, m);
            int64_t count = (int64_t)v;
            if (t5_metric_is_count(m))
                memcpy(values + i, &count, sizeof count);
            else
                values[i] = v;
        }
        b.columns[b.n++] = (t5_column){
            t5_metric_names[m], t5_metric_is_count(m) ? T5_COLUMN_INT : T5_COLUMN_DOUBLE, values};
    }
    t5_store_table(s, path, b.columns, b.n, n);
    free(b.block);
    return T5_OK;
}

t5_status t5_record_put(t5_store *s, const t5_record *r, t5_error *err) {
    t5_status status = r->n_steps ? write_steps(s, "/train", r, err) : T5_OK;
    return status == T5_OK && r->n_evals ? write_evals(s, "/eval", r, err) : status;
}

/* A copy of a text with NUL at the end, in an arena. */
static const char *put(char **arena, t5_str s) {
    char *p = *arena;
    memcpy(p, s.s, s.n);
    p[s.n] = 0;
    *arena += s.n + 1;
    return p;
}

static t5_status write_predictions(t5_store *s, const char *path, const t5_record *r,
                                   const t5_texts *test, t5_error *err) {
    size_t bytes = 1, n = (size_t)r->n_predictions;
    for (size_t i = 0; i < n; i++)
        bytes += test->input[i].n + test->target[i].n + 2;
    const char **columns = malloc((3 * n + 1) * sizeof *columns);
    char *arena = malloc(bytes), *p = arena;
    if (!columns || !arena) {
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the predictions' table");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        columns[i] = put(&p, test->input[i]);
        columns[n + i] = put(&p, test->target[i]);
        columns[2 * n + i] = r->predictions[i];
    }
    t5_column table[3] = {{"text", T5_COLUMN_TEXT, columns},
                          {"gold", T5_COLUMN_TEXT, columns + n},
                          {"pred", T5_COLUMN_TEXT, columns + 2 * n}};
    t5_store_table(s, path, table, 3, (int64_t)n);
done:
    free(columns);
    free(arena);
    return err->status;
}

void t5_results_put_metrics(t5_store *s, const char *group, const t5_metrics *m) {
    t5_store_group(s, group);
    for (int i = 0; i < T5_N_METRICS; i++) {
        double v = t5_metric_value(m, i);
        if (t5_metric_is_count(i))
            t5_store_attr_int(s, group, t5_metric_names[i], (int64_t)v);
        else
            t5_store_attr_double(s, group, t5_metric_names[i], v);
    }
}

static void write_attributes(t5_store *s, const t5_trial_summary *t) {
    const t5_loss_spec *loss = &t->spec.loss;
    t5_store_attr_double(s, "/", "learning_rate", t->spec.learning_rate);
    t5_store_attr_int(s, "/", "top_n", t->spec.top_n);
    t5_store_attr_text(s, "/", "loss", loss->kind == T5_LOSS_FOCAL ? "focal" : "cross_entropy");
    t5_store_attr_double(s, "/", "gamma", loss->gamma);
    t5_store_attr_double(s, "/", "alpha", loss->alpha);
    t5_store_attr_double(s, "/", "label_smoothing", loss->label_smoothing);
    t5_store_attr_int(s, "/", "seed", (int64_t)t->spec.seed);
    t5_store_attr_text(s, "/", "status", t->status);
    t5_store_attr_text(s, "/", "reason", t->reason);
    t5_store_attr_int(s, "/", "weights_missing", t->weights_missing);
    t5_store_attr_int(s, "/", "speculative", t->speculative);
    t5_store_attr_int(s, "/", "rows_train", t->rows_train);
    t5_store_attr_int(s, "/", "rows_val", t->rows_val);
    t5_store_attr_int(s, "/", "rows_test", t->rows_test);
    t5_store_attr_int(s, "/", "best_epoch", t->best_epoch);
    t5_store_attr_double(s, "/", "best_value", t->best_value);
    t5_store_attr_double(s, "/", "seconds", t5_spent_total(&t->spent));
    for (int i = 0; i < T5_N_ACTIVITIES; i++)
        t5_store_attr_double(s, "/", t5_spent_names[i], t->spent.seconds[i]);
}

t5_status t5_results_check_folder(const char *dir, bool resume, t5_error *err) {
    char path[4352];
    struct stat about;
    snprintf(path, sizeof path, "%s/results.h5", dir);
    if (t5_file_exists(path) && !resume)
        return t5_fail(err, T5_ERR_INPUT,
                       "%s is there already: the results of an earlier run are never overwritten; "
                       "go on with --resume, or give another folder with --output",
                       path);
    /* the folder itself, or the nearest one above it that exists */
    do {
        char *slash = strrchr(path, '/');
        if (slash == path)
            slash++;
        if (slash)
            *slash = 0;
        else
            strcpy(path, ".");
    } while (stat(path, &about) != 0 && strcmp(path, "/") != 0 && strcmp(path, ".") != 0);
    if (!S_ISDIR(about.st_mode))
        return t5_fail(err, T5_ERR_INPUT, "output.dir = \"%s\": %s is not a folder", dir, path);
    if (access(path, W_OK | X_OK) != 0)
        return t5_fail(err, T5_ERR_INPUT, "output.dir = \"%s\": cannot write in %s: %s", dir, path,
                       strerror(errno));
    return T5_OK;
}

static void trial_path(char *path, size_t size, const char *dir, const char *name) {
    snprintf(path, size, "%s/trials/%s.h5", dir, name);
}

t5_status t5_results_write_trial(const char *dir, const t5_trial_summary *t, const t5_record *r,
                                 const t5_texts *test, t5_error *err) {
    char path[4352];
    t5_store *s = NULL;
    trial_path(path, sizeof path, dir, t->name);
    if (t5_store_create(path, &s, err) != T5_OK)
        return err->status;
    write_attributes(s, t);
    if (r && t5_record_put(s, r, err) != T5_OK)
        goto fail;
    if (t->has_test)
        t5_results_put_metrics(s, "/test", &t->test);
    if (r && test && r->n_predictions &&
        write_predictions(s, "/predictions", r, test, err) != T5_OK)
        goto fail;
    return t5_store_commit(s, err);
fail:
    t5_store_abandon(s);
    return err->status;
}

t5_status t5_results_set_status(const char *dir, const char *name, const char *status,
                                t5_error *err) {
    char path[4352];
    t5_store *s;
    trial_path(path, sizeof path, dir, name);
    if (t5_store_modify(path, &s, err) != T5_OK)
        return err->status;
    t5_store_attr_text(s, "/", "status", status);
    return t5_store_commit(s, err);
}

t5_status t5_results_put_labels(t5_store *s, const t5_labels *labels, int n_labels,
                                const char *names_path, const char *counts_path, t5_error *err) {
    size_t n = (size_t)n_labels;
    const char **names = malloc((n + 1) * sizeof *names);
    int64_t *counts = malloc((n + 1) * sizeof *counts);
    if (names && counts) {
        for (size_t l = 0; l < n; l++) {
            names[l] = t5_labels_name(labels, (int)l).s;
            counts[l] = t5_labels_occurrences(labels, (int)l);
        }
        t5_store_array(s, names_path, T5_COLUMN_TEXT, names, (int64_t)n);
        t5_store_array(s, counts_path, T5_COLUMN_INT, counts, (int64_t)n);
    } else {
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the table of labels");
    }
    free(names);
    free(counts);
    return err->status;
}
