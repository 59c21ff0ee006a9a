#include "run/state.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

uint64_t t5_state_layout(const t5_model *model) {
    uint64_t sum = (uint64_t)t5_model_n_arena(model);
    for (int i = 0; i < t5_model_n_params(model); i++) {
        const t5_param *p = t5_model_param(model, i);
        const int64_t place[] = {p->rows, p->cols, p->offset};
        sum = XXH3_64bits_withSeed(p->name, strlen(p->name), sum);
        sum = XXH3_64bits_withSeed(place, sizeof place, sum);
    }
    return sum;
}

/* ---- the state: a row for every field ---- */

static const char group[] = "/state";

typedef struct field {
    const char *name;
    size_t offset;
    bool is_double;
} field;

#define INTEGER(member) \
    { #member, offsetof(t5_training_state, member), false }
#define NUMBER(member) \
    { #member, offsetof(t5_training_state, member), true }
static const field fields[] = {INTEGER(step),       NUMBER(epoch_loss),  INTEGER(epoch),
                               INTEGER(epoch_step), INTEGER(epoch_rows), NUMBER(best_loss),
                               NUMBER(best_value),  INTEGER(best_epoch), INTEGER(restarts)};
enum { N_FIELDS = sizeof fields / sizeof *fields };
#undef INTEGER
#undef NUMBER

t5_status t5_state_put(t5_store *values, const t5_training_state *state, const t5_record *record,
                       t5_error *err) {
    t5_store_group(values, group);
    for (int i = 0; i < N_FIELDS; i++) {
        const char *at = (const char *)state + fields[i].offset;
        int64_t integer;
        double number;
        memcpy(&integer, at, sizeof integer);
        memcpy(&number, at, sizeof number);
        if (fields[i].is_double)
            t5_store_attr_double(values, group, fields[i].name, number);
        else
            t5_store_attr_int(values, group, fields[i].name, integer);
    }
    for (int i = 0; i < T5_N_ACTIVITIES; i++)
        t5_store_attr_double(values, group, t5_spent_names[i], state->spent.seconds[i]);
    return record ? t5_record_put(values, record, err) : T5_OK;
}

static t5_status get_fields(t5_store_reader *r, t5_training_state *state, t5_error *err) {
    t5_status status = T5_OK;
    for (int i = 0; i < N_FIELDS && status == T5_OK; i++) {
        char *at = (char *)state + fields[i].offset;
        int64_t integer = 0;
        double number = 0;
        if (fields[i].is_double)
            status = t5_store_get_double(r, group, fields[i].name, &number, err);
        else
            status = t5_store_get_int(r, group, fields[i].name, &integer, err);
        memcpy(at, fields[i].is_double ? (const void *)&number : &integer, sizeof integer);
    }
    for (int i = 0; i < T5_N_ACTIVITIES && status == T5_OK; i++)
        status = t5_store_get_double(r, group, t5_spent_names[i], &state->spent.seconds[i], err);
    return status;
}

/* ---- the curves ---- */

/* A column of a table: values of 8 bytes in *data, malloc'd; all columns have as many. */
static t5_status get_column(t5_store_reader *r, const char *table, const char *column,
                            t5_column_type type, int64_t most, void **data, int64_t *n,
                            t5_error *err) {
    if (t5_store_get_array(r, table, column, type, data, n, err) != T5_OK)
        return err->status;
    if (*n > most) {
        free(*data);
        *data = NULL;
        return t5_fail(err, T5_ERR_INPUT, "%s has %lld rows, more than %lld", table, (long long)*n,
                       (long long)most);
    }
    return T5_OK;
}

static t5_status get_steps(t5_store_reader *r, t5_record *record, int64_t *n, t5_error *err) {
#define COLUMN(name, type) \
    { #name, type, offsetof(t5_step_row, name) }
    static const struct {
        const char *name;
        t5_column_type type;
        size_t offset;
    } columns[] = {COLUMN(step, T5_COLUMN_INT),         COLUMN(epoch, T5_COLUMN_INT),
                   COLUMN(loss, T5_COLUMN_DOUBLE),      COLUMN(learning_rate, T5_COLUMN_DOUBLE),
                   COLUMN(grad_norm, T5_COLUMN_DOUBLE), COLUMN(tokens, T5_COLUMN_INT),
                   COLUMN(seconds, T5_COLUMN_DOUBLE)};
#undef COLUMN
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        void *data = NULL;
        if (get_column(r, "/train", columns[c].name, columns[c].type, T5_RECORD_STEPS, &data, n,
                       err) == T5_OK &&
            t5_record_reserve(record, *n, 0, err) == T5_OK)
            for (int64_t i = 0; i < *n; i++)
                memcpy((char *)&record->steps[i] + columns[c].offset, (char *)data + i * 8, 8);
        free(data);
        if (err->status != T5_OK)
            return err->status;
    }
    return T5_OK;
}

static t5_status get_metric(t5_store_reader *r, int m, t5_eval_row *rows, int64_t *n,
                            t5_error *err) {
    bool count = t5_metric_is_count(m);
    void *data = NULL;
    if (get_column(r, "/eval", t5_metric_names[m], count ? T5_COLUMN_INT : T5_COLUMN_DOUBLE, *n,
                   &data, n, err) != T5_OK)
        return err->status;
    for (int64_t i = 0; i < *n; i++)
        t5_metric_set(&rows[i].metrics, m,
                      count ? (double)((int64_t *)data)[i] : ((double *)data)[i]);
    free(data);
    return T5_OK;
}

static t5_status get_evals(t5_store_reader *r, t5_record *record, int64_t *n, t5_error *err) {
    void *epochs = NULL, *losses = NULL;
    if (get_column(r, "/eval", "epoch", T5_COLUMN_INT, INT64_MAX, &epochs, n, err) == T5_OK &&
        get_column(r, "/eval", "loss", T5_COLUMN_DOUBLE, *n, &losses, n, err) == T5_OK &&
        t5_record_reserve(record, 0, *n, err) == T5_OK)
        for (int64_t i = 0; i < *n; i++)
            record->evals[i] =
                (t5_eval_row){.epoch = ((int64_t *)epochs)[i], .loss = ((double *)losses)[i]};
    free(epochs);
    free(losses);
    for (int m = 0; m < T5_N_METRICS && err->status == T5_OK; m++)
        get_metric(r, m, record->evals, n, err);
    return err->status;
}

t5_status t5_state_get(t5_store_reader *values, t5_training_state *state, t5_record *record,
                       t5_error *err) {
    t5_training_state found = {0};
    int64_t n_steps = 0, n_evals = 0;
    if (get_fields(values, &found, err) != T5_OK)
        return err->status;
    bool train, eval;
    if (t5_store_find(values, "/train", &train, err) != T5_OK ||
        t5_store_find(values, "/eval", &eval, err) != T5_OK)
        return err->status;
    if (train && get_steps(values, record, &n_steps, err) != T5_OK)
        return err->status;
    if (eval && get_evals(values, record, &n_evals, err) != T5_OK)
        return err->status;
    record->n_steps = n_steps;
    record->n_evals = n_evals;
    *state = found;
    return T5_OK;
}
