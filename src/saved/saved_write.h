/* A trial's weights on disk: RUN/checkpoints/TRIAL/best.h5, which t5_saved_open reads. It holds all
 * that answering needs, so that one file is a model: weights, shape, tokeniser, labels, decoding.
 */
#ifndef T5_SAVED_SAVED_WRITE_H
#define T5_SAVED_SAVED_WRITE_H
#include "setup/setup.h"

/* The path of a trial's file; T5_ERR_INPUT if it is too long. */
enum { T5_SAVED_PATH = 4352 };
t5_status t5_saved_path(const char *run, const char *trial, char path[T5_SAVED_PATH],
                        t5_error *err);

/* Writes the weights of `model`, which knows the first n_labels labels and is the best epoch's, in
 * place of what was there. Not collective. T5_ERR_IO (a full disk, ...), T5_ERR_MEMORY: then what
 * was there is untouched. */
t5_status t5_saved_write(const t5_setup *setup, const char *trial, int epoch, int n_labels,
                         t5_model *model, t5_error *err);

#endif
