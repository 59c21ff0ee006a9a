/* A model's parameters, a few MiB at a time. */
#ifndef T5_SAVED_PIECES_H
#define T5_SAVED_PIECES_H
#include "model/model.h"

/* Elements [first, first + n) of parameter i; piece: room for n floats. */
typedef t5_status t5_piece_visit(void *user, t5_model *model, int i, int64_t first, int64_t n,
                                 float *piece, t5_error *err);
/* Visits all elements of all parameters in their order, until a visit fails. Returns its error, or
 * T5_ERR_MEMORY. */
t5_status t5_each_piece(t5_model *model, t5_piece_visit *visit, void *user, t5_error *err);

#endif
