/* Between the data and the model, which do not know each other. */
#ifndef T5_SETUP_INPUT_H
#define T5_SETUP_INPUT_H
#include "data/batch.h"
#include "model/model.h"

/* The pointers of a batch as the model takes them; valid as long as the batch is not changed. In
 * the header, so that tools which need no more of this folder need not link it. */
static inline t5_input t5_input_of(const t5_batch *b) {
    return (t5_input){.n_seq = b->n_seq,
                      .n_enc = b->n_enc,
                      .n_dec = b->n_dec,
                      .max_enc = b->max_enc,
                      .max_dec = b->max_dec,
                      .enc_ids = b->enc_ids,
                      .dec_ids = b->dec_ids,
                      .labels = b->labels,
                      .enc_start = b->enc_start,
                      .dec_start = b->dec_start,
                      .row = b->row};
}

#endif
