/* The first rows of new labels in a pre-trained embedding (and output matrix, where it has its
 * own): model.label_init. */
#ifndef T5_SETUP_LABEL_ROWS_H
#define T5_SETUP_LABEL_ROWS_H
#include "setup/setup.h"

/* Is it a matrix with a row for every token? */
bool t5_is_embedding(const t5_param *p);

/* Writes the rows of the first n_labels labels, as far as the tokeniser did not know them before:
 * "random" as T5 initialises, from the seed; "mean" of the rows of all tokens that it did know;
 * "describe" the mean of the rows of the label's name (data/label_init.h), "mean" for a label
 * without a name. The same bits on every rank. Not collective. */
t5_status t5_label_rows_init(const t5_setup *setup, t5_model *model, uint64_t seed, int n_labels,
                             t5_error *err);

#endif
