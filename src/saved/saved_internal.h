/* The places that a saved model can be read from, and the names in a checkpoint. */
#ifndef T5_SAVED_SAVED_INTERNAL_H
#define T5_SAVED_SAVED_INTERNAL_H
#include "saved/saved.h"

/* Elements of a parameter, from wherever the weights are. */
typedef t5_status t5_saved_reader(void *from, const char *name, int64_t first, int64_t n,
                                  float *out, t5_error *err);

struct t5_saved_source {
    void *from;
    t5_saved_reader *read;
    void (*close)(void *from);
};

/* Both fill an empty t5_saved whose source is allocated; on failure the caller closes it. */
t5_status t5_saved_open_directory(const char *directory, t5_saved *saved, t5_error *err);
t5_status t5_saved_open_trial(const char *run, const char *trial, t5_saved *saved, t5_error *err);

enum { T5_SAVED_SCHEMA = 1 };
#define T5_SAVED_WEIGHTS "/weights/"
#define T5_SAVED_TOKENIZER "/tokenizer" /* for t5_tokenizer_from_block */
#define T5_SAVED_LABELS "/labels/name"
#define T5_SAVED_COUNTS "/labels/count"

#endif
