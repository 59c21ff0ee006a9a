/* From how answers are wanted (configuration, command line) to what the model is asked for. */
#ifndef T5_RUN_GENERATION_H
#define T5_RUN_GENERATION_H
#include "base/config.h"
#include "model/generate.h"

/* allowed: (vocab), or NULL: all tokens; the caller's, kept as a pointer, and used whatever
 * decode->restrict_to_labels says. max_length: where decode->max_length is 0. */
t5_generate_settings t5_generation_of(const t5_decode_spec *decode, const uint8_t *allowed,
                                      int max_length);

#endif
