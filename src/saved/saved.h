/* A trained model to answer with or to export: a trial of a run, or a Hugging Face directory. */
#ifndef T5_SAVED_SAVED_H
#define T5_SAVED_SAVED_H
#include "base/config.h"
#include "data/tokenizer.h"
#include "io/hf_config.h"
#include "model/model.h"

typedef struct t5_saved {
    t5_hf_family family;
    t5_shape shape;
    t5_tokenizer *tokenizer; /* knows the labels */
    t5_labels *labels;     /* what decode needs; of a Hugging Face directory none: there labels are
                              added     tokens like others */
    int n_labels;          /* labels that the model knows: tokens where they occur in a text */
    double dropout_rate;   /* that it was trained with */
    int max_input;         /* tokens of an input, the end token included; longer ones are cut */
    t5_decode_spec decode; /* as its test split was answered, or as generation_config.json says;
                              max_length > 0 */
    uint8_t *allowed;      /* (shape.vocab) 0: never put out; NULL: all are allowed */
    char *run, *trial;     /* NULL: a Hugging Face directory */
    void *tokenizer_block; /* of a trial: what the tokeniser was made of */
    size_t tokenizer_bytes;
    char *name; /* "runs/v3:v3_lr1e-4", "models/t5": for messages and cards */
    struct t5_saved_source *source;
} t5_saved;

/* where: a Hugging Face directory (it holds a config.json), a run's folder, or RUN:TRIAL. A run
 * alone means its best completed trial (by the metric that decides, on the validation split).
 * T5_ERR_INPUT: there is no such thing, or its files are damaged. Weights are not read yet. Not
 * collective. */
t5_status t5_saved_open(const char *where, t5_saved **saved, t5_error *err);
void t5_saved_close(t5_saved *saved); /* NULL is fine */

/* Elements [first, first + n) of the parameter of that name (t5_param). */
t5_status t5_saved_read(t5_saved *saved, const char *name, int64_t first, int64_t n, float *out,
                        t5_error *err);
/* All weights into a model of saved->shape. */
t5_status t5_saved_load(t5_saved *saved, t5_model *model, t5_error *err);

#endif
