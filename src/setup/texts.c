#include "setup/source.h"
#include <stdlib.h>
#include <string.h>

t5_status t5_texts_pack(t5_dataset *set, int top_n, t5_split_kind kind, void **block, size_t *bytes,
                        t5_error *err) {
    const t5_selection *sel;
    const t5_rows *rows = t5_dataset_rows(set);
    if (t5_dataset_select(set, top_n, &sel, err) != T5_OK)
        return err->status;
    t5_split split = sel->split;
    int64_t n = kind == T5_TRAIN        ? split.n_train
                : kind == T5_VALIDATION ? split.n_val
                                        : split.n_test;
    const int64_t *order = sel->order + (kind == T5_TRAIN        ? 0
                                         : kind == T5_VALIDATION ? split.n_train
                                                                 : split.n_train + split.n_val);
    size_t head = (size_t)(1 + 2 * n) * sizeof(int64_t);
    *bytes = head;
    for (int64_t i = 0; i < n; i++)
        *bytes += t5_rows_input(rows, order[i]).n + t5_rows_target(rows, order[i]).n;
    int64_t *lengths = malloc(*bytes);
    if (!lengths)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %zu bytes of texts", *bytes);
    char *text = (char *)lengths + head;
    lengths[0] = n;
    for (int64_t i = 0; i < n; i++) {
        t5_str parts[2] = {t5_rows_input(rows, order[i]), t5_rows_target(rows, order[i])};
        for (int k = 0; k < 2; k++) {
            lengths[1 + 2 * i + k] = (int64_t)parts[k].n;
            memcpy(text, parts[k].s, parts[k].n);
            text += parts[k].n;
        }
    }
    *block = lengths;
    return T5_OK;
}

t5_status t5_texts_unpack(void *block, size_t bytes, t5_texts *texts, t5_error *err) {
    const int64_t *lengths = block;
    (void)bytes;
    texts->block = block;
    texts->n = lengths[0];
    texts->input = malloc((size_t)(2 * texts->n + 1) * sizeof *texts->input);
    if (!texts->input) {
        t5_texts_free(texts);
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the texts of a split");
    }
    texts->target = texts->input + texts->n;
    const char *text = (const char *)(lengths + 1 + 2 * texts->n);
    for (int64_t i = 0; i < texts->n; i++) {
        texts->input[i] = (t5_str){text, (size_t)lengths[1 + 2 * i]};
        text += lengths[1 + 2 * i];
        texts->target[i] = (t5_str){text, (size_t)lengths[2 + 2 * i]};
        text += lengths[2 + 2 * i];
    }
    return T5_OK;
}

void t5_texts_free(t5_texts *texts) {
    free(texts->input);
    free(texts->block);
    memset(texts, 0, sizeof *texts);
}
