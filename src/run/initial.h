/* The weights that a trial starts from: random ones, or those of a pre-trained model with rows for
 * the labels. */
#ifndef T5_RUN_INITIAL_H
#define T5_RUN_INITIAL_H
#include "run/worker.h"

/* Fills the weights of a model whose vocabulary is t5_settings_vocab of n_labels. A pre-trained
 * model's come from rank 0 (only rank 0 sees its directory), tensor by tensor in pieces: the
 * group's first rank asks for them and passes them on. Labels' rows follow model.label_init, on
 * every rank the same bits. Collective over the group; ranks agree on failure. */
t5_status t5_initial_weights(t5_worker *w, t5_model *model, uint64_t seed, int n_labels,
                             t5_error *err);

#endif
