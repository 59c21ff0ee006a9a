/* A packed batch: the sequences of some rows one behind the other, no padding anywhere.
 * Sequence s has encoder tokens enc_start[s] .. enc_start[s+1] and decoder tokens dec_start[s] ..
 * dec_start[s+1]. Decoder inputs are the target shifted right behind the start token. */
#ifndef T5_DATA_BATCH_H
#define T5_DATA_BATCH_H
#include "data/dataset.h"

typedef struct t5_batch {
    int n_seq;
    int n_enc, n_dec;                    /* total tokens */
    int max_enc, max_dec;                /* longest sequence */
    int32_t *enc_ids, *dec_ids, *labels; /* (n_enc), (n_dec), (n_dec) */
    int32_t *enc_start, *dec_start;      /* (n_seq + 1) */
    uint32_t *row; /* (n_seq): number for the random counters: the row's position in its split */
    int cap_seq, cap_enc, cap_dec; /* allocated */
} t5_batch;

void t5_batch_init(t5_batch *b);
void t5_batch_free(t5_batch *b);
void t5_batch_clear(t5_batch *b); /* no rows; keeps the memory */
/* Appends a row: input ids and target ids (end token included in both). n_target may be 0 (for
 * generation): then the row has no decoder tokens. */
t5_status t5_batch_append(t5_batch *b, const int32_t *input, int n_input, const int32_t *target,
                          int n_target, int32_t start_id, uint32_t row, t5_error *err);

#endif
