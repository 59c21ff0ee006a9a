/* Shapes: what is refused, the parameter table, sizes and operations. */
#include "model/scene.h"
#include <limits.h>

typedef struct bad_shape {
    const char *name; /* must be in the message */
    size_t field;
    int value;
} bad_shape;

static void bad_shapes_are_refused(void **state) {
    (void)state;
#define FIELD(name) #name, offsetof(t5_shape, name)
    static const bad_shape bad[] = {
        {FIELD(vocab), 0},          {FIELD(vocab), 1},
        {FIELD(vocab), INT_MAX},    {FIELD(d_model), 0},
        {FIELD(d_model), -16},      {FIELD(d_model), INT_MAX},
        {FIELD(d_kv), 0},           {FIELD(d_kv), INT_MAX},
        {FIELD(d_ff), 0},           {FIELD(d_ff), INT_MAX},
        {FIELD(heads), 0},          {FIELD(heads), INT_MAX},
        {FIELD(enc_layers), 0},     {FIELD(enc_layers), 1001},
        {FIELD(dec_layers), -1},    {FIELD(dec_layers), INT_MAX},
        {FIELD(buckets), 2},        {FIELD(buckets), 7},
        {FIELD(buckets), INT_MAX},  {FIELD(max_distance), 4},
        {FIELD(max_distance), -1},  {FIELD(pad_id), -1},
        {FIELD(pad_id), 13},        {FIELD(eos_id), 13},
        {FIELD(start_id), INT_MIN}, {FIELD(act), 2},
    };
#undef FIELD
    t5_device *dev = NULL;
    t5_error err = {0};
    must(backend_open(&dev, &err), &err);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t5_shape shape = scene_shape(false);
        memcpy((char *)&shape + bad[i].field, &bad[i].value, sizeof bad[i].value);
        t5_model *model = NULL;
        err = (t5_error){0};
        assert_int_equal(t5_model_create(dev, &shape, false, true, &model, &err), T5_ERR_INPUT);
        assert_null(model);
        if (!strstr(err.text, bad[i].name))
            fail_msg("%s = %d: %s", bad[i].name, bad[i].value, err.text);
    }
    static const float bad_eps[] = {0, -1, NAN, INFINITY};
    for (size_t i = 0; i < sizeof bad_eps / sizeof *bad_eps; i++) {
        t5_shape shape = scene_shape(true);
        shape.eps = bad_eps[i];
        t5_model *model = NULL;
        err = (t5_error){0};
        assert_int_equal(t5_model_create(dev, &shape, false, true, &model, &err), T5_ERR_INPUT);
        assert_non_null(strstr(err.text, "eps"));
    }
    assert_int_equal(dev->allocated, 0);
    t5_device_close(dev);
}

/* Names and shapes that a Hugging Face state dict has, one of each kind. */
static const t5_param *find(const t5_model *model, const char *name) {
    for (int i = 0; i < t5_model_n_params(model); i++)
        if (strcmp(t5_model_param(model, i)->name, name) == 0)
            return t5_model_param(model, i);
    return NULL;
}

static void names_are_those_of_a_state_dict(void **state) {
    (void)state;
    static const struct {
        bool gated;
        const char *name;
        int64_t rows, cols;
        bool decay;
    } expected[] = {
        {false, "shared.weight", 13, 12, true},
        {false, "encoder.block.1.layer.0.SelfAttention.q.weight", 6, 12, true},
        {false, "encoder.block.0.layer.0.SelfAttention.o.weight", 12, 6, true},
        {false, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 8, 2, true},
        {false, "encoder.block.1.layer.1.DenseReluDense.wi.weight", 7, 12, true},
        {false, "encoder.block.1.layer.1.layer_norm.weight", 12, 1, false},
        {false, "encoder.final_layer_norm.weight", 12, 1, false},
        {false, "decoder.block.2.layer.1.EncDecAttention.v.weight", 6, 12, true},
        {false, "decoder.block.2.layer.2.DenseReluDense.wo.weight", 12, 7, true},
        {false, "decoder.block.0.layer.0.layer_norm.weight", 12, 1, false},
        {true, "lm_head.weight", 13, 10, true},
        {true, "shared.weight", 13, 10, true},
        {true, "decoder.block.0.layer.2.DenseReluDense.wi_0.weight", 7, 10, true},
        {true, "encoder.block.0.layer.1.DenseReluDense.wi_1.weight", 7, 10, true},
        {true, "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 8, 3, true},
        {true, "decoder.final_layer_norm.weight", 10, 1, false},
    };
    static const struct {
        bool gated;
        const char *name;
    } absent[] = {
        {false, "lm_head.weight"},
        {false, "encoder.embed_tokens.weight"},
        {false, "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight"},
        {false, "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"},
        {false, "encoder.block.2.layer.0.SelfAttention.q.weight"},
        {true, "encoder.block.0.layer.1.DenseReluDense.wi.weight"},
    };
    scene c[2];
    for (int gated = 0; gated < 2; gated++)
        scene_open(&c[gated], gated, false);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const t5_param *p = find(c[expected[i].gated].model, expected[i].name);
        if (!p || p->rows != expected[i].rows || p->cols != expected[i].cols ||
            p->decay != expected[i].decay)
            fail_msg("%s is not there or not as expected", expected[i].name);
    }
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (find(c[absent[i].gated].model, absent[i].name))
            fail_msg("%s should not be there", absent[i].name);
    for (int gated = 0; gated < 2; gated++)
        scene_close(&c[gated]);
}

/* umT5: a table in every layer, so that a layer's is the gradient of that layer alone. */
static void every_layer_may_have_its_biases(void **state) {
    (void)state;
    scene c;
    scene_open_shape(&c, scene_shape_umt5(), false);
    const t5_shape *shape = t5_model_shape(c.model);
    for (int s = 0; s < T5_STACKS; s++)
        for (int l = 0; l < (s == T5_ENCODER ? shape->enc_layers : shape->dec_layers); l++) {
            char name[128];
            snprintf(name, sizeof name,
                     "%s.block.%d.layer.0.SelfAttention.relative_attention_bias.weight",
                     s == T5_ENCODER ? "encoder" : "decoder", l);
            const t5_param *p = find(c.model, name);
            assert_non_null(p);
            assert_true(p->rows == shape->buckets && p->cols == shape->heads && p->decay);
        }
    scene_close(&c);
}

static void parameters_do_not_overlap(void **state) {
    (void)state;
    const t5_shape shapes[] = {scene_shape(false), scene_shape(true), scene_shape_umt5()};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        scene c;
        scene_open_shape(&c, shapes[s], false);
        int64_t end = 0, sum = 0;
        for (int i = 0; i < t5_model_n_params(c.model); i++) {
            const t5_param *p = t5_model_param(c.model, i);
            assert_true(p->offset >= end && p->offset - end < 16);
            end = p->offset + p->rows * p->cols;
            sum += p->rows * p->cols;
        }
        assert_true(end <= t5_model_n_arena(c.model));
        assert_int_equal(t5_model_n_arena(c.model) % 16, 0);
        assert_int_equal(sum, t5_shape_params(t5_model_shape(c.model)));
        scene_close(&c);
    }
}

static t5_shape preset(int d_model, int d_ff, int heads, int layers) {
    return (t5_shape){.vocab = 32128,
                      .d_model = d_model,
                      .d_kv = 64,
                      .d_ff = d_ff,
                      .heads = heads,
                      .enc_layers = layers,
                      .dec_layers = layers,
                      .buckets = 32,
                      .max_distance = 128,
                      .tied = true,
                      .eps = 1e-6f,
                      .eos_id = 1};
}

/* The parameter counts of t5-small and t5-base as published with the checkpoints. */
static void published_sizes(void **state) {
    (void)state;
    t5_shape small = preset(512, 2048, 8, 6), base = preset(768, 3072, 12, 12);
    assert_int_equal(t5_shape_params(&small), 60506624);
    assert_int_equal(t5_shape_params(&base), 222903552);
}

/* With nothing but one-token sequences attention is two products of one pair, and the rest of the
 * step is 6 operations for every weight of a product and token it is applied to. */
static void operations_of_a_step(void **state) {
    (void)state;
    static const int32_t start[] = {0, 1};
    t5_shape s = scene_shape(true);
    const t5_input in = {
        .n_seq = 1, .n_enc = 1, .n_dec = 1, .enc_start = start, .dec_start = start};
    double norms = s.d_model * (2.0 * s.enc_layers + 3.0 * s.dec_layers + 2);
    double tables = 2.0 * s.buckets * s.heads;
    double products = (double)t5_shape_params(&s) - norms - tables - (double)s.vocab * s.d_model;
    double pairs = (s.enc_layers + 2.0 * s.dec_layers) * 2 * t5_inner(&s);
    assert_near(t5_shape_step_flops(&s, &in), 6 * (products + pairs), 1e-12);
}

/* Work memory that nobody has to keep is at most 15 % of the rest, at the sizes of the bench. */
static void work_memory_is_small(void **state) {
    (void)state;
    const t5_shape shapes[] = {preset(512, 2048, 8, 6), preset(768, 3072, 12, 12)};
    for (int i = 0; i < 2; i++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            t5_memory_need n = t5_model_memory(&shapes[i], bf16, true, 16 * 40, 16 * 5, 16);
            assert_true(n.activations > 0 && n.work > 0);
            assert_true((double)n.work < 0.15 * (double)(n.arenas + n.activations));
        }
}

/* What t5_model_memory says is what a training step takes. */
static void memory_is_as_announced(void **state) {
    (void)state;
    for (int gated = 0; gated < 2; gated++) {
        scene c;
        t5_error err = {0};
        scene_open(&c, gated, false);
        t5_memory_need need = t5_model_memory(t5_model_shape(c.model), false, true, c.in.n_enc,
                                              c.in.n_dec, c.in.n_seq);
        must(t5_model_backward(c.model, &c.in, &PLAIN, 1, true, &err), &err);
        const size_t small = T5_GRAD_EXTRA * sizeof(float) + 2 * sizeof(double), slack = 6 * 64;
        size_t all = need.arenas + need.activations + need.work + small;
        assert_in_range(c.dev->peak, all, all + slack);
        scene_close(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_shapes_are_refused),
        cmocka_unit_test(names_are_those_of_a_state_dict),
        cmocka_unit_test(every_layer_may_have_its_biases),
        cmocka_unit_test(parameters_do_not_overlap),
        cmocka_unit_test(published_sizes),
        cmocka_unit_test(operations_of_a_step),
        cmocka_unit_test(work_memory_is_small),
        cmocka_unit_test(memory_is_as_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
