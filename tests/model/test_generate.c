/* Generation held against teacher-forced forward passes of the same model, which have no cache, and
 * against itself: alone and in a batch. Whether the rules are Transformers' is tests/oracle's
 * matter.
 *
 *     model_test_generate [PATTERN]        leaves out what the pattern (* and ?) matches */
#include "base/rng.h"
#include "model/backend.h"
#include "model/generate.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { VOCAB = 50, N_ROWS = 12, MAX_ENC = 160, LENGTH = 9, END = 1 };

typedef struct scene {
    t5_device *dev;
    t5_model *model;
    t5_input in;
    int32_t enc_ids[N_ROWS * MAX_ENC], enc_start[N_ROWS + 1];
    uint32_t row[N_ROWS];
} scene;

typedef struct result {
    int32_t ids[N_ROWS][LENGTH], length[N_ROWS];
    float score[N_ROWS];
} result;

static void ok(t5_status status, const t5_error *err) {
    if (status != T5_OK)
        fail_msg("%s: %s", t5_status_name(status), err->text);
}

static t5_generate_settings settings_of(t5_generate_kind kind) {
    return (t5_generate_settings){.kind = kind,
                                  .max_length = LENGTH,
                                  .beams = 3,
                                  .temperature = 1.0f,
                                  .top_k = 20,
                                  .top_p = 0.95f,
                                  .repetition_penalty = 1.2f,
                                  .seed = 7};
}

/* Values of parameter `name` times `factor`; or, factor 0, standard normal ones. */
static void reweight(t5_model *model, const char *name, float factor) {
    t5_error err = {0};
    for (int i = 0; i < t5_model_n_params(model); i++) {
        const t5_param *p = t5_model_param(model, i);
        const int64_t n = p->rows * p->cols;
        if (!strstr(p->name, name))
            continue;
        float *w = malloc((size_t)n * sizeof *w);
        assert_non_null(w);
        ok(t5_model_read(model, T5_ARENA_WEIGHT, p->offset, n, w, &err), &err);
        if (factor == 0.0f)
            t5_rng_normal(3, T5_RNG_INIT, 0, (uint64_t)n, w);
        for (int64_t j = 0; factor != 0.0f && j < n; j++)
            w[j] *= factor;
        ok(t5_model_write(model, T5_ARENA_WEIGHT, p->offset, n, w, &err), &err);
        free(w);
    }
}

/* A random model that does not just repeat itself, and rows of 1 to 150 tokens. */
static int set_up_family(void **state, bool bias_every_layer) {
    static const int n_enc[N_ROWS] = {5, 1, 150, 8, 3, 17, 2, 9, 1, 30, 6, 4};
    const t5_shape shape = {.vocab = VOCAB,
                            .d_model = 32,
                            .d_kv = 5,
                            .d_ff = 24,
                            .heads = 4,
                            .enc_layers = 2,
                            .dec_layers = 3,
                            .buckets = 8,
                            .max_distance = 6,
                            .act = T5_ACTIVATION_GATED_GELU,
                            .tied = true,
                            .bias_every_layer = bias_every_layer,
                            .eps = 1e-6f,
                            .eos_id = END};
    t5_error err = {0};
    scene *c = calloc(1, sizeof *c);
    assert_non_null(c);
    ok(backend_open(&c->dev, &err), &err);
    ok(t5_model_create(c->dev, &shape, false, false, &c->model, &err), &err);
    ok(t5_model_init_random(c->model, 5, &err), &err);
    reweight(c->model, "wo.weight", 3.0f);
    reweight(c->model, "EncDecAttention.o", 2.0f);
    if (bias_every_layer)
        reweight(c->model, "relative_attention_bias",
                 4.0f); /* so that each table matters, and some rows still end */
    reweight(c->model, "decoder.final_layer_norm", 0.0f);
    c->in.n_seq = N_ROWS;
    for (int s = 0; s < N_ROWS; s++) {
        for (int t = 0; t < n_enc[s]; t++)
            c->enc_ids[c->in.n_enc + t] = t + 1 == n_enc[s] ? END : 2 + (7 * s + 13 * t) % 48;
        c->in.n_enc += n_enc[s];
        c->enc_start[s + 1] = c->in.n_enc;
        c->row[s] = (uint32_t)(100 + s);
        if (n_enc[s] > c->in.max_enc)
            c->in.max_enc = n_enc[s];
    }
    c->in.enc_ids = c->enc_ids;
    c->in.enc_start = c->enc_start;
    c->in.row = c->row;
    *state = c;
    return 0;
}

static int set_up(void **state) {
    return set_up_family(state, false);
}

static int set_up_umt5(void **state) {
    return set_up_family(state, true);
}

static int tear_down(void **state) {
    scene *c = *state;
    t5_model_destroy(c->model);
    t5_device_close(c->dev);
    free(c);
    return 0;
}

static void generate(scene *c, const t5_input *in, const t5_generate_settings *s, result *r) {
    t5_error err = {0};
    assert_int_equal(s->max_length, LENGTH);
    memset(r, 0xff, sizeof *r);
    ok(t5_generate(c->model, in, s, r->ids[0], r->length, r->score, &err), &err);
}

/* (tokens, VOCAB) log-probabilities of row s when its decoder is fed start, ids...; with the
 * repetition penalty on them (beams) or on the raw logits (others). Tokens: end token included. */
static int forced(scene *c, int s, const int32_t *ids, float penalty, bool log_probs,
                  float logits[LENGTH][VOCAB]) {
    const t5_loss_settings loss = {.alpha = 1.0f};
    const int32_t enc_start[2] = {0, c->enc_start[s + 1] - c->enc_start[s]};
    int32_t dec_ids[LENGTH] = {0}, labels[LENGTH] = {0}, dec_start[2] = {0};
    int n = 0;
    t5_error err = {0};
    while (n < LENGTH && (n == 0 || ids[n - 1] != END))
        dec_ids[n] = n ? ids[n - 1] : 0, n++;
    dec_start[1] = n;
    t5_input in = {.n_seq = 1,
                   .n_enc = enc_start[1],
                   .n_dec = n,
                   .max_enc = enc_start[1],
                   .max_dec = n,
                   .enc_ids = c->enc_ids + c->enc_start[s],
                   .dec_ids = dec_ids,
                   .labels = labels,
                   .enc_start = enc_start,
                   .dec_start = dec_start,
                   .row = c->row};
    ok(t5_model_evaluate(c->model, &in, &loss, true, logits[0], &err), &err);
    for (int t = 0; t < n; t++) {
        double sum = 0;
        bool seen[VOCAB] = {false};
        for (int v = 0; v < VOCAB; v++)
            sum += exp(logits[t][v]);
        for (int v = 0; log_probs && v < VOCAB; v++)
            logits[t][v] -= (float)log(sum);
        for (int i = 0; i <= t; i++)
            seen[dec_ids[i]] = true;
        for (int v = 0; v < VOCAB; v++)
            if (seen[v])
                logits[t][v] = logits[t][v] < 0 ? logits[t][v] * penalty : logits[t][v] / penalty;
    }
    return n;
}

/* ---------------------------------------------------------------- tests */

static void bad_settings_are_refused(void **state) {
    scene *c = *state;
    static const uint8_t nothing[VOCAB] = {0};
    const t5_generate_kind greedy = T5_GENERATE_GREEDY, beam = T5_GENERATE_BEAM;
    const t5_generate_kind sample = T5_GENERATE_SAMPLE;
    const struct {
        const char *message;
        t5_generate_kind kind;
        int max_length, beams;
        float temperature;
        int top_k;
        float top_p, penalty;
        const uint8_t *allowed;
    } bad[] = {
        {"max_length is 0", greedy, 0, 0, 0, 0, 0, 1, NULL},
        {"max_length is -1", beam, -1, 4, 0, 0, 0, 1, NULL},
        {"repetition_penalty is 0", greedy, 9, 0, 0, 0, 0, 0, NULL},
        {"repetition_penalty is nan", greedy, 9, 0, 0, 0, 0, NAN, NULL},
        {"repetition_penalty is inf", greedy, 9, 0, 0, 0, 0, INFINITY, NULL},
        {"beams is 1", beam, 9, 1, 0, 0, 0, 1, NULL},
        {"temperature is 0", sample, 9, 0, 0, 50, 1, 1, NULL},
        {"temperature is nan", sample, 9, 0, NAN, 50, 1, 1, NULL},
        {"top_k is -1", sample, 9, 0, 1, -1, 1, 1, NULL},
        {"top_p is 0", sample, 9, 0, 1, 0, 0, 1, NULL},
        {"top_p is 1.5", sample, 9, 0, 1, 0, 1.5f, 1, NULL},
        {"top_p is nan", sample, 9, 0, 1, 0, NAN, 1, NULL},
        {"no token is allowed", greedy, 9, 0, 0, 0, 0, 1, nothing},
        {"too many", beam, INT32_MAX, 4, 0, 0, 0, 1, NULL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const t5_generate_settings s = {.kind = bad[i].kind,
                                        .max_length = bad[i].max_length,
                                        .beams = bad[i].beams,
                                        .temperature = bad[i].temperature,
                                        .top_k = bad[i].top_k,
                                        .top_p = bad[i].top_p,
                                        .repetition_penalty = bad[i].penalty,
                                        .allowed = bad[i].allowed};
        t5_error err = {0};
        result r;
        t5_status status = t5_generate(c->model, &c->in, &s, r.ids[0], r.length, r.score, &err);
        assert_int_equal(status, T5_ERR_INPUT);
        if (!strstr(err.text, bad[i].message))
            fail_msg("'%s' does not say '%s'", err.text, bad[i].message);
    }
}

static void broken_weights_are_an_error(void **state) {
    scene *c = *state;
    static const t5_generate_kind kinds[] = {T5_GENERATE_GREEDY, T5_GENERATE_BEAM,
                                             T5_GENERATE_SAMPLE};
    reweight(c->model, "decoder.final_layer_norm", NAN);
    for (int i = 0; i < 3; i++) {
        const t5_generate_settings s = settings_of(kinds[i]);
        t5_error err = {0};
        result r;
        assert_int_equal(t5_generate(c->model, &c->in, &s, r.ids[0], r.length, r.score, &err),
                         T5_ERR_NUMERIC);
    }
    reweight(c->model, "decoder.final_layer_norm", 0.0f);
}

static t5_status no_memory(t5_device *dev, size_t bytes, void **d_ptr, t5_error *err) {
    (void)dev;
    *d_ptr = NULL;
    return t5_fail(err, T5_ERR_MEMORY, "%zu bytes", bytes);
}

static void a_full_device_is_an_error(void **state) {
    scene *c = *state;
    const t5_generate_settings s = settings_of(T5_GENERATE_BEAM);
    const t5_device_ops *ops = c->dev->ops;
    t5_device_ops full = *ops;
    t5_error err = {0};
    result r;
    /* the model has its work memory: the caches are what fails, also where it keeps those of a
     * greedy search */
    const t5_generate_settings other = settings_of(T5_GENERATE_GREEDY);
    generate(c, &c->in, &other, &r);
    full.alloc = no_memory;
    c->dev->ops = &full;
    t5_status status = t5_generate(c->model, &c->in, &s, r.ids[0], r.length, r.score, &err);
    c->dev->ops = ops;
    assert_int_equal(status, T5_ERR_MEMORY);
    generate(c, &c->in, &s, &r);
}

static void memory_is_given_back(void **state) {
    scene *c = *state;
    const t5_generate_settings s = settings_of(T5_GENERATE_BEAM);
    result r;
    generate(c, &c->in, &s, &r);
    const size_t before = c->dev->allocated;
    generate(c, &c->in, &s, &r);
    assert_int_equal(c->dev->allocated, before);
}

/* Every token put out is the best one after what came before, and lengths and padding fit. */
static void greedy_takes_the_best(void **state) {
    scene *c = *state;
    static const float penalties[] = {1.0f, 1.2f, 3.0f};
    int ended = 0, ran_on = 0;
    for (int p = 0; p < 3; p++) {
        t5_generate_settings s = settings_of(T5_GENERATE_GREEDY);
        result r;
        s.repetition_penalty = penalties[p];
        generate(c, &c->in, &s, &r);
        for (int row = 0; row < N_ROWS; row++) {
            float logits[LENGTH][VOCAB];
            const int n = forced(c, row, r.ids[row], penalties[p], false, logits);
            const bool end = r.ids[row][n - 1] == END;
            for (int t = 0; t < n; t++)
                for (int v = 0; v < VOCAB; v++)
                    assert_true(logits[t][r.ids[row][t]] >= logits[t][v] - 1e-5f);
            for (int t = n; t < LENGTH; t++)
                assert_int_equal(r.ids[row][t], 0);
            assert_int_equal(r.length[row], n - end);
            ended += end;
            ran_on += !end;
        }
    }
    assert_true(ended > 0 && ran_on > 0); /* else this shows little */
}

/* Of greedy, beam and sampled answers alike: the mean log-probability, penalty applied to it, of
 * the tokens put out; whatever tokens were allowed, and however they were drawn. */
static void scores_are_the_mean_log_probability(void **state) {
    scene *c = *state;
    static const t5_generate_kind kinds[] = {T5_GENERATE_GREEDY, T5_GENERATE_BEAM,
                                             T5_GENERATE_SAMPLE};
    static const float penalties[] = {1.0f, 1.2f};
    uint8_t allowed[VOCAB] = {0};
    for (int v = 0; v < VOCAB; v += 3)
        allowed[v] = allowed[END] = 1;
    for (int i = 0; i < 12; i++) {
        t5_generate_settings s = settings_of(kinds[i % 3]);
        result r;
        s.repetition_penalty = penalties[i / 3 % 2];
        s.allowed = i < 6 ? NULL : allowed;
        s.temperature = 0.8f;
        generate(c, &c->in, &s, &r);
        for (int row = 0; row < N_ROWS; row++) {
            float logits[LENGTH][VOCAB];
            double sum = 0;
            const int n = forced(c, row, r.ids[row], s.repetition_penalty, true, logits);
            for (int t = 0; t < n; t++)
                sum += logits[t][r.ids[row][t]];
            assert_int_equal(r.length[row], n - (r.ids[row][n - 1] == END));
            assert_float_equal(r.score[row], sum / n, 1e-5);
        }
    }
}

/* Who wants no scores gets the same answers. */
static void scores_are_optional(void **state) {
    scene *c = *state;
    static const t5_generate_kind kinds[] = {T5_GENERATE_GREEDY, T5_GENERATE_BEAM,
                                             T5_GENERATE_SAMPLE};
    for (int i = 0; i < 3; i++) {
        const t5_generate_settings s = settings_of(kinds[i]);
        result with, without;
        t5_error err = {0};
        generate(c, &c->in, &s, &with);
        ok(t5_generate(c->model, &c->in, &s, without.ids[0], without.length, NULL, &err), &err);
        assert_memory_equal(with.ids, without.ids, sizeof with.ids);
        assert_memory_equal(with.length, without.length, sizeof with.length);
    }
}

/* Beams that are wide enough find the best of all sequences of two tokens. */
static void wide_beams_are_exhaustive(void **state) {
    scene *c = *state;
    t5_generate_settings s = settings_of(T5_GENERATE_BEAM);
    int32_t ids[N_ROWS][2], length[N_ROWS];
    float score[N_ROWS];
    t5_error err = {0};
    s.max_length = 2;
    s.beams = 2 * VOCAB;
    ok(t5_generate(c->model, &c->in, &s, ids[0], length, score, &err), &err);
    for (int row = 0; row < N_ROWS; row++) {
        float first[LENGTH][VOCAB], second[LENGTH][VOCAB];
        const int32_t start[LENGTH] = {END};
        forced(c, row, start, s.repetition_penalty, true, first);
        double best = first[0][END];
        for (int32_t v = 0; v < VOCAB; v++) {
            const int32_t then[LENGTH] = {v, END};
            if (v == END)
                continue;
            forced(c, row, then, s.repetition_penalty, true, second);
            for (int w = 0; w < VOCAB; w++)
                best = fmax(best, (first[0][v] + second[1][w]) / 2);
        }
        assert_float_equal(score[row], best, 1e-5);
    }
}

/* A row's output depends on the row alone: not on its batch, nor on when others end. */
static void rows_are_independent(void **state) {
    scene *c = *state;
    static const t5_generate_kind kinds[] = {T5_GENERATE_GREEDY, T5_GENERATE_BEAM,
                                             T5_GENERATE_SAMPLE};
    for (int i = 0; i < 3; i++) {
        const t5_generate_settings s = settings_of(kinds[i]);
        result together, alone;
        generate(c, &c->in, &s, &together);
        for (int row = 0; row < N_ROWS; row++) {
            const int32_t start[2] = {0, c->enc_start[row + 1] - c->enc_start[row]};
            const t5_input one = {.n_seq = 1,
                                  .n_enc = start[1],
                                  .max_enc = start[1],
                                  .enc_ids = c->enc_ids + c->enc_start[row],
                                  .enc_start = start,
                                  .row = c->row + row};
            generate(c, &one, &s, &alone);
            assert_memory_equal(alone.ids[0], together.ids[row], sizeof alone.ids[0]);
            assert_int_equal(alone.length[0], together.length[row]);
            assert_float_equal(alone.score[0], together.score[row], 1e-5);
        }
    }
}

static void no_rows_are_fine(void **state) {
    scene *c = *state;
    const t5_generate_settings s = settings_of(T5_GENERATE_GREEDY);
    const t5_input none = {.enc_start = c->enc_start};
    t5_error err = {0};
    assert_int_equal(t5_generate(c->model, &none, &s, NULL, NULL, NULL, &err), T5_OK);
}

/* Only allowed tokens come out, also where they are fewer than the beams want. */
static void restriction_holds(void **state) {
    scene *c = *state;
    static const t5_generate_kind kinds[] = {T5_GENERATE_GREEDY, T5_GENERATE_BEAM,
                                             T5_GENERATE_SAMPLE};
    static const int32_t sets[][3] = {{END, 30, 41}, {END, 30, 30}, {30, 30, 30}};
    for (int i = 0; i < 9; i++) {
        t5_generate_settings s = settings_of(kinds[i % 3]);
        const int32_t *set = sets[i / 3];
        uint8_t allowed[VOCAB] = {0};
        result r;
        for (int j = 0; j < 3; j++)
            allowed[set[j]] = 1;
        s.allowed = allowed;
        generate(c, &c->in, &s, &r);
        for (int row = 0; row < N_ROWS; row++) {
            for (int t = 0; t < r.length[row]; t++)
                assert_true(allowed[r.ids[row][t]] && r.ids[row][t] != END);
            if (r.length[row] < LENGTH)
                assert_true(allowed[END] && r.ids[row][r.length[row]] == END);
            assert_true(isfinite(r.score[row]));
        }
    }
}

static void skip_where_sampling_takes_minutes(const scene *c) {
    if (backend_draws() > 0)
        return;
    print_message("skipped: sampling takes minutes under the sanitizers on %s\n", c->dev->info);
    skip();
}

static void sampling_from_one_token_is_greedy(void **state) {
    scene *c = *state;
    skip_where_sampling_takes_minutes(c);
    const t5_generate_settings greedy = settings_of(T5_GENERATE_GREEDY);
    t5_generate_settings s = settings_of(T5_GENERATE_SAMPLE);
    result want, got;
    generate(c, &c->in, &greedy, &want);
    s.top_k = 1;
    generate(c, &c->in, &s, &got);
    assert_memory_equal(want.ids, got.ids, sizeof want.ids);
    s.top_k = 0;
    s.top_p = 1e-6f;
    generate(c, &c->in, &s, &got);
    assert_memory_equal(want.ids, got.ids, sizeof want.ids);
    s.top_p = 1.0f;
    s.temperature = 1e-4f;
    generate(c, &c->in, &s, &got);
    assert_memory_equal(want.ids, got.ids, sizeof want.ids);
}

static void sampling_follows_its_seed(void **state) {
    scene *c = *state;
    skip_where_sampling_takes_minutes(c);
    t5_generate_settings s = settings_of(T5_GENERATE_SAMPLE);
    result first, again, other;
    generate(c, &c->in, &s, &first);
    generate(c, &c->in, &s, &again);
    assert_memory_equal(first.ids, again.ids, sizeof first.ids);
    s.seed += UINT64_C(1) << 32; /* the high half counts, too */
    generate(c, &c->in, &s, &other);
    assert_memory_not_equal(first.ids, other.ids, sizeof first.ids);
}

/* The probabilities that a first token is drawn with: temperature, then top-k, then top-p. */
static void sampling_law(const float *logits, const t5_generate_settings *s, double *p) {
    double mass[VOCAB], total = 0;
    for (int v = 0; v < VOCAB; v++) {
        int better = 0;
        for (int w = 0; w < VOCAB; w++)
            better += logits[w] > logits[v];
        mass[v] = s->top_k == 0 || better < s->top_k ? exp(logits[v] / s->temperature) : 0;
        total += mass[v];
    }
    for (int v = 0; v < VOCAB; v++) {
        double above = 0;
        for (int w = 0; w < VOCAB; w++)
            above += logits[w] > logits[v] ? mass[w] : 0;
        p[v] = above < s->top_p * total ? mass[v] : 0;
    }
    total = 0;
    for (int v = 0; v < VOCAB; v++)
        total += p[v];
    for (int v = 0; v < VOCAB; v++)
        p[v] /= total;
}

/* Which token the counter of (seed, position, row) draws: the law's probabilities, best first. -1
 * where the draw is too near a border to say. */
static int32_t drawn(const float *logits, const double *p, uint64_t seed, uint32_t row, int t) {
    const uint32_t counter[4] = {T5_RNG_SAMPLE | (uint32_t)t, row, 0, 0};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t random[4];
    t5_philox(counter, key, random);
    const double u = t5_uniform(random[0]);
    for (int32_t v = 0; v < VOCAB; v++) {
        double below = 0;
        for (int w = 0; w < VOCAB; w++)
            below += logits[w] > logits[v] ? p[w] : 0;
        if (u > below + 1e-4 && u < below + p[v] - 1e-4)
            return v;
    }
    return -1;
}

static void every_position_has_its_own_draw(void **state) {
    scene *c = *state;
    t5_generate_settings s = settings_of(T5_GENERATE_SAMPLE);
    int compared = 0;
    result r;
    s.temperature = 1.5f;
    generate(c, &c->in, &s, &r);
    for (int row = 0; row < N_ROWS; row++) {
        float logits[LENGTH][VOCAB];
        const int n = forced(c, row, r.ids[row], s.repetition_penalty, false, logits);
        for (int t = 0; t < n; t++) {
            double p[VOCAB];
            sampling_law(logits[t], &s, p);
            const int32_t want = drawn(logits[t], p, s.seed, c->row[row], t);
            if (want < 0)
                continue;
            assert_int_equal(r.ids[row][t], want);
            compared++;
        }
    }
    assert_true(compared > 3 * N_ROWS); /* else all of them ended at once */
}

/* Many rows of the same text: frequencies within 5 standard deviations, nothing outside the law. */
static void sampling_follows_the_law(void **state) {
    const int draws = backend_draws();
    scene *c = *state;
    skip_where_sampling_takes_minutes(c);
    static const struct {
        float temperature, top_p;
        int top_k;
    } laws[] = {{1.0f, 1.0f, 0}, {1.0f, 0.7f, 0}, {0.7f, 1.0f, 6}, {1.5f, 0.9f, 20}};
    int32_t *text = calloc((size_t)draws * 2, sizeof *text),
            *start = calloc((size_t)draws + 1, sizeof *start);
    int32_t *ids = calloc((size_t)draws, sizeof *ids),
            *length = calloc((size_t)draws, sizeof *length);
    uint32_t *row = calloc((size_t)draws, sizeof *row);
    assert_true(text && start && ids && length && row);
    for (int i = 0; i < draws; i++) {
        text[2 * i] = c->enc_ids[c->enc_start[6]]; /* row 6 has two tokens */
        text[2 * i + 1] = c->enc_ids[c->enc_start[6] + 1];
        start[i + 1] = 2 * (i + 1);
        row[i] = (uint32_t)i;
    }
    const t5_input in = {.n_seq = draws,
                         .n_enc = 2 * draws,
                         .max_enc = 2,
                         .enc_ids = text,
                         .enc_start = start,
                         .row = row};
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        t5_generate_settings s = settings_of(T5_GENERATE_SAMPLE);
        float logits[LENGTH][VOCAB];
        double p[VOCAB];
        int count[VOCAB] = {0};
        const int32_t none[LENGTH] = {END};
        t5_error err = {0};
        s.max_length = 1;
        s.temperature = laws[i].temperature;
        s.top_p = laws[i].top_p;
        s.top_k = laws[i].top_k;
        forced(c, 6, none, s.repetition_penalty, false, logits);
        sampling_law(logits[0], &s, p);
        ok(t5_generate(c->model, &in, &s, ids, length, NULL, &err), &err);
        for (int j = 0; j < draws; j++)
            count[ids[j]]++;
        for (int v = 0; v < VOCAB; v++) {
            if (p[v] == 0)
                assert_int_equal(count[v], 0);
            assert_true(fabs(count[v] - draws * p[v]) <= 5 * sqrt(draws * p[v] * (1 - p[v])));
        }
    }
    free(text);
    free(start);
    free(ids);
    free(length);
    free(row);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_settings_are_refused),
        cmocka_unit_test(broken_weights_are_an_error),
        cmocka_unit_test(a_full_device_is_an_error),
        cmocka_unit_test(memory_is_given_back),
        cmocka_unit_test(greedy_takes_the_best),
        cmocka_unit_test(scores_are_the_mean_log_probability),
        cmocka_unit_test(scores_are_optional),
        cmocka_unit_test(wide_beams_are_exhaustive),
        cmocka_unit_test(rows_are_independent),
        cmocka_unit_test(no_rows_are_fine),
        cmocka_unit_test(restriction_holds),
        cmocka_unit_test(sampling_from_one_token_is_greedy),
        cmocka_unit_test(sampling_follows_its_seed),
        cmocka_unit_test(every_position_has_its_own_draw),
        cmocka_unit_test(sampling_follows_the_law),
    };
    const struct CMUnitTest umt5[] = {
        cmocka_unit_test(greedy_takes_the_best),
        cmocka_unit_test(scores_are_the_mean_log_probability),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down) +
           cmocka_run_group_tests(umt5, set_up_umt5, tear_down);
}
