/* The model card of an exported trial. */
#ifndef T5_SAVED_CARD_H
#define T5_SAVED_CARD_H
#include "base/status.h"

/* DIRECTORY/README.md: how to use the model, what it was trained on, with which settings, and its
 * metrics on the test split, from RUN/results.h5. T5_ERR_INPUT: they cannot be read; T5_ERR_IO. */
t5_status t5_card_write(const char *run, const char *trial, const char *directory, t5_error *err);

#endif
