#include "run/generation.h"

t5_generate_settings t5_generation_of(const t5_decode_spec *decode, const uint8_t *allowed,
                                      int max_length) {
    return (t5_generate_settings){
        .kind = decode->kind == T5_DECODE_BEAM     ? T5_GENERATE_BEAM
                : decode->kind == T5_DECODE_SAMPLE ? T5_GENERATE_SAMPLE
                                                   : T5_GENERATE_GREEDY,
        .max_length = decode->max_length > 0 ? decode->max_length : max_length,
        .beams = decode->beams,
        .temperature = (float)decode->temperature,
        .top_k = decode->top_k,
        .top_p = (float)decode->top_p,
        .repetition_penalty = (float)decode->repetition_penalty,
        .allowed = allowed,
        .seed = decode->seed,
    };
}
