/* Between decode.c and decode_memory.c. */
#ifndef T5_MODEL_DECODE_INTERNAL_H
#define T5_MODEL_DECODE_INTERNAL_H
#include "model/decode.h"

/* Integers sent to the device before each step, one block of (capacity + 1) each. In self-attention
 * every live sequence has its own keys; in cross-attention the live sequences of a row are one
 * sequence of several queries, so that their common keys are read once. */
enum {
    STEP_ID,
    STEP_PARENT,
    STEP_SELF_QUERY,
    STEP_SELF_KEY,
    STEP_SELF_LEN,
    STEP_CROSS_QUERY,
    STEP_CROSS_KEY,
    STEP_CROSS_LEN,
    STEP_BLOCKS
};

struct t5_decoder {
    t5_model *m;
    t5_decode_settings settings;
    t5_live live;
    int live_rows;   /* rows that the live sequences are of */
    int most_of_row; /* live sequences of the row that has most of them */

    /* host */
    int32_t *step;                      /* STEP_BLOCKS blocks */
    const int32_t *enc_start, *enc_len; /* (rows) of the input; point into `rows` */
    int32_t *rows;
    float *value; /* (capacity, k) */
    int32_t *id;
    float *best; /* (2 capacity) largest logit, its log-probability; NULL unless log_total */

    /* device: one block, the views point into it */
    char *d_block;
    int32_t *d_step, *d_history;
    uint8_t *d_allowed;
    float *d_value, *d_rstd;
    int32_t *d_id;
    float
        *d_best; /* as best, and room for the ids that nobody reads; like it with log_total only */
    int32_t *d_best_id;
    t5_mat x;            /* (capacity, d_model) f32 residual stream */
    t5_mat h, y;         /* (capacity, d_model) a norm's and a sublayer's output */
    t5_mat q, attention; /* (capacity, inner) */
    t5_mat ff_in, ff_hidden;
    t5_mat logits; /* (capacity, vocab) f32 */
    t5_mat copy;   /* of the logits, with log_total only */
    t5_mat *cross; /* by layer: (n_enc, 2 inner) [k | v] of the encoder's output */
    t5_mat *cache; /* by layer: (capacity * max_length, 2 inner) [k | v] of the tokens so far */
    t5_mat spare;  /* like one layer's cache: what a reordered cache is gathered into */
};

/* Everything that a decoder has of its own, for n_rows rows of n_enc tokens in all; d->m and
 * d->settings are set. T5_ERR_MEMORY; t5_decoder_close frees, also after a failure. */
t5_status t5_decoder_allocate(t5_decoder *d, int n_rows, int n_enc, t5_error *err);

#endif
