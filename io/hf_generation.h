/* generation_config.json: how a model's answers are generated. */
#ifndef T5_IO_HF_GENERATION_H
#define T5_IO_HF_GENERATION_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields of Transformers' GenerationConfig, and what holds where the file does not say. */
typedef struct t5_hf_generation {
    int max_new_tokens; /* tokens put out, the end token included; 0: the file does not say */
    int num_beams;      /* 1; more: beam search that stops early, with length_penalty 1 */
    bool do_sample;     /* false */
    double temperature; /* 1; this and the next two matter where sampling */
    int top_k;          /* 50; 0: off */
    double top_p;       /* 1: off */
    double repetition_penalty;    /* 1: off */
    int pad_id, eos_id, start_id; /* -1: those of config.json */
    int32_t *suppress;            /* (n_suppress) tokens that are never put out; owned, or NULL.
                                   * Those beyond the vocabulary mean nothing. */
    int n_suppress;
} t5_hf_generation;

/* Reads DIRECTORY/generation_config.json; without such a file *generation is as above. max_length,
 * which counts the start token, is understood where max_new_tokens is not said.
 * T5_ERR_INPUT naming the field: values of the wrong type or out of range, and what would change
 * the answers and is not computed here (no_repeat_ngram_size, bad_words_ids, min_length,
 * early_stopping other than true with beams, ...), unless its value changes nothing.
 * *generation is freed by t5_hf_generation_free; on failure there is nothing to free. */
t5_status t5_hf_generation_read(const char *directory, t5_hf_generation *generation, t5_error *err);
/* The same from the text of such a file (n bytes); name: the file's, for messages. */
t5_status t5_hf_generation_parse(const char *name, const char *text, size_t n,
                                 t5_hf_generation *generation, t5_error *err);
/* Writes the file so that Transformers generates the same and has nothing to warn about. What is
 * off is not written, neither is what matters for sampling only where there is none. T5_ERR_IO,
 * T5_ERR_MEMORY. */
t5_status t5_hf_generation_write(const char *directory, const t5_hf_generation *generation,
                                 t5_error *err);
/* Leaves an empty list. */
void t5_hf_generation_free(t5_hf_generation *generation);

#endif
