/* The configurations that users copy: configs/ and the examples of docs/config.md can be read. */
#include "base/config.h"
#include "scratch.h"
#include <glob.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs those above */

static t5_config *read_file(const char *file) {
    t5_error err = {0};
    t5_config *config = NULL;
    if (t5_config_read(file, NULL, 0, NULL, &config, &err) != T5_OK)
        fail_msg("%s", err.text);
    return config;
}

static void the_configurations_that_come_along(void **state) {
    (void)state;
    glob_t found;
    assert_int_equal(glob(T5MPI_SOURCE_DIR "/configs/*.cfg", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        t5_config_destroy(read_file(found.gl_pathv[i]));
    globfree(&found);
}

/* Which experiment follows which (the reference's plan: 1, then 3 or 2, after 2 then 3 or 4), and
 * what each changes. */
static void check_tree(const t5_config *c) {
    assert_true(c->is_plan);
    assert_int_equal(c->n_nodes, 5);
    const t5_plan_node *n = c->nodes;
    assert_string_equal(c->baseline_trial, n[0].name);
    assert_true(n[0].improved == -1 && n[0].otherwise == -1);
    assert_true(n[1].improved == 3 && n[1].otherwise == 2);
    assert_true(n[2].improved == 3 && n[2].otherwise == 4);
    assert_true(n[3].improved == -1 && n[3].otherwise == -1);
    assert_true(n[4].improved == -1 && n[4].otherwise == -1);
    for (int i = 0; i < 5; i++) {
        assert_true(n[i].spec.top_n == (i == 2 || i == 3 ? 100 : 0));
        assert_true((n[i].spec.learning_rate < n[0].spec.learning_rate) == (i == 1 || i == 3));
        assert_int_equal(n[i].spec.loss.kind, i == 4 ? T5_LOSS_FOCAL : T5_LOSS_CROSS_ENTROPY);
    }
}

static void the_demo_is_the_experiment_plan(void **state) {
    (void)state;
    t5_config *c = read_file(T5MPI_SOURCE_DIR "/configs/demo.cfg");
    check_tree(c);
    t5_config_destroy(c);
}

/* The figures are those of the published plan: written down here a second time, from the
 * publication and not from the file. */
static void the_published_plan(void **state) {
    (void)state;
    static const char *const names[] = {"v3_baseline", "v3_lr1e-4", "v3_top100", "v3_lr1e-4_top100",
                                        "v3_focal"};
    t5_config *c = read_file(T5MPI_SOURCE_DIR "/configs/jmoji_v3.cfg");
    check_tree(c);
    for (int i = 0; i < 5; i++) {
        const t5_trial_spec *s = &c->nodes[i].spec;
        const t5_loss_spec *l = &s->loss;
        assert_string_equal(c->nodes[i].name, names[i]);
        assert_true(s->learning_rate == (i == 1 || i == 3 ? 1e-4 : 3e-4));
        assert_true(i == 4 ? l->gamma == 2 && l->alpha == 1 : l->label_smoothing == 0.1);
    }
    const t5_config_data *d = &c->data;
    assert_string_equal(d->input, "sns_text");
    assert_string_equal(d->target, "emoji_string");
    assert_true(d->split[0] == 0.8 && d->split[1] == 0.1 && d->split[2] == 0.1 && d->seed == 42);
    assert_true(d->max_input == 128 && d->max_target == 32);
    const t5_config_train *t = &c->train;
    assert_true(t->epochs == 50 && t->batch_size == 16 && t->warmup_steps == 150);
    assert_true(t->early_stopping_patience == 5 && t->precision == T5_PRECISION_FP32);
    assert_true(t->weight_decay == 0.01 && t->clip_norm == 1 && t->dropout == 0.1);
    assert_true(t->beta1 == 0.9 && t->beta2 == 0.999 && t->epsilon == 1e-8);
    const t5_decode_spec *e = &c->eval;
    assert_true(e->kind == T5_DECODE_SAMPLE && e->temperature == 1 && e->top_k == 50 &&
                e->top_p == 0.95);
    assert_true(e->beams == 4 && e->repetition_penalty == 1.2 && !e->restrict_to_labels);
    assert_int_equal(c->model.label_init, T5_LABEL_INIT_RANDOM);
    assert_string_equal(c->decide_by, "avg_jaccard");
    for (int i = 0; i < T5_N_FIGURES; i++) {
        const char *figure = t5_figure_names[i];
        double goal = strcmp(figure, "avg_jaccard") == 0                ? 0.10
                      : strcmp(figure, "exact_match_rate") == 0         ? 0.01
                      : strcmp(figure, "diversity_non_top5_ratio") == 0 ? 0.30
                                                                        : NAN;
        assert_true(isnan(goal) ? isnan(c->goals[i]) : c->goals[i] == goal);
    }
    t5_config_destroy(c);
}

/* Copies the block-th run of lines indented by four blanks. */
static void read_example(int block, char *out, size_t capacity) {
    FILE *page = fopen(T5MPI_SOURCE_DIR "/docs/config.md", "rb");
    assert_non_null(page);
    char line[1024];
    int at = -1, inside = 0;
    size_t n = 0;
    while (fgets(line, sizeof line, page)) {
        int code = strncmp(line, "    ", 4) == 0;
        at += code && !inside;
        inside = code;
        if (code && at == block) {
            assert_true(n + strlen(line) < capacity);
            strcpy(out + n, line + 4);
            n += strlen(line + 4);
        }
    }
    fclose(page);
    assert_true(n > 0);
}

static void the_examples_of_the_page(void **state) {
    (void)state;
    enum { CAPACITY = 1 << 16 };
    static char text[CAPACITY];
    read_example(0, text, CAPACITY);
    assert_true(scratch_write("first.cfg", text));
    t5_config *c = read_file("first.cfg");
    assert_int_equal(c->n_learning_rate * c->n_top_n * c->n_loss * c->n_seed, 8); /* as it says */
    t5_config_destroy(c);
    const char head[] = "model: { preset = \"mini\"; tokenizer = \"t\"; };\n"
                        "data: { path = \"p\"; input = \"i\"; target = \"t\"; };\n";
    strcpy(text, head);
    read_example(1, text + strlen(head), CAPACITY - strlen(head));
    assert_true(scratch_write("second.cfg", text));
    c = read_file("second.cfg");
    assert_true(c->is_plan && c->n_nodes == 4);
    t5_config_destroy(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configurations_that_come_along),
        cmocka_unit_test(the_demo_is_the_experiment_plan),
        cmocka_unit_test(the_published_plan),
        cmocka_unit_test(the_examples_of_the_page),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
