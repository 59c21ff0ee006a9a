#include "model/generate.h"
#include "base/rng.h"
#include "model/beam.h"
#include "model/decode.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where a call's results go. */
typedef struct output {
    int max_length;
    int32_t eos_id;
    int32_t *ids; /* (n_seq, max_length) */
    int32_t *length;
    float *score; /* or NULL */
} output;

/* ---------------------------------------------------------------- checks */

static bool allows_something(const uint8_t *allowed, int vocab) {
    for (int v = 0; v < vocab; v++)
        if (allowed[v])
            return true;
    return false;
}

static t5_status check_settings(const t5_shape *shape, const t5_input *in,
                                const t5_generate_settings *s, t5_error *err) {
    const int width = s->kind == T5_GENERATE_BEAM ? s->beams : 1;
    if (s->max_length < 1)
        return t5_fail(err, T5_ERR_INPUT, "generation: max_length is %d, at least 1 is needed",
                       s->max_length);
    if (!(s->repetition_penalty > 0.0f) || !isfinite(s->repetition_penalty))
        return t5_fail(err, T5_ERR_INPUT, "generation: repetition_penalty is %g, not above 0",
                       (double)s->repetition_penalty);
    if (s->kind == T5_GENERATE_BEAM && s->beams < 2)
        return t5_fail(err, T5_ERR_INPUT, "generation: beams is %d, beam search needs at least 2",
                       s->beams);
    if (s->kind == T5_GENERATE_SAMPLE && (!(s->temperature > 0.0f) || !isfinite(s->temperature)))
        return t5_fail(err, T5_ERR_INPUT, "generation: temperature is %g, not above 0",
                       (double)s->temperature);
    if (s->kind == T5_GENERATE_SAMPLE && s->top_k < 0)
        return t5_fail(err, T5_ERR_INPUT, "generation: top_k is %d, below 0", s->top_k);
    if (s->kind == T5_GENERATE_SAMPLE && !(s->top_p > 0.0f && s->top_p <= 1.0f))
        return t5_fail(err, T5_ERR_INPUT, "generation: top_p is %g, not within (0, 1]",
                       (double)s->top_p);
    if (s->allowed && !allows_something(s->allowed, shape->vocab))
        return t5_fail(err, T5_ERR_INPUT, "generation: no token is allowed");
    if ((double)in->n_seq * width * s->max_length > INT32_MAX)
        return t5_fail(err, T5_ERR_INPUT,
                       "generation: %d rows of %d sequences of %d tokens are too many", in->n_seq,
                       width, s->max_length);
    return T5_OK;
}

/* Candidates needed of each sequence. */
static int n_candidates(const t5_shape *shape, const t5_generate_settings *s) {
    int k = 1;
    if (s->kind == T5_GENERATE_BEAM)
        k = 2 * s->beams;
    if (s->kind == T5_GENERATE_SAMPLE)
        k = s->top_k > 0 ? s->top_k : shape->vocab;
    return k < shape->vocab ? k : shape->vocab;
}

/* The best candidate of a sequence must be a number: else the model is broken. */
static t5_status check_best(float best, int row, t5_error *err) {
    if (best > -INFINITY && best < INFINITY)
        return T5_OK;
    return t5_fail(err, T5_ERR_NUMERIC, "generation: the logits of row %d are not numbers", row);
}

/* ---------------------------------------------------------------- greedy and sampling */

/* Draws one of the k candidates (best first): softmax(value / temperature) cut to the smallest set
 * of best ones whose probabilities reach top_p (Holtzman et al. 2020; Transformers' order: penalty,
 * temperature, top-k, top-p). */
static int draw(const t5_generate_settings *s, int k, const float *value, uint32_t row,
                int position) {
    const uint32_t counter[4] = {T5_RNG_SAMPLE | (uint32_t)position, row, 0, 0};
    const uint32_t key[2] = {(uint32_t)s->seed, (uint32_t)(s->seed >> 32)};
    uint32_t random[4];
    double total = 0, kept = 0, sum = 0;
    int n = 0;
    for (int i = 0; i < k; i++)
        total += exp(((double)value[i] - value[0]) / s->temperature);
    while (n < k && value[n] > -INFINITY && (n == 0 || s->top_p >= 1.0f || kept < s->top_p * total))
        kept += exp(((double)value[n++] - value[0]) / s->temperature);
    t5_philox(counter, key, random);
    const double u = t5_uniform(random[0]) * kept;
    for (int i = 0; i < n; i++) {
        sum += exp(((double)value[i] - value[0]) / s->temperature);
        if (u < sum)
            return i;
    }
    return n - 1; /* rounding */
}

/* What beam search would add to the score for this token: its log-probability under the model, with
 * the repetition penalty if sequence i holds it already. value: its logit after the penalty. */
static float log_probability(const t5_live *live, int i, int32_t token, float value,
                             float log_total, float penalty) {
    const int32_t *history = live->history + (int64_t)i * live->max_length;
    bool held = false;
    for (int t = 0; t <= live->position; t++)
        held = held || history[t] == token;
    if (!held || penalty == 1.0f)
        return value - log_total;
    const float logit = value < 0.0f ? value / penalty : value * penalty;
    const float log_p = logit - log_total;
    return log_p < 0.0f ? log_p * penalty : log_p / penalty;
}

/* Appends one token to every live sequence; those that end leave. */
static t5_status one_by_one(t5_decoder *d, const t5_input *in, const t5_generate_settings *s, int k,
                            const output *out, t5_error *err) {
    int *parent = malloc((size_t)in->n_seq * sizeof *parent);
    int32_t *token = malloc((size_t)in->n_seq * sizeof *token);
    t5_status status = T5_OK;
    if (!parent || !token)
        status = t5_fail(err, T5_ERR_MEMORY, "generation: out of memory");
    for (int t = 0; status == T5_OK && t < s->max_length; t++) {
        const t5_live *live = t5_decoder_live(d);
        t5_candidates c;
        int n = 0;
        status = t5_decoder_step(d, &c, err);
        for (int i = 0; status == T5_OK && i < live->n; i++) {
            const int row = live->row[i];
            const float *value = c.value + (int64_t)i * k;
            status = check_best(value[0], row, err);
            if (status == T5_OK && out->score)
                status = check_best(c.log_total[i], row, err);
            if (status != T5_OK)
                break;
            int pick = s->kind == T5_GENERATE_SAMPLE ? draw(s, k, value, in->row[row], t) : 0;
            int32_t next = c.id[(int64_t)i * k + pick];
            out->ids[(int64_t)row * s->max_length + t] = next;
            if (out->score)
                out->score[row] += log_probability(live, i, next, value[pick], c.log_total[i],
                                                   s->repetition_penalty);
            if (next == out->eos_id)
                continue;
            out->length[row] = t + 1;
            parent[n] = i;
            token[n++] = next;
        }
        if (status != T5_OK || n == 0 || t + 1 == s->max_length)
            break;
        t5_decoder_advance(d, n, parent, token);
    }
    for (int row = 0; status == T5_OK && out->score && row < in->n_seq; row++) {
        const bool ended = out->length[row] < s->max_length;
        out->score[row] /= (float)(out->length[row] + ended);
    }
    free(parent);
    free(token);
    return status;
}

/* ---------------------------------------------------------------- beam search */

typedef struct search {
    int n_rows, k;
    t5_beam **beam;     /* (n_rows) */
    t5_beam_next *next; /* (beams) of one row */
    int n_next;         /* the next step's sequences */
    int *parent;        /* (n_rows * beams) */
    int32_t *token;
} search;

static t5_status search_create(search *a, int n_rows, int k, const t5_generate_settings *s,
                               int32_t eos_id, t5_error *err) {
    const size_t n = (size_t)n_rows, width = (size_t)s->beams;
    *a = (search){.n_rows = n_rows, .k = k};
    a->beam = calloc(n, sizeof *a->beam);
    a->next = calloc(width, sizeof *a->next);
    a->parent = calloc(n * width, sizeof *a->parent);
    a->token = calloc(n * width, sizeof *a->token);
    bool ok = a->beam && a->next && a->parent && a->token;
    for (size_t r = 0; ok && r < n; r++)
        ok = (a->beam[r] = t5_beam_create(s->beams, s->max_length, eos_id)) != NULL;
    return ok ? T5_OK : t5_fail(err, T5_ERR_MEMORY, "generation: out of memory");
}

static void search_free(search *a) {
    for (int r = 0; a->beam && r < a->n_rows; r++)
        t5_beam_destroy(a->beam[r]);
    free(a->beam);
    free(a->next);
    free(a->parent);
    free(a->token);
}

/* One step of every row that is not done; a row's live sequences lie one behind the other. */
static t5_status search_step(search *a, t5_decoder *d, int position, int max_length,
                             t5_error *err) {
    t5_candidates c;
    t5_status status = t5_decoder_step(d, &c, err);
    a->n_next = 0;
    for (int i = 0; status == T5_OK && i < t5_decoder_live(d)->n;) {
        const int row = t5_decoder_live(d)->row[i], n_running = a->beam[row]->n_running;
        const int64_t at = (int64_t)i * a->k;
        for (int b = 0; status == T5_OK && b < n_running; b++)
            status = check_best(c.value[at + (int64_t)b * a->k], row, err);
        if (status != T5_OK)
            break;
        int n = t5_beam_step(a->beam[row], position, a->k, c.value + at, c.id + at,
                             t5_decoder_live(d)->history + (int64_t)i * max_length, max_length,
                             a->next);
        for (int j = 0; j < n; j++) {
            a->parent[a->n_next] = i + a->next[j].parent;
            a->token[a->n_next++] = a->next[j].token;
        }
        i += n_running;
    }
    return status;
}

static void put_best(const t5_beam *beam, int row, const output *out) {
    const t5_beam_finished *best = &beam->finished[0];
    if (beam->n_finished == 0)
        return;
    memcpy(out->ids + (int64_t)row * out->max_length, best->ids,
           (size_t)best->n_tokens * sizeof *best->ids);
    out->length[row] = best->n_tokens - (best->ids[best->n_tokens - 1] == out->eos_id);
    if (out->score)
        out->score[row] = best->score;
}

static t5_status beam_search(t5_decoder *d, const t5_input *in, const t5_generate_settings *s,
                             int k, const output *out, t5_error *err) {
    search a;
    t5_status status = search_create(&a, in->n_seq, k, s, out->eos_id, err);
    for (int t = 0; status == T5_OK; t++) {
        status = search_step(&a, d, t, s->max_length, err);
        if (status != T5_OK || a.n_next == 0)
            break; /* at the last position nothing goes on */
        t5_decoder_advance(d, a.n_next, a.parent, a.token);
    }
    for (int r = 0; status == T5_OK && r < in->n_seq; r++)
        put_best(a.beam[r], r, out);
    search_free(&a);
    return status;
}

/* ---------------------------------------------------------------- */

t5_status t5_generate(t5_model *model, const t5_input *in, const t5_generate_settings *settings,
                      int32_t *ids, int32_t *length, float *score, t5_error *err) {
    const t5_shape *shape = t5_model_shape(model);
    const bool beams = settings->kind == T5_GENERATE_BEAM;
    t5_status status = check_settings(shape, in, settings, err);
    if (status != T5_OK || in->n_seq == 0)
        return status;
    const output out = {settings->max_length, shape->eos_id, ids, length, score};
    for (int64_t i = 0; i < (int64_t)in->n_seq * settings->max_length; i++)
        ids[i] = shape->pad_id;
    for (int s = 0; s < in->n_seq; s++) {
        length[s] = 0;
        if (score)
            score[s] = 0.0f;
    }
    const int k = n_candidates(shape, settings);
    const t5_decode_settings decode = {.width = beams ? settings->beams : 1,
                                       .max_length = settings->max_length,
                                       .k = k,
                                       .log_softmax = beams,
                                       .log_total = score && !beams,
                                       .penalty = settings->repetition_penalty,
                                       .allowed = settings->allowed};
    t5_decoder *d = NULL;
    status = t5_decoder_open(model, in, &decode, &d, err);
    if (status == T5_OK)
        status = beams ? beam_search(d, in, settings, k, &out, err)
                       : one_by_one(d, in, settings, k, &out, err);
    t5_decoder_close(d);
    return status;
}
