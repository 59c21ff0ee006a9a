/* From how answers are wanted (configuration, command line) to what the model is asked for. */
#ifndef T5_SETUP_GENERATION_H
#define T5_SETUP_GENERATION_H
#include "base/config.h"
#include "data/tokenizer.h"
#include "model/generate.h"

/* allowed: (vocab), or NULL: all tokens; the caller's, kept as a pointer, and used whatever
 * decode->restrict_to_labels says. decode->max_length is not 0. */
t5_generate_settings t5_generation_of(const t5_decode_spec *decode, const uint8_t *allowed);

/* What restrict_to_labels lets come out: (shape->vocab) 1 for the end token and the first n_labels
 * labels, else 0. malloc'd; T5_ERR_MEMORY. */
t5_status t5_generation_labels(const t5_tokenizer *tokenizer, int n_labels, const t5_shape *shape,
                               uint8_t **allowed, t5_error *err);

#endif
