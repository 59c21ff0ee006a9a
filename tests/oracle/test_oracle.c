/* The model against Transformers: logits, losses, every gradient, the parameters after ten
 * optimiser steps, and generated sequences, for a T5 v1.0 and a v1.1; one pass of two with wider
 * heads. Fixtures: make_fixtures.py.
 *
 *     oracle_test_oracle [BACKEND [figures | PATTERN]]        (cpu or cuda)
 *
 * With `figures`, the largest error of every check is printed; with a pattern (* and ?), only the
 * checks whose names it matches are made: "v1_0*sequences". */
#include "backend.h"
#include "fixture.h"
#include "model/generate.h"
#include "model/model.h"
#include <fnmatch.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static const double F32_LIMIT = 1e-5, F32_AFTER_LIMIT = 1e-4, BF16_LIMIT = 3e-2;

typedef struct test_case {
    char name[64];
    t5_device *dev;
    const fixture *f;
    int n_kinds; /* of losses that the fixture has */
    bool bf16;
    CMUnitTestFunction function;
    /* what came out */
    int misses;
    double worst;
    char worst_name[128];
} test_case;

static const fixture_block *block(const fixture *f, const char *prefix, const char *name) {
    const fixture_block *b = fixture_find(f, prefix, name);
    if (!b)
        fail_msg("the fixture has no %s%s", prefix, name);
    return b;
}

static void ok(t5_status status, const t5_error *err) {
    if (status != T5_OK)
        fail_msg("%s: %s", t5_status_name(status), err->text);
}

/* ---------------------------------------------------------------- what the fixtures hold */

static t5_shape shape_of(const fixture *f) {
    const int32_t *s = block(f, "shape", "")->i32;
    t5_shape shape = {.vocab = s[0],
                      .d_model = s[1],
                      .d_kv = s[2],
                      .d_ff = s[3],
                      .heads = s[4],
                      .enc_layers = s[5],
                      .dec_layers = s[6],
                      .buckets = s[7],
                      .max_distance = s[8],
                      .act = s[9] ? T5_ACTIVATION_GATED_GELU : T5_ACTIVATION_RELU,
                      .tied = s[10] != 0,
                      .eps = 1e-6f,
                      .pad_id = 0,
                      .eos_id = 1,
                      .start_id = 0};
    return shape;
}

/* A model with the weights whose names start with `prefix`; every one of them must be there. */
static t5_model *model_of(test_case *c, const char *prefix) {
    t5_shape shape = shape_of(c->f);
    t5_model *model = NULL;
    t5_error err = {0};
    int n_blocks = 0;
    ok(t5_model_create(c->dev, &shape, c->bf16, true, &model, &err), &err);
    for (int i = 0; i < c->f->n_blocks; i++)
        n_blocks += strncmp(c->f->block[i].name, prefix, strlen(prefix)) == 0;
    assert_int_equal(n_blocks, t5_model_n_params(model));
    for (int i = 0; i < n_blocks; i++) {
        const t5_param *p = t5_model_param(model, i);
        const fixture_block *b = block(c->f, prefix, p->name);
        assert_int_equal(b->n, p->rows * p->cols);
        assert_int_equal(b->dims[0], p->rows);
        ok(t5_model_write(model, T5_ARENA_WEIGHT, p->offset, b->n, b->f32, &err), &err);
    }
    t5_model_set_dropout(model, 0.0f, 0, 0);
    return model;
}

/* Rows [first, first + n) of the training batch or of the inputs for generation, as a packed input.
 * `room` holds what the fixture does not: shifted decoder inputs, offsets from zero, row numbers.
 */
typedef struct input_room {
    int32_t enc_start[128], dec_start[128], dec_ids[256];
    uint32_t row[128];
} input_room;

static int longest(const int32_t *start, int n) {
    int most = 0;
    for (int i = 0; i < n; i++)
        if (start[i + 1] - start[i] > most)
            most = start[i + 1] - start[i];
    return most;
}

static t5_input input_of(const fixture *f, bool train, int first, int n, input_room *room) {
    const char *prefix = train ? "train/" : "gen/";
    const int32_t *enc_start = block(f, prefix, "enc_start")->i32;
    t5_input in = {.n_seq = n, .enc_ids = block(f, prefix, "enc_ids")->i32 + enc_start[first]};
    assert_true(n < 128 && first + n < block(f, prefix, "enc_start")->n);
    memset(room, 0, sizeof *room);
    for (int s = 0; s <= n; s++)
        room->enc_start[s] = enc_start[first + s] - enc_start[first];
    for (int s = 0; s < n; s++)
        room->row[s] = (uint32_t)(first + s);
    if (train) {
        const int32_t *dec_start = block(f, prefix, "dec_start")->i32;
        in.labels = block(f, prefix, "labels")->i32 + dec_start[first];
        for (int s = 0; s <= n; s++)
            room->dec_start[s] = dec_start[first + s] - dec_start[first];
        in.n_dec = room->dec_start[n];
        assert_true(in.n_dec < 256);
        for (int s = 0; s < n; s++)
            for (int t = room->dec_start[s] + 1; t < room->dec_start[s + 1]; t++)
                room->dec_ids[t] = in.labels[t - 1]; /* the first one is the start token, 0 */
    }
    in.n_enc = room->enc_start[n];
    in.max_enc = longest(room->enc_start, n);
    in.max_dec = longest(room->dec_start, n);
    in.enc_start = room->enc_start;
    in.dec_start = room->dec_start;
    in.dec_ids = room->dec_ids;
    in.row = room->row;
    return in;
}

static const struct {
    const char *name;
    t5_loss_settings loss;
} kinds[] = {{"plain", {false, 0.0f, 0.0f, 1.0f}},
             {"smooth", {false, 0.1f, 0.0f, 1.0f}},
             {"focal", {true, 0.0f, 2.0f, 1.0f}}};

/* ---------------------------------------------------------------- comparing */

static double relative_error(const float *x, const float *ref, int64_t n) {
    double diff = 0, norm = 0;
    for (int64_t i = 0; i < n; i++) {
        diff += ((double)x[i] - ref[i]) * ((double)x[i] - ref[i]);
        norm += (double)ref[i] * ref[i];
    }
    return norm > 0 ? sqrt(diff / norm) : INFINITY;
}

/* Counts an error above the limit (or not a number), with a line. */
static void check(test_case *c, double error, double limit, const char *what, const char *name) {
    if (!(error <= c->worst)) {
        c->worst = error;
        snprintf(c->worst_name, sizeof c->worst_name, "%s%s", what, name);
    }
    if (error <= limit)
        return;
    print_error("%s%s: relative error %.3g, allowed %.3g\n", what, name, error, limit);
    c->misses++;
}

/* Every parameter's elements of an arena against the block `prefix`NAME. */
static void check_arena(test_case *c, t5_model *model, t5_arena arena, const char *prefix,
                        double limit) {
    for (int i = 0; i < t5_model_n_params(model); i++) {
        const t5_param *p = t5_model_param(model, i);
        const fixture_block *b = block(c->f, prefix, p->name);
        float *x = malloc((size_t)b->n * sizeof *x);
        t5_error err = {0};
        assert_non_null(x);
        ok(t5_model_read(model, arena, p->offset, b->n, x, &err), &err);
        check(c, relative_error(x, b->f32, b->n), limit, prefix, p->name);
        free(x);
    }
}

static double limit_of(const test_case *c) {
    return c->bf16 ? BF16_LIMIT : F32_LIMIT;
}

static int n_train_rows(const fixture *f) {
    return (int)block(f, "train/", "dec_start")->n - 1;
}

static void skip_without_bf16(const test_case *c) {
    if (!c->bf16 || c->dev->has_bf16)
        return;
    print_message("no bfloat16 products on %s\n", c->dev->info);
    skip();
}

/* ---------------------------------------------------------------- tests */

static void bad_fixtures_are_refused(void **state) {
    (void)state;
    unsigned char good[64] = "T5FIX01\n";
    const uint32_t head[4] = {FIXTURE_F32, 1, 1, 2};
    size_t n = 8;
    memcpy(good + n, head, sizeof head);
    n += sizeof head;
    good[n++] = 'x';
    n += 2 * sizeof(float);
    for (size_t cut = 0; cut < n; cut++)
        if (cut != 8)
            assert_null(fixture_parse(good, cut));
    good[0] = 'X';
    assert_null(fixture_parse(good, n));
    good[0] = 'T';
    good[8] = 9; /* no such type */
    assert_null(fixture_parse(good, n));
    good[8] = FIXTURE_F32;
    good[23] = 0x7f; /* a dimension beyond the file */
    assert_null(fixture_parse(good, n));
    good[23] = 0;
    fixture *f = fixture_parse(good, n);
    assert_non_null(f);
    assert_non_null(fixture_find(f, "", "x"));
    fixture_free(f);
}

static void logits_and_losses(void **state) {
    test_case *c = *state;
    skip_without_bf16(c);
    input_room room;
    t5_input in = input_of(c->f, true, 0, n_train_rows(c->f), &room);
    t5_model *model = model_of(c, "weight/");
    const fixture_block *ref = block(c->f, "logits", "");
    float *logits = malloc((size_t)ref->n * sizeof *logits);
    t5_error err = {0};
    assert_non_null(logits);
    for (int k = 0; k < c->n_kinds; k++) {
        double sum;
        ok(t5_model_evaluate(model, &in, &kinds[k].loss, true, logits, &err), &err);
        ok(t5_model_loss_sum(model, &sum, &err), &err);
        check(c, relative_error(logits, ref->f32, ref->n), limit_of(c), "logits", "");
        double want = block(c->f, "loss/", kinds[k].name)->f32[0];
        check(c, fabs(sum / in.n_dec - want) / want, limit_of(c), "loss/", kinds[k].name);
    }
    free(logits);
    t5_model_destroy(model);
    assert_int_equal(c->misses, 0);
}

/* One pass over all rows, and again as two micro-batches whose gradients add up. */
static void gradients(void **state) {
    test_case *c = *state;
    skip_without_bf16(c);
    t5_model *model = model_of(c, "weight/");
    const int n = n_train_rows(c->f);
    t5_error err = {0};
    for (int k = 0; k < c->n_kinds; k++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "grad/%s/", kinds[k].name);
        for (int parts = 1; parts <= 2; parts++) {
            double sum, want = block(c->f, "loss/", kinds[k].name)->f32[0];
            int n_dec = block(c->f, "train/", "dec_start")->i32[n];
            for (int part = 0; part < parts; part++) {
                input_room room;
                int first = part * n / parts, end = (part + 1) * n / parts;
                t5_input in = input_of(c->f, true, first, end - first, &room);
                ok(t5_model_backward(model, &in, &kinds[k].loss, 1.0f / (float)n_dec, part == 0,
                                     &err),
                   &err);
            }
            ok(t5_model_loss_sum(model, &sum, &err), &err);
            check(c, fabs(sum / n_dec - want) / want, limit_of(c), "loss/", kinds[k].name);
            check_arena(c, model, T5_ARENA_GRAD, prefix, limit_of(c));
        }
    }
    t5_model_destroy(model);
    assert_int_equal(c->misses, 0);
}

static void ten_steps(void **state) {
    test_case *c = *state;
    t5_model *model = model_of(c, "weight/");
    const fixture_block *rows = block(c->f, "optim/", "rows");
    const float *lr = block(c->f, "optim/", "lr")->f32, *norms = block(c->f, "optim/", "norm")->f32;
    t5_error err = {0};
    for (int step = 0; step < rows->n; step++) {
        input_room room;
        char name[32];
        double norm;
        t5_input in = input_of(c->f, true, 0, rows->i32[step], &room);
        t5_optim optim = {.lr = lr[step],
                          .beta1 = 0.9f,
                          .beta2 = 0.999f,
                          .eps = 1e-8f,
                          .weight_decay = 0.01f,
                          .clip_norm = 1.0f,
                          .step = step + 1};
        ok(t5_model_backward(model, &in, &kinds[1].loss, 1.0f / (float)in.n_dec, true, &err), &err);
        ok(t5_model_update(model, &optim, &norm, &err), &err);
        snprintf(name, sizeof name, "step %d", step);
        check(c, fabs(norm - norms[step]) / norms[step], F32_AFTER_LIMIT, "gradient norm, ", name);
    }
    check_arena(c, model, T5_ARENA_WEIGHT, "after/", F32_AFTER_LIMIT);
    t5_model_destroy(model);
    assert_int_equal(c->misses, 0);
}

/* What came out for rows [first, first + n) against the block gen/NAME. */
static void check_sequences(test_case *c, const char *name, int first, int n, int width,
                            const int32_t *ids, const int32_t *length, const float *score) {
    char score_name[32];
    snprintf(score_name, sizeof score_name, "%s_score", name);
    const fixture_block *scores = fixture_find(c->f, "gen/", score_name);
    for (int s = 0; s < n; s++) {
        const int32_t *want = block(c->f, "gen/", name)->i32 + (int64_t)(first + s) * width;
        int tokens = 0;
        while (tokens < width && want[tokens] != 1)
            tokens++;
        if (memcmp(ids + (int64_t)s * width, want, (size_t)width * sizeof *want) != 0 ||
            length[s] != tokens) {
            print_error("%s, row %d of a batch of %d, length %d: other tokens than Transformers\n",
                        name, first + s, n, length[s]);
            c->misses++;
        }
        if (!scores)
            continue;
        double wanted = scores->f32[first + s];
        check(c, fabs(score[s] - wanted) / fabs(wanted), F32_LIMIT, name, ", score");
    }
}

static void sequences(void **state) {
    test_case *c = *state;
    static const struct {
        const char *name;
        t5_generate_kind kind;
        float penalty;
    } ways[] = {{"greedy", T5_GENERATE_GREEDY, 1.0f},
                {"greedy_penalty", T5_GENERATE_GREEDY, 1.2f},
                {"beam", T5_GENERATE_BEAM, 1.0f},
                {"beam_penalty", T5_GENERATE_BEAM, 1.2f}};
    static const int batches[] = {100, 7};
    t5_model *model = model_of(c, "gen/weight/");
    const int n_rows = (int)block(c->f, "gen/", "enc_start")->n - 1;
    const int width = (int)block(c->f, "gen/", "greedy")->dims[1];
    int32_t ids[100 * 16], length[100];
    float score[100];
    t5_error err = {0};
    assert_true(n_rows == 100 && width <= 16);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        t5_generate_settings settings = {.kind = ways[w].kind,
                                         .max_length = width,
                                         .beams = 4,
                                         .temperature = 1.0f,
                                         .top_p = 1.0f,
                                         .repetition_penalty = ways[w].penalty};
        for (size_t b = 0; b < sizeof batches / sizeof *batches; b++)
            for (int first = 0; first < n_rows; first += batches[b]) {
                input_room room;
                int n = first + batches[b] <= n_rows ? batches[b] : n_rows - first;
                t5_input in = input_of(c->f, false, first, n, &room);
                ok(t5_generate(model, &in, &settings, ids, length, score, &err), &err);
                check_sequences(c, ways[w].name, first, n, width, ids, length, score);
            }
    }
    t5_model_destroy(model);
    assert_int_equal(c->misses, 0);
}

/* ---------------------------------------------------------------- main */

static const struct {
    const char *name;
    CMUnitTestFunction function;
    bool bf16;  /* has a bfloat16 run too */
    bool whole; /* needs what only the whole fixtures have */
} checks[] = {{"logits and losses", logits_and_losses, true, false},
              {"gradients", gradients, true, false},
              {"ten steps", ten_steps, false, true},
              {"sequences", sequences, false, true}};

/* Those with heads of 16 and 64 hold a pass with one loss: what GPUs do on tensor cores. */
static const struct {
    const char *name;
    bool whole;
} files[] = {{"v1_0", true}, {"v1_1", true}, {"heads16", false}, {"heads64", false}};

enum {
    N_FILES = sizeof files / sizeof *files,
    N_CHECKS = sizeof checks / sizeof *checks,
    N_KINDS = sizeof kinds / sizeof *kinds,
    N_CASES = N_FILES * N_CHECKS * 2
};

/* The cases of fixture i, appended at cases[n]; returns how many there are then. */
static int add_cases(t5_device *dev, int i, const fixture *f, test_case *cases, int n) {
    for (int bf16 = 0; bf16 < 2; bf16++)
        for (int k = 0; k < N_CHECKS; k++) {
            if ((bf16 && !checks[k].bf16) || (checks[k].whole && !files[i].whole))
                continue;
            test_case *c = &cases[n++];
            *c = (test_case){.dev = dev,
                             .f = f,
                             .n_kinds = files[i].whole ? N_KINDS : 1,
                             .bf16 = bf16,
                             .function = checks[k].function};
            snprintf(c->name, sizeof c->name, "%s %s, %s", files[i].name,
                     bf16 ? "bfloat16" : "float32", checks[k].name);
        }
    return n;
}

int main(int argc, char **argv) {
    fixture *f[N_FILES] = {0};
    test_case cases[N_CASES];
    /* cmocka leaves out the entries at the end that have no function */
    struct CMUnitTest tests[1 + N_CASES] = {cmocka_unit_test(bad_fixtures_are_refused)};
    const char *what = argc > 2 ? argv[2] : "*";
    const bool figures = strcmp(what, "figures") == 0;
    int n = 0, n_run = 0, failed = 1;
    t5_device *dev = backend_open(argc > 1 ? argv[1] : "cpu");
    if (!dev)
        goto done;
    for (int i = 0; i < N_FILES; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/tests/oracle/fixtures/%s.t5fix", T5MPI_SOURCE_DIR,
                 files[i].name);
        if (!(f[i] = fixture_load(path)))
            goto done;
        n = add_cases(dev, i, f[i], cases, n);
    }
    for (int i = 0; i < n; i++)
        if (figures || fnmatch(what, cases[i].name, 0) == 0)
            tests[++n_run] = (struct CMUnitTest){
                .name = cases[i].name, .test_func = cases[i].function, .initial_state = &cases[i]};
    if (n_run == 0) {
        fprintf(stderr, "no check is called %s\n", what);
        goto done;
    }
    failed = cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
    for (int i = 0; figures && i < n; i++)
        printf("%s: %.2g (%s)\n", cases[i].name, cases[i].worst, cases[i].worst_name);
done:
    for (int i = 0; i < N_FILES; i++)
        fixture_free(f[i]);
    t5_device_close(dev);
    return failed;
}
