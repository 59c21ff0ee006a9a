#include "run/score.h"
#include "io/jsonl.h"
#include "score/metrics.h"
#include "score/words.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static t5_status keep_row(void *user, const char *const *values, const size_t *lengths,
                          t5_error *err) {
    return t5_rows_append(user, (t5_str){values[0], lengths[0]}, (t5_str){values[1], lengths[1]},
                          err);
}

/* At most T5_TOP labels: of the text, or the most frequent of gold. */
static t5_status find_top(const char *text, int64_t n, const t5_str *gold, t5_str *top, int *n_top,
                          t5_error *err) {
    t5_words words = {0};
    t5_status status = T5_OK;
    t5_str given = {text, text ? strlen(text) : 0}, word, rest;
    *n_top = 0;
    for (int64_t i = 0; i < n && !text && status == T5_OK; i++)
        for (rest = gold[i]; status == T5_OK && (word = t5_next_word(&rest)).n > 0;)
            status = t5_words_add(&words, word, err);
    if (status == T5_OK && !text)
        *n_top = t5_words_most_frequent(&words, T5_TOP, top);
    while (text && (word = t5_next_word(&given)).n > 0) {
        if (*n_top < T5_TOP)
            top[*n_top] = word;
        ++*n_top;
    }
    if (text && (*n_top == 0 || *n_top > T5_TOP))
        status = t5_fail(err, T5_ERR_INPUT, "the Top-5 has %d labels: 1 to %d are wanted", *n_top,
                         T5_TOP);
    t5_words_free(&words);
    return status;
}

static t5_status print_metrics(const t5_metrics *m, FILE *out, t5_error *err) {
    t5_status status = T5_OK;
    json_t *object = json_object();
    for (int i = 0; i < T5_N_METRICS; i++) {
        double value = t5_metric_value(m, i);
        json_t *number = t5_metric_is_count(i) ? json_integer((json_int_t)value) : json_real(value);
        if (json_object_set_new(object, t5_metric_names[i], number)) {
            status = t5_fail(err, T5_ERR_MEMORY, "out of memory for the metrics");
            goto done;
        }
    }
    errno = 0;
    if (json_dumpf(object, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17)) ||
        fputc('\n', out) == EOF || fflush(out) == EOF)
        status = t5_fail(err, T5_ERR_IO, "the metrics cannot be written: %s",
                         errno ? strerror(errno) : "the output is closed");
done:
    json_decref(object);
    return status;
}

static t5_status score(const t5_rows *rows, const char *top5, FILE *out, t5_error *err) {
    int64_t n = t5_rows_count(rows);
    t5_str top[T5_TOP], *gold = malloc(2 * (size_t)n * sizeof *gold);
    int n_top = 0;
    t5_metrics metrics;
    if (!gold)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %lld rows", (long long)n);
    t5_str *pred = gold + n;
    for (int64_t i = 0; i < n; i++) {
        gold[i] = t5_rows_input(rows, i);
        pred[i] = t5_rows_target(rows, i);
    }
    t5_status status = find_top(top5, n, gold, top, &n_top, err);
    if (status == T5_OK)
        status = t5_score_rows(n, gold, pred, top, n_top, &metrics, err);
    if (status == T5_OK)
        status = print_metrics(&metrics, out, err);
    free(gold);
    return status;
}

t5_status t5_score_file(const char *path, const char *top5, FILE *out, t5_error *err) {
    t5_rows *rows = NULL;
    const t5_jsonl_options options = {.keys = {"gold", "pred"}, .allow_empty = true};
    t5_jsonl_report report;
    t5_status status = t5_rows_create(&rows, err);
    if (status == T5_OK)
        status = t5_jsonl_read(path, &options, keep_row, rows, &report, err);
    if (status == T5_OK && t5_rows_count(rows) == 0)
        status = t5_fail(err, T5_ERR_INPUT, "%s: no rows", path);
    if (status == T5_OK)
        status = score(rows, top5, out, err);
    t5_rows_destroy(rows);
    return status;
}
