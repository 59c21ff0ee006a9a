/* The label table: every distinct label of all rows with its number of occurrences, most frequent
 * first, ties in the order of first appearance (reference: the plan's Top-N filter). A label's
 * number is its place in that order, so the Top-N filter keeps exactly the labels 0..N-1; the
 * token of label l is t5_tokenizer_label_id(tok, l) whatever the filter. */
#ifndef T5_DATA_LABELS_H
#define T5_DATA_LABELS_H
#include "data/rows.h"

typedef struct t5_labels t5_labels;

/* More distinct labels than this are no labels but texts: T5_ERR_INPUT. */
enum { T5_LABELS_MAX = 1 << 20 };

/* Counts the words (t5_next_word) of all targets. */
t5_status t5_labels_count_rows(const t5_rows *rows, t5_labels **labels, t5_error *err);
/* From n names and counts already in order (as received from rank 0). Copies. T5_ERR_INPUT if they
 * are in no such order or a name is empty or there twice. */
t5_status t5_labels_from_list(int n, const t5_str *names, const int64_t *counts, t5_labels **labels,
                              t5_error *err);
void t5_labels_destroy(t5_labels *labels);
int t5_labels_size(const t5_labels *labels);
t5_str t5_labels_name(const t5_labels *labels, int l); /* NUL-terminated too */
int64_t t5_labels_occurrences(const t5_labels *labels, int l);
int64_t t5_labels_total(const t5_labels *labels);         /* sum of all occurrences */
int t5_labels_find(const t5_labels *labels, t5_str name); /* -1: unknown */

#endif
