/* The rows that new labels begin with in a pre-trained model. */
#include "data/label_init.h"
#include "io/hf_tokenizer.h"
#include "setup/label_rows.h"
#include "setup/scratch_directory.h"
#include <math.h>

enum { D = 16, PIECES = 300, SENTINELS = 4, ROWS = 320, TRIAL = 22, LABELS = 24 };

/* Labels: 0 a piece, 1 an emoji, 2 and up words; those from TRIAL on are not of the trial. */
typedef struct scene {
    t5_setup setup;
    t5_device *dev;
    t5_model *model;
    char names[LABELS][16];
} scene;

static t5_str str(const char *s) {
    return (t5_str){s, strlen(s)};
}

static void make_names(scene *c) {
    strcpy(c->names[0], "、");
    strcpy(c->names[1], "🎵");
    for (int l = 2; l < LABELS; l++)
        snprintf(c->names[l], sizeof c->names[l], l == 2 ? "QQ" : "の%c", 'a' + l);
}

/* Element j of row i of a matrix before labels are added. */
static float value(int matrix, int64_t i, int j) {
    return (float)(matrix + 1) * sinf((float)(i * D + j));
}

static int64_t read_matrix(const scene *c, int matrix, float *out) {
    static const char *const names[] = {"shared.weight", "lm_head.weight"};
    t5_error err = {0};
    for (int i = 0; i < t5_model_n_params(c->model); i++) {
        const t5_param *p = t5_model_param(c->model, i);
        if (strcmp(p->name, names[matrix]) != 0)
            continue;
        if (out)
            assert_int_equal(
                t5_model_read(c->model, T5_ARENA_WEIGHT, p->offset, p->rows * D, out, &err), T5_OK);
        return p->offset;
    }
    return -1;
}

static void open_scene(scene *c, t5_label_init how) {
    t5_tokenizer_files files;
    t5_error err = {0};
    t5_str names[LABELS];
    int64_t counts[LABELS];
    memset(c, 0, sizeof *c);
    make_names(c);
    for (int l = 0; l < LABELS; l++) {
        names[l] = str(c->names[l]);
        counts[l] = 1;
    }
    assert_int_equal(t5_hf_tokenizer_read(FIXTURES "/v1_0", &files, &err), T5_OK);
    assert_int_equal(t5_tokenizer_from_files(&files, &c->setup.tokenizer, &err), T5_OK);
    t5_tokenizer_files_free(&files);
    assert_int_equal(t5_labels_from_list(LABELS, names, counts, &c->setup.labels, &err), T5_OK);
    assert_int_equal(t5_tokenizer_add_labels(c->setup.tokenizer, c->setup.labels, &err), T5_OK);
    t5_shape shape = {.vocab = ROWS,
                      .d_model = D,
                      .d_kv = 2,
                      .d_ff = 3,
                      .heads = 1,
                      .enc_layers = 1,
                      .dec_layers = 1,
                      .buckets = 4,
                      .max_distance = 8,
                      .eps = 1e-6f,
                      .eos_id = 1};
    c->setup.settings.shape = shape;
    c->setup.settings.label_init = how;
    shape.vocab = t5_settings_vocab(&c->setup.settings, c->setup.tokenizer, TRIAL);
    /* the piece keeps its id, 16 rows are unused, the others are new */
    assert_int_equal(shape.vocab, ROWS + (TRIAL - 1) - (ROWS - PIECES - SENTINELS));
    assert_int_equal(t5_settings_vocab(&c->setup.settings, c->setup.tokenizer, 3), ROWS);
    assert_int_equal(t5_device_open_cpu(1, &c->dev, &err), T5_OK);
    assert_int_equal(t5_model_create(c->dev, &shape, false, false, &c->model, &err), T5_OK);
    for (int matrix = 0; matrix < 2; matrix++) {
        float rows[ROWS * D];
        for (int i = 0; i < ROWS * D; i++)
            rows[i] = value(matrix, i / D, i % D);
        assert_int_equal(t5_model_write(c->model, T5_ARENA_WEIGHT, read_matrix(c, matrix, NULL),
                                        ROWS * D, rows, &err),
                         T5_OK);
    }
    assert_int_equal(t5_label_rows_init(&c->setup, c->model, 7, TRIAL, &err), T5_OK);
}

static void close_scene(scene *c) {
    t5_model_destroy(c->model);
    t5_device_close(c->dev);
    t5_setup_free(&c->setup);
}

/* What rows `ids` of the matrix had as their mean. */
static void expect_mean(const float *row, int matrix, int n, const int32_t *ids, const char *what) {
    for (int j = 0; j < D; j++) {
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += (double)value(matrix, ids ? ids[i] : i, j);
        if (!(fabs((double)row[j] - sum / n) <= 1e-6))
            fail_msg("%s, matrix %d, element %d: %g, expected %g", what, matrix, j, (double)row[j],
                     sum / n);
    }
}

/* Rows of tokens that were there are as they were, the piece's among them, and so are the unused
 * ones that no label of the trial took. */
static void expect_others_untouched(const scene *c, int matrix, const float *rows) {
    for (int i = 0; i < ROWS; i++) {
        bool taken = false;
        for (int l = 1; l < TRIAL; l++)
            taken = taken || t5_tokenizer_label_id(c->setup.tokenizer, l) == i;
        for (int j = 0; j < D && !taken; j++)
            if (rows[i * D + j] != value(matrix, i, j))
                fail_msg("row %d of matrix %d has changed", i, matrix);
    }
}

static void unused_rows_come_first(void **state) {
    scene c;
    (void)state;
    open_scene(&c, T5_LABEL_INIT_MEAN);
    assert_true(t5_tokenizer_label_id(c.setup.tokenizer, 0) < PIECES);
    for (int l = 1; l < LABELS; l++)
        assert_int_equal(t5_tokenizer_label_id(c.setup.tokenizer, l), PIECES + SENTINELS + l - 1);
    close_scene(&c);
}

static void mean_is_that_of_known_tokens(void **state) {
    scene c;
    float rows[(ROWS + TRIAL) * D];
    (void)state;
    open_scene(&c, T5_LABEL_INIT_MEAN);
    for (int matrix = 0; matrix < 2; matrix++) {
        read_matrix(&c, matrix, rows);
        expect_others_untouched(&c, matrix, rows);
        for (int l = 1; l < TRIAL; l++)
            expect_mean(rows + t5_tokenizer_label_id(c.setup.tokenizer, l) * D, matrix,
                        PIECES + SENTINELS, NULL, c.names[l]);
    }
    close_scene(&c);
}

static void descriptions_are_means_of_their_tokens(void **state) {
    scene c;
    float rows[(ROWS + TRIAL) * D];
    int described = 0;
    (void)state;
    open_scene(&c, T5_LABEL_INIT_DESCRIBE);
    t5_label_pieces pieces;
    t5_error err = {0};
    assert_int_equal(t5_label_pieces_make(c.setup.tokenizer, c.setup.labels, TRIAL, &pieces, &err),
                     T5_OK);
    for (int matrix = 0; matrix < 2; matrix++) {
        read_matrix(&c, matrix, rows);
        expect_others_untouched(&c, matrix, rows);
        for (int l = 1; l < TRIAL; l++) {
            const float *row = rows + t5_tokenizer_label_id(c.setup.tokenizer, l) * D;
            int n = (int)(pieces.start[l + 1] - pieces.start[l]);
            described += n > 0;
            if (n > 0)
                expect_mean(row, matrix, n, pieces.ids + pieces.start[l], c.names[l]);
            else
                expect_mean(row, matrix, PIECES + SENTINELS, NULL, c.names[l]);
        }
    }
    assert_true(described > 0 && described < 2 * (TRIAL - 1)); /* both kinds were there */
    t5_label_pieces_free(&pieces);
    close_scene(&c);
}

static void random_rows_follow_the_seed(void **state) {
    scene c;
    float rows[(ROWS + TRIAL) * D];
    (void)state;
    open_scene(&c, T5_LABEL_INIT_RANDOM);
    for (int i = 0; i < t5_model_n_params(c.model); i++) {
        const t5_param *p = t5_model_param(c.model, i);
        int matrix = strcmp(p->name, "lm_head.weight") == 0;
        if (!t5_is_embedding(p))
            continue;
        read_matrix(&c, matrix, rows);
        expect_others_untouched(&c, matrix, rows);
        for (int l = 1; l < TRIAL; l++) {
            int64_t id = t5_tokenizer_label_id(c.setup.tokenizer, l);
            float expected[D];
            t5_model_draw(c.model, 7, i, id * D, D, expected);
            assert_memory_equal(rows + id * D, expected, sizeof expected);
        }
    }
    close_scene(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unused_rows_come_first),
        cmocka_unit_test(mean_is_that_of_known_tokens),
        cmocka_unit_test(descriptions_are_means_of_their_tokens),
        cmocka_unit_test(random_rows_follow_the_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
