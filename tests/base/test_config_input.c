/* How text gets into a configuration: --set, --output, paths, @include, odd files. */
#include "base/config.h"
#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h> /* needs those above */

#define MODEL "model: { preset = \"tiny\"; tokenizer = \"t.model\"; };\n"
#define DATA "data: { path = \"d.jsonl\"; input = \"i\"; target = \"t\"; };\n"
#define GOOD MODEL DATA

static t5_config *read_file(const char *file, const char *const *sets, int n_sets,
                            const char *output) {
    t5_error err = {0};
    t5_config *config = NULL;
    t5_status status = t5_config_read(file, sets, n_sets, output, &config, &err);
    if (status != T5_OK)
        print_error("%s\n", err.text);
    assert_int_equal(status, T5_OK);
    return config;
}

static void set_puts_values_over_the_file(void **state) {
    (void)state;
    static const char *const sets[] = {
        "train.epochs=3",
        "train.epochs = 4", /* later ones win; blanks do not matter */
        "train.loss={ type = \"focal\"; gamma = 1 }",
        "train.seed=5000000000",
        "eval.decode=beam",
        "eval.top_p=1 # a comment",
        "data.path=other rows, 2nd.jsonl",
        "data.input=\"true\"",
        "data.skip_bad_rows=true",
        "model.tokenizer=/abs/~t;1.model",
        "sweep.learning_rate=[1, 2.5e-4]",
        "sweep.loss=({ type = \"focal\"; }, { type = \"cross_entropy\"; })",
        "sweep.top_n=9",
        "goals={ avg_f1 = 0.5; }",
        "output.dir=sub/x",
    };
    const int n = sizeof sets / sizeof *sets;
    assert_true(scratch_write("c.cfg", GOOD "train: { epochs = 2; dropout = 0.3; };\n"
                                            "sweep: { top_n = [1, 2, 3]; seed = [1, 2]; };\n"
                                            "goals: { avg_jaccard = 0.2; };"));
    t5_config *c = read_file("c.cfg", sets, n, NULL);
    assert_int_equal(c->train.epochs, 4);
    assert_true(c->train.dropout == 0.3);
    assert_true(c->train.loss.kind == T5_LOSS_FOCAL && c->train.loss.gamma == 1);
    assert_true(c->train.seed == 5000000000);
    assert_int_equal(c->eval.kind, T5_DECODE_BEAM);
    assert_true(c->eval.top_p == 1);
    assert_string_equal(c->data.path, "other rows, 2nd.jsonl");
    assert_string_equal(c->data.input, "true");
    assert_true(c->data.skip_bad_rows);
    assert_string_equal(c->model.tokenizer, "/abs/~t;1.model");
    assert_int_equal(c->n_learning_rate, 2);
    assert_true(c->learning_rate[0] == 1 && c->learning_rate[1] == 2.5e-4);
    assert_true(c->n_loss == 2 && c->loss[0].kind == T5_LOSS_FOCAL &&
                c->loss[1].kind == T5_LOSS_CROSS_ENTROPY);
    assert_true(c->n_top_n == 1 && c->top_n[0] == 9);
    assert_int_equal(c->n_seed, 2);
    assert_true(c->goals[5] == 0.5); /* a group is replaced as a whole */
    assert_true(c->goals[0] != c->goals[0]);
    assert_string_equal(c->output_dir, "sub/x");
    /* the text for the results: the file, then a comment for each */
    const char *at = strstr(c->text, "goals: { avg_jaccard = 0.2; };\n# --set train.epochs=3\n");
    assert_non_null(at);
    for (int i = 0; i < n; i++) {
        at = strstr(at, sets[i]);
        assert_non_null(at);
    }
    t5_config_destroy(c);
}

static void a_plan_from_the_command_line(void **state) {
    (void)state;
    static const char *const sets[] = {"plan=({ name = \"a\"; improved = \"b\"; },\n"
                                       "      { name = \"b\"; set = { top_n = 3; }; })",
                                       "baseline.avg_jaccard=0.1"};
    assert_true(scratch_write("c.cfg", GOOD));
    t5_config *c = read_file("c.cfg", sets, 2, NULL);
    assert_true(c->is_plan && c->n_nodes == 2);
    assert_int_equal(c->nodes[0].improved, 1);
    assert_int_equal(c->nodes[1].spec.top_n, 3);
    assert_non_null(strstr(c->text, "# --set plan=({ name = \"a\"; improved = \"b\"; },       {"));
    t5_config_destroy(c);
}

static void paths_are_beside_the_configuration(void **state) {
    (void)state;
    assert_int_equal(mkdir("sub", 0777), 0);
    assert_true(scratch_write("sub/v3.sweep.cfg", GOOD));
    t5_config *c = read_file("sub/v3.sweep.cfg", NULL, 0, NULL);
    assert_string_equal(c->file, "sub/v3.sweep.cfg");
    assert_string_equal(c->model.tokenizer, "sub/t.model");
    assert_string_equal(c->data.path, "sub/d.jsonl");
    assert_string_equal(c->output_dir, "sub/runs/v3.sweep");
    t5_config_destroy(c);
    c = read_file("sub/v3.sweep.cfg", NULL, 0, "here");
    assert_string_equal(c->output_dir, "here");
    t5_config_destroy(c);
    const char *const sets[] = {"output.dir=/there", "data.path=../d"};
    c = read_file("sub/v3.sweep.cfg", sets, 2, NULL);
    assert_string_equal(c->output_dir, "/there");
    assert_string_equal(c->data.path, "sub/../d");
    t5_config_destroy(c);
    assert_true(scratch_write("plain", GOOD)); /* nothing behind a dot to take off */
    c = read_file("plain", NULL, 0, NULL);
    assert_string_equal(c->output_dir, "runs/plain");
    t5_config_destroy(c);
}

static void includes_are_read_in_place(void **state) {
    (void)state;
    assert_true(
        scratch_write("sub/model.cfg", "# no line end below\n" MODEL "@include \"in2.cfg\""));
    assert_true(scratch_write("sub/in2.cfg", "train: {\n epochs = 9;\n};"));
    assert_true(scratch_write("sub/main.cfg", "/* @include \"none\" */ # @include \"none\"\n"
                                              "  @include \"model.cfg\" # why\n" DATA));
    t5_config *c = read_file("sub/main.cfg", NULL, 0, NULL);
    assert_string_equal(c->model.preset, "tiny");
    assert_int_equal(c->train.epochs, 9);
    assert_string_equal(c->model.tokenizer, "sub/t.model");
    assert_non_null(strstr(c->text, "\ntrain: {\n epochs = 9;\n};\n")); /* all that was read */
    t5_config_destroy(c);
    /* lines of each file, before, in and behind an include */
    static const struct {
        const char *main, *included, *want;
    } wrong[] = {
        {"x = 1;\n@include \"in2.cfg\"\n" GOOD, "train: { };", "sub/main.cfg:1: x: "},
        {"\n@include \"in2.cfg\"\n" GOOD "z = 1;", "", "sub/main.cfg:5: z: "},
        {"\n@include \"in2.cfg\"\n" GOOD, "train: {\n\n y = 1; };", "sub/in2.cfg:3: train.y: "},
        {"\n@include \"in2.cfg\"\n" GOOD "z = 1;", "train: {\n\n};", "sub/main.cfg:5: z: "},
        {"\n@include \"in2.cfg\"\n" GOOD "z = ", "train: {\n\n};", "sub/main.cfg:5: syntax error"},
        {"\n@include \"in2.cfg\"\n" GOOD, "train: {\n\n = };", "sub/in2.cfg:3: syntax error"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        t5_error err = {0};
        assert_true(scratch_write("sub/main.cfg", wrong[i].main));
        assert_true(scratch_write("sub/in2.cfg", wrong[i].included));
        assert_int_equal(t5_config_read("sub/main.cfg", NULL, 0, NULL, &c, &err), T5_ERR_INPUT);
        if (strncmp(err.text, wrong[i].want, strlen(wrong[i].want)) != 0)
            fail_msg("case %zu: %s", i, err.text);
    }
}

static void odd_but_right_texts(void **state) {
    (void)state;
    static const char *const texts[] = {
        "\xef\xbb\xbf" GOOD, /* a byte order mark */
        "model: { preset = \"tiny\";\r\n tokenizer = \"t.model\"; }\r\n" DATA, /* CRLF */
        GOOD "# no line end",
        GOOD "// no line end",
        GOOD "train: { epochs = 5 /* [ \" # */; } // \" [ {\n# \" [ {\n",
        MODEL
        "data: { path = \"a \\\"[1]\\\" 5000000000 # @\"; input = \"//\"; target = \"/*\"; };",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_true(scratch_write("c.cfg", texts[i]));
        t5_config *c = read_file("c.cfg", NULL, 0, NULL);
        if (strstr(texts[i], "5000000000"))
            assert_string_equal(c->data.path, "a \"[1]\" 5000000000 # @");
        t5_config_destroy(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_puts_values_over_the_file),
        cmocka_unit_test(a_plan_from_the_command_line),
        cmocka_unit_test(paths_are_beside_the_configuration),
        cmocka_unit_test(includes_are_read_in_place),
        cmocka_unit_test(odd_but_right_texts),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
