/* Generation with a key/value cache, batched over packed inputs: greedy, beam search (Transformers'
 * semantics: length penalty 1, early stopping), sampling; repetition penalty as Transformers
 * applies it (decoder history, start token included). */
#ifndef T5_MODEL_GENERATE_H
#define T5_MODEL_GENERATE_H
#include "model/model.h"

typedef enum { T5_GENERATE_GREEDY, T5_GENERATE_BEAM, T5_GENERATE_SAMPLE } t5_generate_kind;

typedef struct t5_generate_settings {
    t5_generate_kind kind;
    int max_length;           /* tokens put out, end token included, >= 1 */
    int beams;                /* beam search: >= 2 */
    float temperature;        /* sampling */
    int top_k;                /* sampling; 0: off */
    float top_p;              /* sampling; 1: off */
    float repetition_penalty; /* 1: off */
    const uint8_t *allowed;   /* (vocab) host memory: 0 = never put out; NULL: all */
    uint64_t seed;            /* sampling: draws depend on (seed, row, position) only */
} t5_generate_settings;

/* ids: (n_seq, max_length) tokens put out, the end token included where it came, pad behind;
 * length: (n_seq) tokens without the end token; score: (n_seq) or NULL: the mean, over the tokens
 * put out, end token included, of what beam search adds up: the token's natural log-probability
 * under the model (softmax of its logits over the whole vocabulary, temperature 1), times the
 * repetition penalty where the sequence held the token already; restriction, top_k and top_p leave
 * it as it is. So whatever the kind, the same tokens have the same score. It costs greedy and
 * sampling some time, beam search none.
 *
 * A row's result does not depend on the other rows, its draws depend on in->row only. Only the
 * encoder part of `in` is read; n_seq may be 0. T5_ERR_INPUT: the settings make no sense, or no
 * token is allowed; T5_ERR_NUMERIC: the logits are not numbers; T5_ERR_MEMORY. Waits for the device
 * at every token. A device that replays runs a position that came before in one go: the model keeps
 * the memory of the latest settings and the largest batch until it is destroyed. */
t5_status t5_generate(t5_model *model, const t5_input *in, const t5_generate_settings *settings,
                      int32_t *ids, int32_t *length, float *score, t5_error *err);

#endif
