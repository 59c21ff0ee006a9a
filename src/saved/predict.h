/* `t5mpi predict`: a text a line in, an answer a line out. */
#ifndef T5_SAVED_PREDICT_H
#define T5_SAVED_PREDICT_H
#include "saved/predict_options.h"
#include <stdio.h>

/* Answers every line of options->file (UTF-8; "\n" or "\r\n" ends it, the last one may lack it) on
 * out, in order: the text of the answer, or with options->jsonl what saved/answer.h says. A line
 * that is empty or white space gets an empty answer. Texts are answered together as they come, at
 * most batch_size of them: what is there is answered before more is waited for, and flushed. An
 * answer depends on its text, the options and, when sampling, the number of its line (and, where
 * two tokens are as good as equal, on how products of the batch's size are rounded). Memory does
 * not grow with the input. A text of more tokens than the model takes is cut; how many were is said
 * on `notes` at the end (NULL: not).
 *
 * T5_ERR_INPUT: options, model or file are wrong, or a line is no UTF-8, holds NUL or is longer
 * than 1 MiB (file and line are named; what came before it is answered). T5_ERR_IO: reading or
 * writing failed. T5_STOPPED: nobody reads `out` any more (EPIPE; the caller ignores SIGPIPE). Also
 * T5_ERR_MEMORY, T5_ERR_DEVICE, T5_ERR_NUMERIC. Not collective. */
t5_status t5_predict(const t5_predict_options *options, FILE *out, FILE *notes, t5_error *err);

#endif
