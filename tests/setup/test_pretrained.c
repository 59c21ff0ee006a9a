/* Hugging Face directories as models: what is refused and with which words, and the logits of
 * Transformers (fixtures/, made by make_pretrained.py). */
#include "setup/scratch_directory.h"

#include "setup/pretrained.h"
#include <math.h>

typedef struct bad_directory {
    const char *fixture;
    tensor_change change;
    const char *from, *to; /* in config.json */
    const char *expected[2];
} bad_directory;

#define WO "encoder.block.0.layer.1.DenseReluDense.wo.weight"
#define FINAL "decoder.final_layer_norm.weight"
#define BIAS(block) "encoder.block." #block ".layer.0.SelfAttention.relative_attention_bias.weight"

static const bad_directory bad[] = {
    /* configurations */
    {"v1_0", {0}, "\"t5\"", "\"bart\"", {"config.json", "bart"}},
    {"v1_0", {0}, "\"relu\"", "\"silu\"", {"config.json", "silu"}},
    {"v1_0", {0}, "\"d_model\": 16", "\"d_model\": -16", {"config.json", "d_model"}},
    {"v1_0", {0}, "\"vocab_size\": 320", "\"vocab_size\": 999999", {"shared.weight", "999999"}},
    {"v1_0", {0}, "\"d_ff\": 20", "\"d_ff\": 21", {"DenseReluDense.wo.weight", "(16, 21)"}},
    {"v1_0", {0}, "\"num_layers\": 1", "\"num_layers\": 2", {"no tensor encoder.block.1.", ""}},
    {"v1_0",
     {0},
     "\"num_decoder_layers\": 2",
     "\"num_decoder_layers\": 1",
     {"decoder.block.1.", ""}},
    {"v1_0", {0}, "\"num_heads\": 2", "\"num_heads\": 3", {"(16, 12)", "(16, 18)"}},
    {"v1_0",
     {0},
     "\"feed_forward_proj\": \"relu\"",
     "\"feed_forward_proj\": \"gated-gelu\"",
     {"config.json", ""}},
    /* tensors */
    {"v1_0", {WO, DROP, NULL}, NULL, NULL, {"no tensor " WO, ""}},
    {"v1_0", {FINAL, DROP, NULL}, NULL, NULL, {"no tensor " FINAL, ""}},
    {"v1_0", {"shared.weight", DROP, NULL}, NULL, NULL, {"no tensor shared.weight", ""}},
    {"v1_1", {"lm_head.weight", DROP, NULL}, NULL, NULL, {"no tensor lm_head.weight", ""}},
    {"umt5", {BIAS(0), DROP, NULL}, NULL, NULL, {"no tensor " BIAS(0), ""}},
    {"v1_0", {WO, RESHAPE, NULL}, NULL, NULL, {WO " has the shape (20, 16)", "(16, 20)"}},
    {"v1_0", {FINAL, RESHAPE, NULL}, NULL, NULL, {FINAL " has the shape (1, 16)", "(16)"}},
    {"v1_0", {"shared.weight", RESHAPE, NULL}, NULL, NULL, {"shared.weight", "(320, 16)"}},
    {"v1_0",
     {WO, COPY, "encoder.block.0.layer.1.DenseReluDense.wx.weight"},
     NULL,
     NULL,
     {"tensor encoder.block.0.layer.1.DenseReluDense.wx.weight", ""}},
    {"v1_0", {BIAS(0), COPY, BIAS(7)}, NULL, NULL, {"tensor " BIAS(7), ""}},
    {"v1_0", {WO, COPY, "classification_head.weight"}, NULL, NULL, {"classification_head", ""}},
    /* copies of the embedding */
    {"v1_0",
     {"shared.weight", COPY_CHANGED, "encoder.embed_tokens.weight"},
     NULL,
     NULL,
     {"shared.weight and encoder.embed_tokens.weight differ", ""}},
    {"v1_0",
     {"shared.weight", COPY_CHANGED, "lm_head.weight"},
     NULL,
     NULL,
     {"shared.weight and lm_head.weight differ", ""}},
    {"v1_1",
     {"shared.weight", COPY_CHANGED, "decoder.embed_tokens.weight"},
     NULL,
     NULL,
     {"shared.weight and decoder.embed_tokens.weight differ", ""}},
    {"v1_0",
     {WO, COPY, "encoder.embed_tokens.weight"},
     NULL,
     NULL,
     {"encoder.embed_tokens.weight has the shape (16, 20)", "(320, 16)"}},
};

static void bad_directories_are_explained(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const bad_directory *b = &bad[i];
        char dir[] = "/tmp/t5mpi-pretrained-XXXXXX";
        t5_pretrained *p;
        t5_error err = {0};
        copy_directory(b->fixture, &b->change, b->from, b->to, dir);
        t5_status status = t5_pretrained_open(dir, &p, &err);
        remove_directory(dir);
        if (status != T5_ERR_INPUT || p)
            fail_msg("case %zu: status %d, %s", i, status, err.text);
        for (int k = 0; k < 2; k++)
            if (!strstr(err.text, b->expected[k]))
                fail_msg("case %zu: expected \"%s\" in: %s", i, b->expected[k], err.text);
        if (!strstr(err.text, dir))
            fail_msg("case %zu: the directory is not named: %s", i, err.text);
    }
}

static void missing_files_are_named(void **state) {
    t5_pretrained *p;
    t5_error err = {0};
    (void)state;
    assert_int_equal(t5_pretrained_open("/nonexistent/model", &p, &err), T5_ERR_INPUT);
    assert_non_null(strstr(err.text, "/nonexistent/model/config.json"));
    assert_null(p);
    t5_pretrained_close(NULL);
}

static void only_what_is_there_is_read(void **state) {
    t5_pretrained *p;
    t5_error err = {0};
    float x[4];
    (void)state;
    assert_int_equal(t5_pretrained_open(FIXTURES "/v1_0", &p, &err), T5_OK);
    assert_int_equal(t5_pretrained_read(p, FINAL, 14, 2, x, &err), T5_OK);
    static const int64_t ranges[][2] = {{15, 2}, {-1, 1}, {17, 0}, {0, -1}, {INT64_MAX, 2}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        err = (t5_error){0};
        assert_int_equal(t5_pretrained_read(p, FINAL, ranges[i][0], ranges[i][1], x, &err),
                         T5_ERR_INPUT);
    }
    err = (t5_error){0};
    assert_int_equal(t5_pretrained_read(p, "nothing", 0, 1, x, &err), T5_ERR_INPUT);
    t5_pretrained_close(p);
}

/* ---- logits ---- */

static float *tensor(t5_weights *w, const char *name, int64_t dims[2]) {
    const t5_weights_tensor *t = t5_weights_find(w, name);
    t5_error err = {0};
    assert_non_null(t);
    float *values = malloc((size_t)t->count * sizeof *values);
    assert_non_null(values);
    assert_int_equal(t5_weights_read(w, t, 0, t->count, values, &err), T5_OK);
    dims[0] = t->dims[0];
    dims[1] = t->dims[1];
    return values;
}

enum { MAX_ROWS = 8, MAX_TOKENS = 256 };
typedef struct packed {
    int32_t ids[MAX_TOKENS], start[MAX_ROWS + 1];
} packed;

/* Rows of equal length. */
static void pack(t5_weights *w, const char *name, packed *out) {
    int64_t dims[2];
    float *values = tensor(w, name, dims);
    assert_true(dims[0] <= MAX_ROWS && dims[0] * dims[1] <= MAX_TOKENS);
    for (int r = 0; r <= dims[0]; r++)
        out->start[r] = (int32_t)(r * dims[1]);
    for (int i = 0; i < dims[0] * dims[1]; i++)
        out->ids[i] = (int32_t)values[i];
    free(values);
}

static void fill(t5_pretrained *p, t5_model *model) {
    t5_error err = {0};
    for (int i = 0; i < t5_model_n_params(model); i++) {
        const t5_param *param = t5_model_param(model, i);
        int64_t n = param->rows * param->cols, half = n / 2;
        float *values = malloc((size_t)n * sizeof *values);
        assert_non_null(values);
        if (t5_pretrained_read(p, param->name, 0, half, values, &err) != T5_OK ||
            t5_pretrained_read(p, param->name, half, n - half, values + half, &err) != T5_OK ||
            t5_model_write(model, T5_ARENA_WEIGHT, param->offset, n, values, &err) != T5_OK)
            fail_msg("%s", err.text);
        free(values);
    }
}

/* The largest difference from Transformers' logits, relative to the largest of them. */
static double logits_error(const char *dir, const char *fixture) {
    t5_device *dev;
    t5_pretrained *p;
    t5_model *model;
    t5_weights *w;
    t5_error err = {0};
    packed enc, dec;
    char path[512];
    int64_t dims[2];
    uint32_t row[MAX_ROWS] = {0};
    double worst = 0, largest = 0;

    if (t5_pretrained_open(dir, &p, &err) != T5_OK)
        fail_msg("%s", err.text);
    assert_int_equal(t5_device_open_cpu(1, &dev, &err), T5_OK);
    assert_int_equal(t5_model_create(dev, t5_pretrained_shape(p), false, false, &model, &err), 0);
    fill(p, model);
    snprintf(path, sizeof path, FIXTURES "/%s/expected", fixture);
    assert_int_equal(t5_weights_open(path, &w, &err), T5_OK);
    pack(w, "enc_ids", &enc);
    pack(w, "dec_ids", &dec);
    float *expected = tensor(w, "logits", dims);
    int n_seq = 2, n_enc = enc.start[n_seq], n_dec = dec.start[n_seq];
    const t5_input in = {.n_seq = n_seq,
                         .n_enc = n_enc,
                         .n_dec = n_dec,
                         .max_enc = enc.start[1],
                         .max_dec = dec.start[1],
                         .enc_ids = enc.ids,
                         .dec_ids = dec.ids,
                         .labels = dec.ids,
                         .enc_start = enc.start,
                         .dec_start = dec.start,
                         .row = row};
    const t5_loss_settings plain = {.alpha = 1};
    assert_true(dims[0] == n_dec && dims[1] == t5_pretrained_shape(p)->vocab);
    float *logits = malloc((size_t)(dims[0] * dims[1]) * sizeof *logits);
    assert_non_null(logits);
    assert_int_equal(t5_model_evaluate(model, &in, &plain, true, logits, &err), T5_OK);
    for (int64_t i = 0; i < dims[0] * dims[1]; i++) {
        largest = fmax(largest, fabs((double)expected[i]));
        worst = fmax(worst, fabs((double)logits[i] - (double)expected[i]));
    }
    free(logits);
    free(expected);
    t5_weights_close(w);
    t5_model_destroy(model);
    t5_device_close(dev);
    t5_pretrained_close(p);
    return worst / largest;
}

static void expect_logits(const char *dir, const char *fixture) {
    double e = logits_error(dir, fixture);
    if (!(e <= 1e-5))
        fail_msg("%s: logits of %s are off by %.2e", dir, fixture, e);
}

static void logits_are_those_of_transformers(void **state) {
    static const char *const names[] = {"v1_0", "v1_1", "mt5", "umt5"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        char dir[512];
        snprintf(dir, sizeof dir, FIXTURES "/%s", names[i]);
        expect_logits(dir, names[i]);
    }
}

/* Other ways in which checkpoints hold the same model. */
static void harmless_differences_are_accepted(void **state) {
    static const struct {
        const char *fixture;
        tensor_change change;
        const char *from, *to;
    } same[] = {
        {"v1_0", {"shared.weight", RENAME, "encoder.embed_tokens.weight"}, NULL, NULL},
        {"v1_0", {"shared.weight", RENAME, "lm_head.weight"}, NULL, NULL},
        {"v1_0", {"shared.weight", COPY, "lm_head.weight"}, NULL, NULL},
        {"v1_0", {"shared.weight", COPY, "decoder.embed_tokens.weight"}, NULL, NULL},
        {"v1_1", {"shared.weight", RENAME, "decoder.embed_tokens.weight"}, NULL, NULL},
        {"v1_0",
         {BIAS(0), COPY, "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"},
         NULL,
         NULL},
        /* Transformers 5 saves a v1.1 so, and takes lm_head.weight for a matrix of its own */
        {"v1_1",
         {0},
         "\"tie_word_embeddings\": false",
         "\"tie_word_embeddings\": true, \"scale_decoder_outputs\": false"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char dir[] = "/tmp/t5mpi-pretrained-XXXXXX";
        copy_directory(same[i].fixture, &same[i].change, same[i].from, same[i].to, dir);
        expect_logits(dir, same[i].fixture);
        remove_directory(dir);
    }
}

static void shapes_follow_config_json(void **state) {
    static const struct {
        const char *name;
        bool tied, unscaled, bias_every_layer, gated;
        int vocab;
    } expected[] = {{"v1_0", true, false, false, false, 320},
                    {"v1_1", false, false, false, true, 48},
                    {"mt5", true, true, false, true, 48},
                    {"umt5", true, false, true, true, 48}};
    (void)state;
    for (int i = 0; i < 4; i++) {
        char dir[512];
        t5_pretrained *p;
        t5_error err = {0};
        snprintf(dir, sizeof dir, FIXTURES "/%s", expected[i].name);
        assert_int_equal(t5_pretrained_open(dir, &p, &err), T5_OK);
        const t5_shape *s = t5_pretrained_shape(p);
        assert_int_equal(s->tied, expected[i].tied);
        assert_int_equal(s->unscaled, expected[i].unscaled);
        assert_int_equal(s->bias_every_layer, expected[i].bias_every_layer);
        assert_int_equal(s->act == T5_ACTIVATION_GATED_GELU, expected[i].gated);
        assert_int_equal(s->vocab, expected[i].vocab);
        assert_true(s->d_model == 16 && s->d_kv == 6 && s->heads == 2 && s->d_ff == 20 &&
                    s->enc_layers == 1 && s->dec_layers == 2 && s->buckets == 8 &&
                    s->max_distance == 12 && s->pad_id == 0 && s->eos_id == 1 && s->start_id == 0);
        t5_pretrained_close(p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_directories_are_explained),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(only_what_is_there_is_read),
        cmocka_unit_test(shapes_follow_config_json),
        cmocka_unit_test(logits_are_those_of_transformers),
        cmocka_unit_test(harmless_differences_are_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
