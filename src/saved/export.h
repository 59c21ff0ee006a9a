/* `t5mpi export`: a trial as a Hugging Face directory. */
#ifndef T5_SAVED_EXPORT_H
#define T5_SAVED_EXPORT_H
#include "base/status.h"
#include <stdio.h>

/* Writes what t5_saved_open finds under `what` (a run, or RUN:TRIAL) as `directory`: config.json,
 * generation_config.json, model.safetensors, the tokeniser's files and a model card. The directory
 * must not be there yet, or be empty; it appears with everything in it or not at all. Says on `out`
 * what was written. T5_ERR_INPUT: there is no such model, or the directory is not empty;
 * T5_ERR_IO. Not collective. */
t5_status t5_export(const char *what, const char *directory, FILE *out, t5_error *err);

#endif
