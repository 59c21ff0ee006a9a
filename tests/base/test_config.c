/* Configurations that are right: every value where it belongs, every default, --set, paths. */
#include "base/config.h"
#include "scratch.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h> /* needs those above */

#define MODEL "model: { preset = \"tiny\"; tokenizer = \"t.model\"; };\n"
#define DATA "data: { path = \"d.jsonl\"; input = \"i\"; target = \"t\"; };\n"
#define GOOD MODEL DATA

static t5_config *read_with(const char *text, const char *const *sets, int n_sets,
                            const char *output) {
    t5_error err = {0};
    t5_config *config = NULL;
    assert_true(scratch_write("c.cfg", text));
    t5_status status = t5_config_read("c.cfg", sets, n_sets, output, &config, &err);
    if (status != T5_OK)
        print_error("%s\n", err.text);
    assert_int_equal(status, T5_OK);
    assert_non_null(config);
    return config;
}
static t5_config *read_text(const char *text) {
    return read_with(text, NULL, 0, NULL);
}

static void assert_loss(const t5_loss_spec *loss, t5_loss_kind kind, double smoothing, double gamma,
                        double alpha) {
    assert_int_equal(loss->kind, kind);
    assert_true(loss->label_smoothing == smoothing);
    assert_true(loss->gamma == gamma);
    assert_true(loss->alpha == alpha);
}

static void check_default_model_and_data(const t5_config *c) {
    assert_string_equal(c->model.preset, "tiny");
    assert_string_equal(c->model.tokenizer, "t.model");
    assert_int_equal(c->model.act, T5_ACT_RELU);
    assert_true(c->model.tied);
    assert_int_equal(c->model.d_model, 64);
    assert_int_equal(c->model.d_kv, 16);
    assert_int_equal(c->model.d_ff, 256);
    assert_int_equal(c->model.num_heads, 4);
    assert_int_equal(c->model.num_layers, 2);
    assert_int_equal(c->model.num_decoder_layers, 2);
    assert_int_equal(c->model.relative_buckets, 32);
    assert_int_equal(c->model.relative_max_distance, 128);
    assert_string_equal(c->data.path, "d.jsonl");
    assert_string_equal(c->data.input, "i");
    assert_string_equal(c->data.target, "t");
    assert_true(c->data.split[0] == 0.8 && c->data.split[1] == 0.1 && c->data.split[2] == 0.1);
    assert_int_equal(c->data.seed, 42);
    assert_int_equal(c->data.max_input, 128);
    assert_int_equal(c->data.max_target, 32);
    assert_false(c->data.skip_bad_rows);
}

static void assert_every(t5_every every, t5_every_kind kind, int count) {
    assert_int_equal(every.kind, kind);
    assert_int_equal(every.count, count);
}

static void check_default_train(const t5_config_train *t) {
    assert_int_equal(t->epochs, 50);
    assert_int_equal(t->batch_size, 16);
    assert_true(t->learning_rate == 3e-4);
    assert_true(t->weight_decay == 0.01);
    assert_true(t->beta1 == 0.9 && t->beta2 == 0.999 && t->epsilon == 1e-8);
    assert_int_equal(t->warmup_steps, 150);
    assert_true(t->clip_norm == 1.0);
    assert_true(t->dropout == 0.1);
    assert_int_equal(t->early_stopping_patience, 5);
    assert_int_equal(t->precision, T5_PRECISION_AUTO);
    assert_int_equal(t->micro_batch_tokens, 0);
    assert_every(t->checkpoint_every, T5_EVERY_EPOCHS, 1);
    assert_int_equal(t->keep_checkpoints, 2);
    assert_int_equal(t->nan_retries, 0);
    assert_int_equal(t->seed, 42);
    assert_int_equal(t->top_n, 0);
    assert_loss(&t->loss, T5_LOSS_CROSS_ENTROPY, 0.1, 0, 1);
}

static void defaults(void **state) {
    (void)state;
    t5_config *c = read_text(GOOD);
    assert_string_equal(c->file, "c.cfg");
    assert_string_equal(c->text, GOOD);
    check_default_model_and_data(c);
    check_default_train(&c->train);
    assert_int_equal(c->eval.kind, T5_DECODE_GREEDY);
    assert_int_equal(c->eval.beams, 4);
    assert_true(c->eval.temperature == 1.0);
    assert_int_equal(c->eval.top_k, 50);
    assert_true(c->eval.top_p == 0.95);
    assert_true(c->eval.repetition_penalty == 1.0);
    assert_true(c->eval.restrict_to_labels);
    assert_int_equal(c->eval.max_length, 0);
    assert_int_equal(c->eval.seed, 42);
    assert_int_equal(c->eval_batch_size, 32);
    assert_false(c->is_plan);
    assert_int_equal(c->n_learning_rate, 1);
    assert_int_equal(c->n_top_n, 1);
    assert_int_equal(c->n_loss, 1);
    assert_int_equal(c->n_seed, 1);
    assert_true(c->learning_rate[0] == 3e-4);
    assert_int_equal(c->top_n[0], 0);
    assert_loss(&c->loss[0], T5_LOSS_CROSS_ENTROPY, 0.1, 0, 1);
    assert_int_equal(c->seed[0], 42);
    assert_int_equal(c->n_nodes, 0);
    assert_null(c->nodes);
    assert_int_equal(c->ranks_per_trial, 1);
    assert_int_equal(c->threads, 0);
    assert_int_equal(c->speculative, T5_SPECULATE_IDLE);
    assert_null(c->baseline_trial);
    assert_string_equal(c->decide_by, "avg_jaccard");
    for (int i = 0; i < T5_N_FIGURES; i++)
        assert_true(isnan(c->baseline[i]) && isnan(c->goals[i]));
    assert_string_equal(c->output_dir, "runs/c");
    t5_config_destroy(c);
}

static void how_often(void **state) {
    (void)state;
    static const struct {
        const char *text;
        t5_every want;
    } cases[] = {
        {"1 epoch", {T5_EVERY_EPOCHS, 1}},
        {"1 epochs", {T5_EVERY_EPOCHS, 1}},
        {"2 epoch", {T5_EVERY_EPOCHS, 2}},
        {"010 steps", {T5_EVERY_STEPS, 10}},
        {"1000000 steps", {T5_EVERY_STEPS, 1000000}},
        {"1 minute", {T5_EVERY_MINUTES, 1}},
        {"never", {T5_EVERY_NEVER, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1000];
        snprintf(text, sizeof text, "%strain: { checkpoint_every = \"%s\"; }\n", GOOD,
                 cases[i].text);
        t5_config *c = read_text(text);
        assert_every(c->train.checkpoint_every, cases[i].want.kind, cases[i].want.count);
        t5_config_destroy(c);
    }
}

/* A run may go on with others of these, and with no other seed of the data. */
static void what_a_result_depends_on(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool same;
    } cases[] = {
        {"data: { path = \"d.jsonl\"; input = \"i\"; target = \"t\"; seed = 43; };\n", false},
        {DATA "train: { epochs = 49; }\n", true},
        {DATA "train: { checkpoint_every = \"5 steps\"; }\n", true},
        {DATA "train: { keep_checkpoints = 9; nan_retries = 2; }\n", true},
    };
    t5_error err = {0};
    t5_config *c = read_text(GOOD);
    char *want = NULL, *found = NULL;
    assert_int_equal(t5_config_settings(c, &want, &err), T5_OK);
    t5_config_destroy(c);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1000];
        snprintf(text, sizeof text, "%s%s", MODEL, cases[i].text);
        c = read_text(text);
        assert_int_equal(t5_config_settings(c, &found, &err), T5_OK);
        assert_int_equal(strcmp(found, want) == 0, cases[i].same);
        free(found);
        t5_config_destroy(c);
    }
    free(want);
}

/* No value is its default, and no two of a group are alike where that can be. */
static const char everything[] =
    "model = { preset = \"mini\"; tokenizer = \"/abs/t.model\"; num_layers = 5;\n"
    "  feed_forward_proj = \"gated-gelu\"; tie_word_embeddings = false; d_model = 96;\n"
    "  d_kv = 24; d_ff = 200; num_heads = 3; num_decoder_layers = 7;\n"
    "  relative_attention_num_buckets = 16; relative_attention_max_distance = 64; }\n"
    "data: { path = \"../d.jsonl\"; input = \"sns_text\"; target = \"emoji_string\";\n"
    "  split = (0.5, 0.25, 0.25); seed = -5000000000; max_input = 64; max_target = 8;\n"
    "  skip_bad_rows = true; }\n"
    "train: { epochs = 7; batch_size = 3L; learning_rate = 1; weight_decay = 0; beta1 = 0.8;\n"
    "  beta2 = .99; epsilon = 1e-6; warmup_steps = 1e3; clip_norm = 2; dropout = 0;\n"
    "  early_stopping_patience = 0x0A; precision = \"bf16\"; micro_batch_tokens = 4096;\n"
    "  seed = 9223372036854775807; top_n = 100L;\n"
    "  checkpoint_every = \"20 minutes\"; keep_checkpoints = 3; nan_retries = 4;\n"
    "  loss = { type = \"focal\"; gamma = 3; alpha = 0.5; }; }\n"
    "eval: { decode = \"sample\"; beams = 8; temperature = 2; top_k = 0; top_p = 1;\n"
    "  repetition_penalty = 1.2; restrict_to_labels = false; max_length = 9; seed = 6;\n"
    "  batch_size = 11; }\n"
    "parallel: { ranks_per_trial = 2; threads = 3; speculative = \"all\"; }\n"
    "baseline: { metric = \"avg_f1\"; avg_jaccard = 0.01; exact_match_rate = 0.02;\n"
    "  micro_f1 = 0.03; avg_precision = 0.04; avg_recall = 0.05; avg_f1 = 0.06;\n"
    "  diversity_non_top5_ratio = 0.07; }\n"
    "goals: { avg_jaccard = 0.11; exact_match_rate = 0.12; micro_f1 = 0.13;\n"
    "  avg_precision = 0.14; avg_recall = 0.15; avg_f1 = 0; diversity_non_top5_ratio = 1; }\n"
    "output: { dir = \"out\"; }\n";

static void every_value_goes_where_it_belongs(void **state) {
    (void)state;
    t5_config *c = read_text(everything);
    assert_string_equal(c->model.preset, "mini");
    assert_string_equal(c->model.tokenizer, "/abs/t.model");
    assert_int_equal(c->model.act, T5_ACT_GATED_GELU);
    assert_false(c->model.tied);
    const int shape[] = {c->model.d_model,
                         c->model.d_kv,
                         c->model.d_ff,
                         c->model.num_heads,
                         c->model.num_layers,
                         c->model.num_decoder_layers,
                         c->model.relative_buckets,
                         c->model.relative_max_distance};
    const int want_shape[] = {96, 24, 200, 3, 5, 7, 16, 64};
    assert_memory_equal(shape, want_shape, sizeof shape);
    assert_string_equal(c->data.path, "../d.jsonl");
    assert_string_equal(c->data.input, "sns_text");
    assert_string_equal(c->data.target, "emoji_string");
    assert_true(c->data.split[0] == 0.5 && c->data.split[1] == 0.25 && c->data.split[2] == 0.25);
    assert_true(c->data.seed == -5000000000);
    assert_int_equal(c->data.max_input, 64);
    assert_int_equal(c->data.max_target, 8);
    assert_true(c->data.skip_bad_rows);
    const t5_config_train *t = &c->train;
    assert_int_equal(t->epochs, 7);
    assert_int_equal(t->batch_size, 3);
    assert_true(t->learning_rate == 1.0 && t->weight_decay == 0.0);
    assert_true(t->beta1 == 0.8 && t->beta2 == 0.99 && t->epsilon == 1e-6);
    assert_int_equal(t->warmup_steps, 1000);
    assert_true(t->clip_norm == 2.0 && t->dropout == 0.0);
    assert_int_equal(t->early_stopping_patience, 10);
    assert_int_equal(t->precision, T5_PRECISION_BF16);
    assert_int_equal(t->micro_batch_tokens, 4096);
    assert_true(t->seed == 9223372036854775807u);
    assert_int_equal(t->top_n, 100);
    assert_every(t->checkpoint_every, T5_EVERY_MINUTES, 20);
    assert_int_equal(t->keep_checkpoints, 3);
    assert_int_equal(t->nan_retries, 4);
    assert_loss(&t->loss, T5_LOSS_FOCAL, 0, 3, 0.5);
    assert_int_equal(c->eval.kind, T5_DECODE_SAMPLE);
    assert_int_equal(c->eval.beams, 8);
    assert_true(c->eval.temperature == 2.0);
    assert_int_equal(c->eval.top_k, 0);
    assert_true(c->eval.top_p == 1.0 && c->eval.repetition_penalty == 1.2);
    assert_false(c->eval.restrict_to_labels);
    assert_int_equal(c->eval.max_length, 9);
    assert_int_equal(c->eval.seed, 6);
    assert_int_equal(c->eval_batch_size, 11);
    assert_int_equal(c->ranks_per_trial, 2);
    assert_int_equal(c->threads, 3);
    assert_int_equal(c->speculative, T5_SPECULATE_ALL);
    assert_string_equal(c->decide_by, "avg_f1");
    const double baseline[] = {0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07};
    const double goals[] = {0.11, 0.12, 0.13, 0.14, 0.15, 0, 1};
    assert_memory_equal(c->baseline, baseline, sizeof baseline);
    assert_memory_equal(c->goals, goals, sizeof goals);
    assert_string_equal(c->output_dir, "out");
    t5_config_destroy(c);
}

static void presets_have_the_shapes_of_the_design(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int layers, d_model, heads, d_kv, d_ff;
    } presets[] = {
        {DATA "model: { tokenizer = \"t\"; preset = \"tiny\"; };", 2, 64, 4, 16, 256},
        {DATA "model: { tokenizer = \"t\"; preset = \"mini\"; };", 3, 128, 4, 32, 512},
        {DATA "model: { tokenizer = \"t\"; preset = \"small\"; };", 6, 512, 8, 64, 2048},
        {DATA "model: { tokenizer = \"t\"; preset = \"base\"; };", 12, 768, 12, 64, 3072},
    };
    for (int i = 0; i < 4; i++) {
        t5_config *c = read_text(presets[i].text);
        const t5_config_model *m = &c->model;
        assert_int_equal(m->num_layers, presets[i].layers);
        assert_int_equal(m->num_decoder_layers, presets[i].layers);
        assert_int_equal(m->d_model, presets[i].d_model);
        assert_int_equal(m->num_heads, presets[i].heads);
        assert_int_equal(m->d_kv, presets[i].d_kv);
        assert_int_equal(m->d_ff, presets[i].d_ff);
        t5_config_destroy(c);
    }
    /* as in Hugging Face's configurations, the decoder follows the encoder unless told otherwise */
    t5_config *c =
        read_text(DATA "model: { tokenizer = \"t\"; preset = \"base\"; num_layers = 4; };");
    assert_int_equal(c->model.num_layers, 4);
    assert_int_equal(c->model.num_decoder_layers, 4);
    t5_config_destroy(c);
}

/* A directory in place of a shape; its shape is not the configuration's business. */
static void a_directory_replaces_the_shape(void **state) {
    static const struct {
        const char *key;
        t5_label_init init;
    } ways[] = {{"", T5_LABEL_INIT_DESCRIBE},
                {"label_init = \"random\";", T5_LABEL_INIT_RANDOM},
                {"label_init = \"mean\";", T5_LABEL_INIT_MEAN},
                {"label_init = \"describe\";", T5_LABEL_INIT_DESCRIBE}};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char text[512];
        snprintf(text, sizeof text, DATA "model: { path = \"models/t5\"; %s };\n", ways[i].key);
        t5_config *c = read_text(text);
        assert_string_equal(c->model.path, "models/t5");
        assert_int_equal(c->model.label_init, ways[i].init);
        assert_null(c->model.preset);
        assert_null(c->model.tokenizer);
        assert_int_equal(c->model.d_model, 0);
        t5_config_destroy(c);
    }
}

static void a_sweep_of_lists(void **state) {
    (void)state;
    t5_config *c = read_text(GOOD "sweep: { learning_rate = [3e-4, 1, 1e-4];\n"
                                  "  top_n = (0, 100L, 5e1); seed = 7;\n"
                                  "  loss = ( { type = \"cross_entropy\"; label_smoothing = 0.2; },"
                                  "           { type = \"cross_entropy\"; },"
                                  "           { type = \"focal\"; },"
                                  "           { type = \"focal\"; gamma = 1; alpha = 2; } ); };");
    assert_int_equal(c->n_learning_rate, 3);
    assert_true(c->learning_rate[0] == 3e-4 && c->learning_rate[1] == 1.0 &&
                c->learning_rate[2] == 1e-4);
    assert_int_equal(c->n_top_n, 3);
    assert_true(c->top_n[0] == 0 && c->top_n[1] == 100 && c->top_n[2] == 50);
    assert_int_equal(c->n_seed, 1);
    assert_int_equal(c->seed[0], 7);
    assert_int_equal(c->n_loss, 4);
    assert_loss(&c->loss[0], T5_LOSS_CROSS_ENTROPY, 0.2, 0, 1);
    assert_loss(&c->loss[1], T5_LOSS_CROSS_ENTROPY, 0.1, 0, 1);
    assert_loss(&c->loss[2], T5_LOSS_FOCAL, 0, 2, 1);
    assert_loss(&c->loss[3], T5_LOSS_FOCAL, 0, 1, 2);
    t5_config_destroy(c);
}

static void what_is_not_varied_comes_from_train(void **state) {
    (void)state;
    t5_config *c = read_text(GOOD "sweep: { top_n = 9; };\n"
                                  "train: { learning_rate = 2e-3; top_n = 8; seed = 3;\n"
                                  "         loss = { type = \"focal\"; gamma = 4; }; };");
    assert_true(c->n_learning_rate == 1 && c->learning_rate[0] == 2e-3);
    assert_true(c->n_top_n == 1 && c->top_n[0] == 9);
    assert_true(c->n_seed == 1 && c->seed[0] == 3);
    assert_int_equal(c->n_loss, 1);
    assert_loss(&c->loss[0], T5_LOSS_FOCAL, 0, 4, 1);
    t5_config_destroy(c);
}

static void a_plan(void **state) {
    (void)state;
    t5_config *c = read_text(
        GOOD
        "plan: ( { name = \"one\"; improved = \"\xf0\x9f\x8e\xb5 3\"; otherwise = \"two\"; },\n"
        "        { name = \"two\"; set: { learning_rate = 1; top_n = 10; seed = 4;\n"
        "                                loss = { type = \"focal\"; }; };\n"
        "          otherwise = \"\xf0\x9f\x8e\xb5 3\"; },\n"
        "        { name = \"\xf0\x9f\x8e\xb5 3\"; set = { top_n = 20; }; } );\n"
        "sweep: { };\n" /* empty: nothing to contradict the plan */
        "baseline: { trial = \"one\"; metric = \"micro_f1\"; };\n"
        "train: { learning_rate = 5e-4; top_n = 6; seed = 5;\n"
        "         loss = { type = \"cross_entropy\"; label_smoothing = 0; }; };\n");
    assert_true(c->is_plan);
    assert_int_equal(c->n_nodes, 3);
    const t5_plan_node *n = c->nodes;
    assert_string_equal(n[0].name, "one");
    assert_string_equal(n[1].name, "two");
    assert_string_equal(n[2].name, "\xf0\x9f\x8e\xb5 3");
    assert_true(n[0].improved == 2 && n[0].otherwise == 1);
    assert_true(n[1].improved == -1 && n[1].otherwise == 2);
    assert_true(n[2].improved == -1 && n[2].otherwise == -1);
    assert_true(n[0].spec.learning_rate == 5e-4 && n[0].spec.top_n == 6 && n[0].spec.seed == 5);
    assert_loss(&n[0].spec.loss, T5_LOSS_CROSS_ENTROPY, 0, 0, 1);
    assert_true(n[1].spec.learning_rate == 1 && n[1].spec.top_n == 10 && n[1].spec.seed == 4);
    assert_loss(&n[1].spec.loss, T5_LOSS_FOCAL, 0, 2, 1);
    assert_true(n[2].spec.learning_rate == 5e-4 && n[2].spec.top_n == 20 && n[2].spec.seed == 5);
    assert_string_equal(c->baseline_trial, "one");
    assert_string_equal(c->decide_by, "micro_f1");
    t5_config_destroy(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(how_often),
        cmocka_unit_test(what_a_result_depends_on),
        cmocka_unit_test(every_value_goes_where_it_belongs),
        cmocka_unit_test(presets_have_the_shapes_of_the_design),
        cmocka_unit_test(a_directory_replaces_the_shape),
        cmocka_unit_test(a_sweep_of_lists),
        cmocka_unit_test(what_is_not_varied_comes_from_train),
        cmocka_unit_test(a_plan),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
