/* generation_config.json: how a model's answers are generated. */
#ifndef T5_IO_HF_GENERATION_H
#define T5_IO_HF_GENERATION_H
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* Fields of Transformers' GenerationConfig. */
typedef struct t5_hf_generation {
    int max_new_tokens; /* tokens put out, the end token included; 0: the file does not say */
    int num_beams;      /* 1 */
    bool do_sample;
    double temperature; /* 1 */
    int top_k;    /* 50 where sampling and the file does not say, as in Transformers; 0: off */
    double top_p; /* 1: off */
    double repetition_penalty; /* 1: off */
    int pad_id, eos_id, start_id;
    int32_t *suppress; /* (n_suppress) tokens that are never put out; owned, or NULL */
    int n_suppress;
} t5_hf_generation;

/* Reads DIRECTORY/generation_config.json; without such a file, Transformers' defaults. Fields that
 * would change the answers and that this program does not compute are T5_ERR_INPUT naming the
 * field, as are values out of range. *generation is freed by t5_hf_generation_free. */
t5_status t5_hf_generation_read(const char *directory, t5_hf_generation *generation, t5_error *err);
t5_status t5_hf_generation_write(const char *directory, const t5_hf_generation *generation,
                                 t5_error *err);
void t5_hf_generation_free(t5_hf_generation *generation);

#endif
