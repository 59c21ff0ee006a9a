#include "io/hf_generation.h"
#include "io/file.h"
#include "io/json_fields.h"
#include "io/json_file.h"
#include "io/json_write.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_BYTES = 1 << 28, /* a list of all tokens of the largest vocabulary */
    MAX_ID = (1 << 24) - 1,
    MAX_TOKENS = 1 << 20,
    MAX_BEAMS = 1 << 10
};

static const double least_real = 1e-30, most_real = 1e30;

typedef t5_json_fields reader;

/* --- what is not computed --- */

static t5_status not_computed(const reader *r, const char *key, const char *neutral) {
    return t5_fail(r->err, T5_ERR_INPUT,
                   "%s: %s is not supported: the answers would be others; expected %s", r->name,
                   key, neutral);
}

/* When a field has an effect at all. */
typedef enum { ALWAYS, BEAMS, SAMPLING } when;

static bool matters(when w, const t5_hf_generation *g) {
    return w == ALWAYS || (w == BEAMS && g->num_beams > 1) || (w == SAMPLING && g->do_sample);
}

/* Numbers with values that change nothing. */
static t5_status check_numbers(const reader *r, const t5_hf_generation *g) {
    static const struct {
        const char *key;
        when when;
        double low, high; /* what changes nothing */
        const char *neutral;
    } numbers[] = {
        {"no_repeat_ngram_size", ALWAYS, 0, 0, "0"},
        {"encoder_no_repeat_ngram_size", ALWAYS, 0, 0, "0"},
        {"min_length", ALWAYS, 0, 1, "0"}, /* the start token counts */
        {"min_new_tokens", ALWAYS, 0, 0, "0"},
        {"encoder_repetition_penalty", ALWAYS, 1, 1, "1"},
        {"num_return_sequences", ALWAYS, 1, 1, "1"},
        {"guidance_scale", ALWAYS, 1, 1, "1"},
        {"penalty_alpha", ALWAYS, 0, 0, "0"},
        {"diversity_penalty", BEAMS, 0, 0, "0"},
        {"num_beam_groups", BEAMS, 1, 1, "1"},
        {"length_penalty", BEAMS, 1, 1, "1"},
        {"typical_p", SAMPLING, 1, 1, "1"},
        {"min_p", SAMPLING, 0, 0, "0"},
        {"epsilon_cutoff", SAMPLING, 0, 0, "0"},
        {"eta_cutoff", SAMPLING, 0, 0, "0"},
    };
    t5_status status = T5_OK;
    for (size_t i = 0; !status && i < sizeof numbers / sizeof *numbers; i++) {
        double value = numbers[i].low;
        status = t5_json_real(r, numbers[i].key, &value);
        if (!status && matters(numbers[i].when, g) &&
            !(value >= numbers[i].low && value <= numbers[i].high))
            status = not_computed(r, numbers[i].key, numbers[i].neutral);
    }
    return status;
}

/* Is it false, or a list or an object with nothing in it? */
static bool is_empty(const json_t *value) {
    return json_is_false(value) || (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

/* Fields of all types that change nothing only where they are null or empty. */
static t5_status check_others(const reader *r, const t5_hf_generation *g) {
    static const struct {
        const char *key;
        when when;
    } others[] = {
        {"bad_words_ids", ALWAYS},
        {"force_words_ids", ALWAYS},
        {"constraints", ALWAYS},
        {"forced_bos_token_id", ALWAYS},
        {"forced_eos_token_id", ALWAYS},
        {"exponential_decay_length_penalty", ALWAYS},
        {"sequence_bias", ALWAYS},
        {"begin_suppress_tokens", ALWAYS},
        {"stop_strings", ALWAYS},
        {"max_time", ALWAYS},
        {"watermarking_config", ALWAYS},
        {"dola_layers", ALWAYS},
        {"token_healing", ALWAYS},
        {"renormalize_logits", BEAMS},
        {"top_h", SAMPLING},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const json_t *value = t5_json_field(r, others[i].key);
        if (value && !is_empty(value) && matters(others[i].when, g))
            return not_computed(r, others[i].key, "null");
    }
    if (g->num_beams > 1 && !json_is_true(t5_json_field(r, "early_stopping")))
        return not_computed(r, "early_stopping other than true with num_beams above 1", "true");
    if (g->num_beams > 1 && g->do_sample)
        return not_computed(r, "do_sample with num_beams above 1", "one of the two");
    return T5_OK;
}

/* --- what is --- */

/* 0 is not within, most is; nor is what a float cannot hold, as the model computes with floats. */
static t5_status read_real(const reader *r, const char *key, double most, double *out) {
    t5_status status = t5_json_real(r, key, out);
    if (!status && !(*out >= least_real && *out <= most))
        status = t5_fail(r->err, T5_ERR_INPUT, "%s: %s is %g, expected above 0 and at most %g",
                         r->name, key, *out, most);
    return status;
}

/* An end token may be a list of one. */
static t5_status read_eos(const reader *r, t5_hf_generation *g) {
    const json_t *value = t5_json_field(r, "eos_token_id");
    if (!json_is_array(value))
        return t5_json_integer(r, "eos_token_id", 0, MAX_ID, &g->eos_id);
    value = json_array_size(value) == 1 ? json_array_get(value, 0) : NULL;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > MAX_ID)
        return t5_fail(r->err, T5_ERR_INPUT,
                       "%s: eos_token_id is a list, expected an integer or a list of one", r->name);
    g->eos_id = (int)json_integer_value(value);
    return T5_OK;
}

static t5_status read_suppressed(const reader *r, t5_hf_generation *g) {
    const json_t *list = t5_json_field(r, "suppress_tokens");
    if (!list)
        return T5_OK;
    if (!json_is_array(list))
        return t5_json_wrong_type(r, "suppress_tokens", list, "a list of token ids");
    size_t n = json_array_size(list);
    if (n > MAX_ID)
        return t5_fail(r->err, T5_ERR_INPUT, "%s: suppress_tokens has %zu elements", r->name, n);
    g->suppress = n ? malloc(n * sizeof *g->suppress) : NULL;
    if (n && !g->suppress)
        return t5_fail(r->err, T5_ERR_MEMORY, "%s: out of memory", r->name);
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_array_get(list, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > MAX_ID)
            return t5_fail(r->err, T5_ERR_INPUT,
                           "%s: suppress_tokens, element %zu: expected a token id", r->name, i + 1);
        g->suppress[i] = (int32_t)json_integer_value(id);
    }
    g->n_suppress = (int)n;
    return T5_OK;
}

/* max_length counts the start token, too. */
static t5_status read_lengths(const reader *r, t5_hf_generation *g) {
    int length = 1;
    t5_status status = t5_json_integer(r, "max_new_tokens", 1, MAX_TOKENS, &g->max_new_tokens);
    if (!status)
        status = t5_json_integer(r, "max_length", 2, MAX_TOKENS, &length);
    if (!status && g->max_new_tokens == 0)
        g->max_new_tokens = length - 1;
    return status;
}

static t5_status read_fields(const reader *r, t5_hf_generation *g) {
    t5_status status = read_lengths(r, g);
    if (!status)
        status = t5_json_integer(r, "num_beams", 1, MAX_BEAMS, &g->num_beams);
    if (!status)
        status = t5_json_flag(r, "do_sample", &g->do_sample);
    if (!status)
        status = read_real(r, "temperature", most_real, &g->temperature);
    if (!status)
        status = t5_json_integer(r, "top_k", 0, INT32_MAX, &g->top_k);
    if (!status)
        status = read_real(r, "top_p", 1, &g->top_p);
    if (!status)
        status = read_real(r, "repetition_penalty", most_real, &g->repetition_penalty);
    if (!status)
        status = t5_json_integer(r, "pad_token_id", 0, MAX_ID, &g->pad_id);
    if (!status)
        status = read_eos(r, g);
    if (!status)
        status = t5_json_integer(r, "decoder_start_token_id", 0, MAX_ID, &g->start_id);
    if (!status)
        status = read_suppressed(r, g);
    if (!status)
        status = check_numbers(r, g);
    return status ? status : check_others(r, g);
}

static t5_hf_generation defaults(void) {
    return (t5_hf_generation){.num_beams = 1,
                              .temperature = 1,
                              .top_k = 50,
                              .top_p = 1,
                              .repetition_penalty = 1,
                              .pad_id = -1,
                              .eos_id = -1,
                              .start_id = -1};
}

/* Takes over root. */
static t5_status interpret(const char *name, json_t *root, t5_hf_generation *g, t5_error *err) {
    t5_error own = {0};
    reader r = {.name = name, .root = root, .err = &own};
    read_fields(&r, g);
    json_decref(root);
    if (own.status == T5_OK)
        return T5_OK;
    t5_hf_generation_free(g);
    t5_json_tame(&own);
    return t5_fail(err, own.status, "%s", own.text);
}

t5_status t5_hf_generation_parse(const char *name, const char *text, size_t n,
                                 t5_hf_generation *generation, t5_error *err) {
    json_t *root = NULL;
    *generation = defaults();
    t5_status status = t5_json_parse(name, text, n, &root, err);
    return status ? status : interpret(name, root, generation, err);
}

t5_status t5_hf_generation_read(const char *directory, t5_hf_generation *generation,
                                t5_error *err) {
    char *path = NULL;
    json_t *root = NULL;
    t5_status status = T5_OK;
    *generation = defaults();
    if (asprintf(&path, "%s/generation_config.json", directory) < 0)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", directory);
    if (t5_file_exists(path))
        status = t5_json_read(path, MAX_BYTES, &root, err);
    if (!status && root)
        status = interpret(path, root, generation, err);
    free(path);
    return status;
}

void t5_hf_generation_free(t5_hf_generation *generation) {
    free(generation->suppress);
    generation->suppress = NULL;
    generation->n_suppress = 0;
}

/* --- writing --- */

static int put_id(json_t *root, const char *key, int id) {
    return id < 0 ? 0 : t5_json_put(root, key, json_integer(id));
}

static int put_suppressed(json_t *root, const t5_hf_generation *g) {
    json_t *list = g->n_suppress > 0 ? json_array() : NULL;
    int bad = g->n_suppress > 0 && !list;
    for (int i = 0; i < g->n_suppress && !bad; i++)
        bad = json_array_append_new(list, json_integer(g->suppress[i]));
    if (!bad && list)
        return t5_json_put(root, "suppress_tokens", list);
    json_decref(list);
    return bad;
}

static json_t *make(const t5_hf_generation *g) {
    json_t *root = json_object();
    int bad = put_id(root, "decoder_start_token_id", g->start_id);
    bad |= t5_json_put(root, "do_sample", json_boolean(g->do_sample));
    if (g->num_beams > 1)
        bad |= t5_json_put(root, "early_stopping", json_true());
    bad |= put_id(root, "eos_token_id", g->eos_id);
    if (g->max_new_tokens > 0)
        bad |= t5_json_put(root, "max_new_tokens", json_integer(g->max_new_tokens));
    bad |= t5_json_put(root, "num_beams", json_integer(g->num_beams));
    bad |= put_id(root, "pad_token_id", g->pad_id);
    if (g->repetition_penalty != 1)
        bad |= t5_json_put(root, "repetition_penalty", json_real(g->repetition_penalty));
    bad |= put_suppressed(root, g);
    if (g->do_sample) {
        bad |= t5_json_put(root, "temperature", json_real(g->temperature));
        bad |= t5_json_put(root, "top_k", json_integer(g->top_k));
        bad |= t5_json_put(root, "top_p", json_real(g->top_p));
    }
    if (!bad)
        return root;
    json_decref(root);
    return NULL;
}

t5_status t5_hf_generation_write(const char *directory, const t5_hf_generation *generation,
                                 t5_error *err) {
    json_t *root = make(generation);
    t5_status status = t5_json_write(directory, "generation_config.json", root, err);
    json_decref(root);
    return status;
}
