/* The decoder one token at a time, for a set of live sequences that shrinks, grows and is reordered
 * between steps. Keys and values of the tokens so far are cached; those of the encoder's output are
 * computed once and shared by all sequences of a row. Used by generate.c; works in the model's
 * memory only while it is opened (the encoder pass), has its own otherwise. A device that replays
 * runs a step of a position that came before in one go; for that the model keeps its decoder. */
#ifndef T5_MODEL_DECODE_H
#define T5_MODEL_DECODE_H
#include "model/internal.h"
#include "model/live.h"

typedef struct t5_decode_settings {
    int width;              /* most sequences of one row */
    int max_length;         /* most steps */
    int k;                  /* candidates wanted of each sequence */
    bool log_softmax;       /* values are log-probabilities */
    bool log_total;         /* candidates come with log_total; costs two passes over the logits */
    float penalty;          /* repetition penalty, 1: off */
    const uint8_t *allowed; /* (vocab) host, or NULL */
} t5_decode_settings;

/* Encodes the rows of `in`. One live sequence a row, holding the start token. */
t5_status t5_decoder_open(t5_model *model, const t5_input *in, const t5_decode_settings *settings,
                          t5_decoder **decoder, t5_error *err);
/* Ends the batch; the model may keep the decoder. NULL is fine. */
void t5_decoder_close(t5_decoder *d);
/* Frees a decoder that the model keeps. NULL is fine. */
void t5_decoder_destroy(t5_decoder *d);

/* Candidates for the next token of every live sequence, best first, see t5_topk_args. They belong
 * to the decoder, until its next step. */
typedef struct t5_candidates {
    const float *value;     /* (live, k) */
    const int32_t *id;      /* (live, k) */
    const float *log_total; /* (live) log of the sum of the exponentials of all logits as the model
                               gave them, before penalty and restriction; or NULL */
} t5_candidates;

/* Feeds the last token of every live sequence and waits. */
t5_status t5_decoder_step(t5_decoder *d, t5_candidates *candidates, t5_error *err);
/* The live set of the next step, see t5_live_advance. */
void t5_decoder_advance(t5_decoder *d, int n, const int *parent, const int32_t *token);

/* The sequences that the next step continues. */
const t5_live *t5_decoder_live(const t5_decoder *d);

#endif
