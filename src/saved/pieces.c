#include "saved/pieces.h"
#include <stdlib.h>

enum { PIECE = 1 << 20 };

t5_status t5_each_piece(t5_model *model, t5_piece_visit *visit, void *user, t5_error *err) {
    float *piece = malloc(PIECE * sizeof *piece);
    if (!piece)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for a piece of the weights");
    for (int i = 0; i < t5_model_n_params(model) && err->status == T5_OK; i++) {
        const t5_param *p = t5_model_param(model, i);
        int64_t count = p->rows * p->cols;
        for (int64_t first = 0; first < count && err->status == T5_OK; first += PIECE)
            visit(user, model, i, first, count - first < PIECE ? count - first : PIECE, piece, err);
    }
    free(piece);
    return err->status;
}
