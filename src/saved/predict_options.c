#include "saved/predict_options.h"
#include <errno.h>
#include <stdlib.h>

const t5_predict_options t5_predict_defaults = {.top_k = -1, .seed = -1, .batch_size = 32};

enum { MAX_BEAMS = 256, MAX_TOP_K = 1000000000, MAX_LENGTH = 65536, MAX_BATCH = 65536 };
enum { MAX_THREADS = 4096 };

typedef enum { INTEGER, INTEGER_64, POSITIVE, PROBABILITY } number_kind;

typedef struct number {
    const char *name;
    number_kind kind;
    int64_t least, most; /* of integers */
    size_t at;
} number;

#define AT(field) offsetof(t5_predict_options, field)
static const number numbers[] = {
    {"--beams", INTEGER, 1, MAX_BEAMS, AT(beams)},
    {"--top-k", INTEGER, 0, MAX_TOP_K, AT(top_k)},
    {"--top-p", PROBABILITY, 0, 0, AT(top_p)},
    {"--temperature", POSITIVE, 0, 0, AT(temperature)},
    {"--repetition-penalty", POSITIVE, 0, 0, AT(repetition_penalty)},
    {"--seed", INTEGER_64, 0, INT64_MAX, AT(seed)},
    {"--max-length", INTEGER, 1, MAX_LENGTH, AT(max_length)},
    {"--batch-size", INTEGER, 1, MAX_BATCH, AT(batch_size)},
    {"--threads", INTEGER, 0, MAX_THREADS, AT(threads)},
};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

const char *t5_predict_option_name(int i) {
    return i < N_NUMBERS ? numbers[i].name : NULL;
}

static bool starts_a_number(const char *value) {
    return (*value >= '0' && *value <= '9') || *value == '-' || *value == '.';
}

static t5_status set_integer(void *field, const number *n, const char *value, t5_error *err) {
    char *end;
    errno = 0;
    long long x = strtoll(value, &end, 10);
    if (!starts_a_number(value) || *end || errno || x < n->least || x > n->most)
        return t5_fail(err, T5_ERR_INPUT, "%s %s: an integer from %lld to %lld was expected",
                       n->name, value, (long long)n->least, (long long)n->most);
    if (n->kind == INTEGER)
        *(int *)field = (int)x;
    else
        *(int64_t *)field = x;
    return T5_OK;
}

/* The bounds are those of float, which is what the model computes with. */
static t5_status set_real(double *field, const number *n, const char *value, t5_error *err) {
    char *end;
    double x = strtod(value, &end);
    const double most = n->kind == PROBABILITY ? 1 : 1e30;
    if (!starts_a_number(value) || *end || !(x >= 1e-30 && x <= most))
        return t5_fail(err, T5_ERR_INPUT, "%s %s: a number above 0%s was expected", n->name, value,
                       n->kind == PROBABILITY ? " and at most 1" : "");
    *field = x;
    return T5_OK;
}

t5_status t5_predict_option_set(t5_predict_options *options, int i, const char *value,
                                t5_error *err) {
    const number *n = &numbers[i];
    void *field = (char *)options + n->at;
    return n->kind == INTEGER || n->kind == INTEGER_64 ? set_integer(field, n, value, err)
                                                       : set_real(field, n, value, err);
}

/* An option that only sampling looks at, or NULL. */
static const char *sampling_option(const t5_predict_options *o) {
    return o->top_k >= 0        ? "--top-k"
           : o->top_p > 0       ? "--top-p"
           : o->temperature > 0 ? "--temperature"
           : o->seed >= 0       ? "--seed"
                                : NULL;
}

t5_status t5_predict_decode(const t5_predict_options *o, const t5_decode_spec *model,
                            t5_decode_spec *decode, t5_error *err) {
    const char *sampling = sampling_option(o);
    *decode = *model;
    if (o->beams > 0 && o->sample)
        return t5_fail(err, T5_ERR_INPUT,
                       "--beams %d and --sample exclude each other: leave one out", o->beams);
    if (o->sample)
        decode->kind = T5_DECODE_SAMPLE;
    if (o->beams > 0) {
        decode->kind = o->beams > 1 ? T5_DECODE_BEAM : T5_DECODE_GREEDY;
        decode->beams = o->beams;
    }
    if (sampling && decode->kind != T5_DECODE_SAMPLE)
        return t5_fail(err, T5_ERR_INPUT, "%s has no effect without sampling: %s", sampling,
                       o->beams > 0 ? "leave it out, or use --sample instead of --beams"
                                    : "leave it out, or add --sample");
    if (o->top_k >= 0)
        decode->top_k = o->top_k;
    if (o->top_p > 0)
        decode->top_p = o->top_p;
    if (o->temperature > 0)
        decode->temperature = o->temperature;
    if (o->seed >= 0)
        decode->seed = (uint64_t)o->seed;
    if (o->repetition_penalty > 0)
        decode->repetition_penalty = o->repetition_penalty;
    if (o->max_length > 0)
        decode->max_length = o->max_length;
    return T5_OK;
}
