/* A saved model that is a Hugging Face directory. */
#include "io/hf_tokenizer.h"
#include "run/pretrained.h"
#include "run/saved_internal.h"
#include "run/setup.h"
#include <stdlib.h>
#include <string.h>

/* T5 was trained on 512 tokens; Transformers' tokenizer warns beyond that. */
enum { MAX_INPUT = 512, MAX_ANSWER = 32 };

static t5_status read_parameter(void *from, const char *name, int64_t first, int64_t n, float *out,
                                t5_error *err) {
    return t5_pretrained_read(from, name, first, n, out, err);
}

static void close_directory(void *from) {
    t5_pretrained_close(from);
}

static t5_status open_tokenizer(const char *directory, t5_saved *s, t5_error *err) {
    t5_tokenizer_files files = {0};
    if (t5_hf_tokenizer_read(directory, &files, err) == T5_OK)
        t5_tokenizer_from_files(&files, &s->tokenizer, err);
    t5_tokenizer_files_free(&files);
    return err->status;
}

t5_status t5_saved_open_directory(const char *directory, t5_saved *s, t5_error *err) {
    t5_pretrained *p;
    s->name = strdup(directory);
    if (!s->name)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", directory);
    if (t5_pretrained_open(directory, &p, err) != T5_OK)
        return err->status;
    *s->source =
        (struct t5_saved_source){.from = p, .read = read_parameter, .close = close_directory};
    s->shape = *t5_pretrained_shape(p);
    s->max_input = MAX_INPUT;
    s->decode = (t5_decode_spec){.kind = T5_DECODE_GREEDY,
                                 .beams = 1,
                                 .temperature = 1,
                                 .top_p = 1,
                                 .repetition_penalty = 1,
                                 .max_length = MAX_ANSWER};
    if (open_tokenizer(directory, s, err) == T5_OK)
        t5_check_tokenizer(&s->shape, s->tokenizer, err);
    return err->status;
}
