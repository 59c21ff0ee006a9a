/* A saved model that is a Hugging Face directory. */
#include "io/hf_generation.h"
#include "io/hf_tokenizer.h"
#include "saved/saved_internal.h"
#include "setup/pretrained.h"
#include "setup/setup.h"
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
    s->max_input = files.max_tokens > 0 ? files.max_tokens : MAX_INPUT;
    t5_tokenizer_files_free(&files);
    return err->status;
}

/* Tokens that generation_config.json suppresses. */
static t5_status disallow(const t5_hf_generation *g, t5_saved *s, t5_error *err) {
    s->allowed = malloc((size_t)s->shape.vocab);
    if (!s->allowed)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %d tokens", s->shape.vocab);
    memset(s->allowed, 1, (size_t)s->shape.vocab);
    for (int i = 0; i < g->n_suppress; i++)
        if (g->suppress[i] < s->shape.vocab)
            s->allowed[g->suppress[i]] = 0;
    return T5_OK;
}

/* It may name other ids than config.json, which is checked with the shape. */
static t5_status check_ids(const char *directory, const t5_hf_generation *g, int vocab,
                           t5_error *err) {
    const struct {
        const char *key;
        int id;
    } ids[] = {{"eos_token_id", g->eos_id},
               {"pad_token_id", g->pad_id},
               {"decoder_start_token_id", g->start_id}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ids[i].id >= vocab)
            return t5_fail(err, T5_ERR_INPUT,
                           "%s/generation_config.json: %s is %d, the model has %d tokens",
                           directory, ids[i].key, ids[i].id, vocab);
    return T5_OK;
}

static t5_status open_generation(const char *directory, t5_saved *s, t5_error *err) {
    t5_hf_generation g = {0};
    if (t5_hf_generation_read(directory, &g, err) != T5_OK)
        return err->status;
    s->decode = (t5_decode_spec){
        .kind = g.num_beams > 1 ? T5_DECODE_BEAM
                : g.do_sample   ? T5_DECODE_SAMPLE
                                : T5_DECODE_GREEDY,
        .beams = g.num_beams,
        .temperature = g.temperature,
        .top_k = g.top_k,
        .top_p = g.top_p,
        .repetition_penalty = g.repetition_penalty,
        .max_length = g.max_new_tokens > 0 ? g.max_new_tokens : MAX_ANSWER,
    };
    if (g.eos_id >= 0)
        s->shape.eos_id = g.eos_id;
    if (g.pad_id >= 0)
        s->shape.pad_id = g.pad_id;
    if (g.start_id >= 0)
        s->shape.start_id = g.start_id;
    if (check_ids(directory, &g, s->shape.vocab, err) == T5_OK && g.n_suppress > 0)
        disallow(&g, s, err);
    t5_hf_generation_free(&g);
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
    s->family = t5_pretrained_family(p);
    if (open_generation(directory, s, err) == T5_OK && open_tokenizer(directory, s, err) == T5_OK &&
        t5_check_tokenizer(&s->shape, s->tokenizer, err) != T5_OK)
        t5_error_prefix(err, "%s", directory);
    return err->status;
}
