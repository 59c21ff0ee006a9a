/* t5mpi score: a file of answers in, one JSON object out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "run/score.h"
#include "score/metrics.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct fixture {
    char path[32];
    char *text; /* what was printed */
    t5_error err;
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    *state = f;
    return f ? 0 : -1;
}

static int tear_down(void **state) {
    fixture *f = *state;
    if (*f->path)
        unlink(f->path);
    free(f->text);
    free(f);
    return 0;
}

static t5_status score(fixture *f, const char *rows, const char *top5) {
    size_t bytes;
    strcpy(f->path, "score_XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, rows, strlen(rows)), strlen(rows));
    close(fd);
    free(f->text);
    FILE *out = open_memstream(&f->text, &bytes);
    assert_non_null(out);
    f->err = (t5_error){0};
    t5_status status = t5_score_file(f->path, top5, out, &f->err);
    fclose(out);
    unlink(f->path);
    return status;
}

/* ---------------------------------------------------------------- bad input */

static void test_bad(void **state) {
    static const struct {
        const char *rows, *top5, *message;
    } table[] = {
        {"", NULL, "no rows"},
        {"\n\n", NULL, "no rows"},
        {"{\"gold\": \"a\", \"pred\": \"b\"}\nnonsense\n", NULL, ":2: "},
        {"{\"gold\": \"a\"}\n", NULL, "pred"},
        {"{\"pred\": \"a\"}\n", NULL, "gold"},
        {"{\"gold\": \"a\", \"pred\": 7}\n", NULL, "pred"},
        {"{\"gold\": \"a\", \"pred\": null}\n", NULL, "pred"},
        {"[\"gold\", \"pred\"]\n", NULL, ":1: "},
        {"{\"gold\": \"\xff\", \"pred\": \"a\"}\n", NULL, ":1: "},
        {"{\"gold\": \"a\", \"pred\": \"b\"}\n", "", "0 labels"},
        {"{\"gold\": \"a\", \"pred\": \"b\"}\n", " \t", "0 labels"},
        {"{\"gold\": \"a\", \"pred\": \"b\"}\n", "a b c d e f", "6 labels"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(score(f, table[i].rows, table[i].top5), T5_ERR_INPUT);
        if (!strstr(f->err.text, table[i].message))
            fail_msg("case %zu: \"%s\" is not in: %s", i, table[i].message, f->err.text);
        assert_string_equal(f->text, "");
    }
}

static void test_missing_file(void **state) {
    fixture *f = *state;
    assert_int_equal(t5_score_file("no/such/file.jsonl", NULL, stdout, &f->err), T5_ERR_INPUT);
    assert_non_null(strstr(f->err.text, "no/such/file.jsonl"));
}

static void test_output_full(void **state) {
    fixture *f = *state;
    strcpy(f->path, "score_XXXXXX");
    int fd = mkstemp(f->path);
    FILE *full = fopen("/dev/full", "w");
    static const char row[] = "{\"gold\": \"a\", \"pred\": \"b\"}";
    assert_true(fd >= 0 && full);
    assert_int_equal(write(fd, row, sizeof row - 1), sizeof row - 1);
    close(fd);
    assert_int_equal(t5_score_file(f->path, NULL, full, &f->err), T5_ERR_IO);
    assert_non_null(strstr(f->err.text, "No space left"));
    fclose(full);
}

/* ---------------------------------------------------------------- answers */

static double figure(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* The Top-5 of the file's gold labels: b 3 times, then a, c, d, e as they come; f is outside. */
static void test_answers(void **state) {
    static const char rows[] =
        "{\"gold\": \"a b c\", \"text\": \"t\", \"pred\": \"b f f\", \"x\": 1}\n"
        "{\"pred\": \"\", \"gold\": \"b d e\"}\r\n"
        "\n"
        "{\"pred\": \"b f\", \"gold\": \"f b\"}";
    fixture *f = *state;
    assert_int_equal(score(f, rows, NULL), T5_OK);
    json_t *object = json_loads(f->text, 0, NULL);
    assert_true(json_is_object(object));
    assert_int_equal(json_object_size(object), T5_N_METRICS);
    assert_true(figure(object, "avg_jaccard") == (0.25 + 0 + 1) / 3);
    assert_true(figure(object, "exact_match_rate") == 1.0 / 3);
    assert_true(fabs(figure(object, "micro_f1") - 2 * 3.0 / (4 + 8)) < 1e-15);
    assert_true(figure(object, "diversity_non_top5_ratio") == 3.0 / 5);
    assert_int_equal(json_integer_value(json_object_get(object, "num_samples")), 3);
    assert_int_equal(json_integer_value(json_object_get(object, "diversity_unique_emojis")), 2);
    int i = 0;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        assert_string_equal(key, t5_metric_names[i]);
        assert_int_equal(json_is_integer(value), t5_metric_is_count(i));
        i++;
    }
    json_decref(object);

    assert_int_equal(score(f, rows, "f\u3000q"), T5_OK);
    object = json_loads(f->text, 0, NULL);
    assert_true(figure(object, "diversity_non_top5_ratio") == 2.0 / 5);
    assert_true(figure(object, "avg_jaccard") == (0.25 + 0 + 1) / 3);
    json_decref(object);
}

/* Real outputs of the original: what is printed is what its own scores average to. */
static void test_real_outputs(void **state) {
    fixture *f = *state;
    const char *path = T5MPI_SOURCE_DIR "/../shared/data/predictions/v4_focal_top50.jsonl";
    FILE *rows = fopen(path, "r");
    size_t bytes;
    if (!rows) {
        print_message("%s is not there: skipped\n", path);
        skip();
    }
    double jaccard = 0, f1 = 0;
    int n = 0;
    for (json_t *row; (row = json_loadf(rows, JSON_DISABLE_EOF_CHECK, NULL)); n++) {
        jaccard += figure(row, "jaccard");
        f1 += figure(row, "f1");
        json_decref(row);
    }
    fclose(rows);
    assert_true(n > 0);
    FILE *out = open_memstream(&f->text, &bytes);
    assert_int_equal(t5_score_file(path, NULL, out, &f->err), T5_OK);
    fclose(out);
    json_t *object = json_loads(f->text, 0, NULL);
    assert_true(fabs(figure(object, "avg_jaccard") - jaccard / n) < 1e-9);
    assert_true(fabs(figure(object, "avg_f1") - f1 / n) < 1e-9);
    assert_true(figure(object, "num_samples") == n);
    json_decref(object);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_bad), TEST(test_missing_file),
                                       TEST(test_output_full), TEST(test_answers),
                                       TEST(test_real_outputs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
