/* Between decode.c, decode_step.c, decode_replay.c and decode_memory.c. */
#ifndef T5_MODEL_DECODE_INTERNAL_H
#define T5_MODEL_DECODE_INTERNAL_H
#include "model/decode.h"
#include "model/replays.h"

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

/* What the operations of a step depend on, besides the decoder's settings and addresses: two steps
 * with the same plan are the same operations, on other contents of memory. Where the device replays
 * steps, the numbers are rounded up to a few classes: lanes beyond the live sequences are computed
 * and never read, rows beyond theirs have no queries. */
typedef struct t5_decode_plan {
    int position;
    int lanes;         /* sequences that are computed */
    int rows;          /* rows of cross-attention */
    int most_of_row;   /* most sequences of one row */
    int longest_input; /* at most this many encoder tokens a row */
    bool reorder;      /* whether the caches are brought into another order first */
    bool shifted;      /* where the caches are after that, see t5_decoder_cache */
} t5_decode_plan;

struct t5_decoder {
    t5_model *m;
    t5_decode_settings settings;
    int capacity, capacity_rows, capacity_enc; /* sequences, rows, encoder tokens */
    t5_live live;
    int most_of_row, live_rows; /* of the live sequences: most of one row; how many rows */
    t5_decode_plan plan;        /* of the step under way */
    bool shifted;               /* where the caches are between steps */
    bool sound;                 /* opened: may serve the next batch */
    t5_replays replays;         /* of its addresses */

    /* host */
    int32_t *step;                /* STEP_BLOCKS blocks */
    int32_t *enc_start, *enc_len; /* (capacity_rows) of the input */
    char *result;                 /* as on the device */

    /* device: one block, the views point into it */
    char *d_block;
    int32_t *d_step, *d_history;
    uint8_t *d_allowed;
    float *d_rstd;
    /* Of a step: values (lanes, k), ids (lanes, k), and with log_total (2 lanes) the largest logit
     * and its log-probability. One behind the other: they are read back at once. */
    char *d_result;
    int32_t *d_unread;   /* ids that nobody reads; with log_total only */
    t5_mat x;            /* (capacity, d_model) f32 residual stream */
    t5_mat h, y;         /* (capacity, d_model) a norm's and a sublayer's output */
    t5_mat q, attention; /* (capacity, inner) */
    t5_mat ff_in, ff_hidden;
    t5_mat logits; /* (capacity, vocab) f32 */
    t5_mat copy;   /* of the logits, with log_total only */
    t5_mat *cross; /* by layer: (capacity_enc, 2 inner) [k | v] of the encoder's output */
    t5_mat *slot;  /* (layers + 1), each (capacity * max_length, 2 inner) [k | v] */
};

/* The cache of layer l: keys and values of the tokens so far. There is one slot more than layers. A
 * reordered cache is gathered into the slot that is free, which frees its own for the next; the
 * direction turns each time, so there are two states: layer l in slot l, or in slot l + 1. */
static inline t5_mat t5_decoder_cache(const t5_decoder *d, bool shifted, int l) {
    return d->slot[l + (shifted ? 1 : 0)];
}

/* Block `which` of the step's integers, on the host and on the device. */
static inline int32_t *t5_decoder_host(const t5_decoder *d, int which) {
    return d->step + (size_t)which * (size_t)(d->capacity + 1);
}
static inline const int32_t *t5_decoder_block(const t5_decoder *d, int which) {
    return d->d_step + (size_t)which * (size_t)(d->capacity + 1);
}

/* The parts of a result of n sequences, from its start, in bytes. */
static inline size_t t5_decoder_id_at(const t5_decoder *d, int n) {
    return (size_t)n * (size_t)d->settings.k * sizeof(float);
}
static inline size_t t5_decoder_best_at(const t5_decoder *d, int n) {
    return 2 * t5_decoder_id_at(d, n);
}
static inline size_t t5_decoder_result_bytes(const t5_decoder *d, int n) {
    return t5_decoder_best_at(d, n) + (d->settings.log_total ? 2 * (size_t)n * sizeof(float) : 0);
}

/* --- decode_memory.c --- */

/* A decoder for n_rows rows of n_enc tokens in all, with one live sequence a row: the one that the
 * model keeps, if it is large enough and has these settings, or a new one in its place.
 * T5_ERR_MEMORY.
 */
t5_status t5_decoder_take(t5_model *m, const t5_decode_settings *settings, int n_rows, int n_enc,
                          t5_decoder **decoder, t5_error *err);

/* --- decode_step.c --- */

/* Queues the step of d->plan; arg: the decoder. */
void t5_decoder_queue(void *arg);

/* --- decode_replay.c --- */

/* The plan of the next step. */
t5_decode_plan t5_decoder_plan(const t5_decoder *d);
/* Runs the step of d->plan, replayed if that is possible. */
void t5_decoder_run(t5_decoder *d);

#endif
