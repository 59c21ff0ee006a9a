#include "data/dataset.h"
#include "data/shard.h"
#include "data/tokens.h"
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct kept_selection {
    t5_selection selection;
    struct kept_selection *next;
} kept_selection;

struct t5_dataset {
    const t5_rows *rows;
    t5_dataset_options options;
    t5_labels *labels;
    t5_tokens tokens;
    pthread_mutex_t lock; /* of selections; a selection never changes once it is in the list */
    kept_selection *selections;
};

t5_status t5_dataset_create(const t5_rows *rows, const t5_tokenizer *tok,
                            const t5_dataset_options *options, t5_dataset **set, t5_error *err) {
    if (t5_rows_count(rows) == 0)
        return t5_fail(err, T5_ERR_INPUT, "the data set has no rows");
    /* the shuffle draws 32-bit numbers, and a batch names a row by one */
    if (t5_rows_count(rows) > UINT32_MAX)
        return t5_fail(err, T5_ERR_INPUT, "the data set has %lld rows; at most %lld are possible",
                       (long long)t5_rows_count(rows), (long long)UINT32_MAX);
    t5_dataset *d = calloc(1, sizeof *d);
    if (!d)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the data set");
    pthread_mutex_init(&d->lock, NULL);
    d->rows = rows;
    d->options = *options;
    t5_status status = t5_labels_count_rows(rows, &d->labels, err);
    if (!status)
        status = t5_tokens_make(rows, tok, d->labels, options->max_input, options->max_target,
                                &d->tokens, err);
    if (status) {
        t5_dataset_destroy(d);
        return status;
    }
    *set = d;
    return T5_OK;
}

void t5_dataset_destroy(t5_dataset *set) {
    if (!set)
        return;
    for (kept_selection *k = set->selections, *next; k; k = next) {
        next = k->next;
        free(k->selection.order);
        free(k);
    }
    pthread_mutex_destroy(&set->lock);
    t5_tokens_free(&set->tokens);
    t5_labels_destroy(set->labels);
    free(set);
}

const t5_labels *t5_dataset_labels(const t5_dataset *set) {
    return set->labels;
}
const t5_rows *t5_dataset_rows(const t5_dataset *set) {
    return set->rows;
}

/* A fraction of the split that got no row is as much of a dead end as no row at all: there would be
 * nothing to train on, no epoch to call the best, or nothing to score. */
static t5_status check_not_empty(const t5_dataset *set, const t5_selection *s, t5_error *err) {
    long long rows = t5_rows_count(set->rows), kept = s->n;
    if (kept == 0)
        return t5_fail(err, T5_ERR_EMPTY,
                       "top_n = %d keeps none of the %lld rows: each has a label that is not among "
                       "the %d most frequent; use a larger top_n, or 0 for no filter",
                       s->top_n, rows, s->top_n);
    const char *names[] = {"training", "validation", "test"};
    const int64_t sizes[] = {s->split.n_train, s->split.n_val, s->split.n_test};
    for (int i = 0; i < 3; i++) {
        if (sizes[i] == 0 && (i == 0 || set->options.split[i] > 0))
            return t5_fail(err, T5_ERR_EMPTY,
                           "top_n = %d keeps %lld of %lld rows, too few for a %s split of %g of "
                           "them",
                           s->top_n, kept, rows, names[i], set->options.split[i]);
    }
    return T5_OK;
}

/* Filters, shuffles and cuts. */
static t5_status make_selection(const t5_dataset *set, int top_n, t5_selection *s, t5_error *err) {
    int64_t rows = t5_rows_count(set->rows), n = 0;
    const int32_t *rarest = set->tokens.rarest;
    for (int64_t i = 0; i < rows; i++)
        n += top_n == 0 || rarest[i] < top_n;
    *s = (t5_selection){top_n, n, malloc((size_t)(n ? n : 1) * sizeof *s->order),
                        t5_split_sizes(n, set->options.split)};
    if (!s->order)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the order of %lld rows",
                       (long long)n);
    n = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (top_n == 0 || rarest[i] < top_n)
            s->order[n++] = i;
    }
    t5_status status = check_not_empty(set, s, err);
    if (status) {
        free(s->order);
        return status;
    }
    t5_python_shuffle(set->options.seed, n, s->order);
    return T5_OK;
}

t5_status t5_dataset_select(t5_dataset *set, int top_n, const t5_selection **selection,
                            t5_error *err) {
    if (top_n < 0)
        return t5_fail(err, T5_ERR_INPUT, "top_n is %d; expected 0 (no filter) or more", top_n);
    t5_status status = T5_OK;
    pthread_mutex_lock(&set->lock);
    kept_selection *k = set->selections;
    while (k && k->selection.top_n != top_n)
        k = k->next;
    if (k)
        goto done;
    k = malloc(sizeof *k);
    status = k ? make_selection(set, top_n, &k->selection, err)
               : t5_fail(err, T5_ERR_MEMORY, "out of memory for a selection");
    if (status) {
        free(k);
        goto done;
    }
    k->next = set->selections;
    set->selections = k;
done:
    pthread_mutex_unlock(&set->lock);
    if (!status)
        *selection = &k->selection;
    return status;
}

t5_status t5_dataset_shard(t5_dataset *set, int top_n, t5_split_kind kind, int part, int parts,
                           t5_shard **shard, t5_error *err) {
    /* a request may come from another rank: these are checked, not asserted */
    if (parts < 1 || part < 0 || part >= parts || kind < T5_TRAIN || kind > T5_TEST)
        return t5_fail(err, T5_ERR_INPUT, "there is no part %d of %d of split %d", part, parts,
                       (int)kind);
    const t5_selection *s;
    t5_status status = t5_dataset_select(set, top_n, &s, err);
    if (status)
        return status;
    const int64_t starts[] = {0, s->split.n_train, s->split.n_train + s->split.n_val, s->n};
    int64_t total = starts[kind + 1] - starts[kind];
    int64_t first = total * part / parts, end = total * (part + 1) / parts;
    /* with a Top-N filter a model has no rows for the other labels */
    int n_labels = top_n > 0 ? top_n : t5_labels_size(set->labels);
    return t5_shard_make(&set->tokens, n_labels, s->order + starts[kind] + first, end - first,
                         first, total, shard, err);
}
