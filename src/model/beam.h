/* Beam search of one row on the host, with Transformers' semantics (generation/utils.py,
 * _beam_search) for length penalty 1 and early stopping: of the 2 * width best continuations those
 * that end and rank among the best `width` are finished with score sum / tokens, the best `width`
 * of the others run on; the row is done when `width` hypotheses are finished. One difference: what
 * no token is left for (-INFINITY) is no continuation, where Transformers goes on with such beams.
 *
 * Rows are independent of each other. No device, no allocation after create. */
#ifndef T5_MODEL_BEAM_H
#define T5_MODEL_BEAM_H
#include <stdbool.h>
#include <stdint.h>

/* A continuation: running beam `parent` followed by `token`. */
typedef struct t5_beam_next {
    int parent;
    int32_t token;
    float sum;
} t5_beam_next;

typedef struct t5_beam_finished {
    float score;  /* sum of the log-probabilities over the number of tokens, end token included */
    int n_tokens; /* end token included */
    int32_t *ids; /* (max_length) */
} t5_beam_finished;

typedef struct t5_beam {
    int width, max_length;
    int32_t eos_id;
    int n_running;              /* 1 at the start */
    float *running;             /* (width) sums of the log-probabilities */
    int n_finished;             /* best first */
    t5_beam_finished *finished; /* (width + 1): the last one is room for the next */
    bool done;
    t5_beam_next *best; /* (2 * width) work space of a step */
} t5_beam;

/* NULL when out of memory. */
t5_beam *t5_beam_create(int width, int max_length, int32_t eos_id);
void t5_beam_destroy(t5_beam *b);

/* One step, the token at `position` (0 first). value and id (n_running, k): each running beam's
 * best k tokens, best first, after penalty and restriction. history (n_running, history_ld): its
 * tokens so far, start token included. Writes the beams that run on to next (width) and returns
 * their number; 0 if the row is done. */
int t5_beam_step(t5_beam *b, int position, int k, const float *value, const int32_t *id,
                 const int32_t *history, int history_ld, t5_beam_next *next);

#endif
