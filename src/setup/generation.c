#include "setup/generation.h"
#include <stdlib.h>

t5_generate_settings t5_generation_of(const t5_decode_spec *decode, const uint8_t *allowed) {
    return (t5_generate_settings){
        .kind = decode->kind == T5_DECODE_BEAM     ? T5_GENERATE_BEAM
                : decode->kind == T5_DECODE_SAMPLE ? T5_GENERATE_SAMPLE
                                                   : T5_GENERATE_GREEDY,
        .max_length = decode->max_length,
        .beams = decode->beams,
        .temperature = (float)decode->temperature,
        .top_k = decode->top_k,
        .top_p = (float)decode->top_p,
        .repetition_penalty = (float)decode->repetition_penalty,
        .allowed = allowed,
        .seed = decode->seed,
    };
}

t5_status t5_generation_labels(const t5_tokenizer *tokenizer, int n_labels, const t5_shape *shape,
                               uint8_t **allowed, t5_error *err) {
    *allowed = calloc((size_t)shape->vocab, 1);
    if (!*allowed)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %d tokens", shape->vocab);
    (*allowed)[shape->eos_id] = 1;
    for (int l = 0; l < n_labels; l++)
        (*allowed)[t5_tokenizer_label_id(tokenizer, l)] = 1;
    return T5_OK;
}
