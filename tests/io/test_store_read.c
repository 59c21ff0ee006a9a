/* Reading back what the store wrote: values of every type, also through links to other files, and
 * what is said of what is not there. */
#include "io/store_read.h"
#include "scratch.h"
#include <fcntl.h>
#include <math.h>

static const int64_t steps[] = {INT64_MIN, -1, 0, 7, INT64_MAX};
static const double losses[] = {-0.0, 1e-300, 3.5, INFINITY, -1e300};
static const char *const texts[] = {"", "a", "🎵 🎉", NULL, "ほげ"};
static const uint8_t bytes[] = {0, 255, 128, 1, 0};

/* results.h5 with everything, trial.h5 that it links to, and a link to nothing. */
static int make_files(void **state) {
    if (scratch_make(state) || mkdir("run", 0777))
        return -1;
    t5_error err = {0};
    t5_store *s = NULL;
    const t5_column columns[] = {{"step", T5_COLUMN_INT, steps},
                                 {"loss", T5_COLUMN_DOUBLE, losses},
                                 {"text", T5_COLUMN_TEXT, texts},
                                 {"byte", T5_COLUMN_BYTE, bytes}};
    if (t5_store_create("run/results.h5", &s, &err))
        return -1;
    t5_store_attr_int(s, "/", "schema_version", INT64_MIN);
    t5_store_attr_double(s, "/", "rate", 3e-4);
    t5_store_attr_text(s, "/", "config", "model: { }; # 🎵");
    t5_store_attr_text(s, "/", "empty", "");
    t5_store_link(s, "/trials/one", "trial.h5", "/");
    t5_store_link(s, "/trials/gone", "nowhere.h5", "/");
    t5_store_link(s, "/trials/damaged", "damaged.h5", "/");
    t5_store_table(s, "/table", columns, 4, 5);
    t5_store_table(s, "/none", columns, 4, 0);
    t5_store_array(s, "/list/int", T5_COLUMN_INT, steps, 5);
    t5_store_array(s, "/list/double", T5_COLUMN_DOUBLE, losses, 5);
    t5_store_array(s, "/list/text", T5_COLUMN_TEXT, texts, 5);
    t5_store_array(s, "/list/byte", T5_COLUMN_BYTE, bytes, 5);
    if (t5_store_commit(s, &err) || t5_store_create("run/trial.h5", &s, &err))
        return -1;
    t5_store_attr_text(s, "/", "status", "completed");
    t5_store_table(s, "/train", columns, 4, 5);
    return t5_store_commit(s, &err) ? -1 : 0;
}

static t5_store_reader *reader(void) {
    t5_error err = {0};
    t5_store_reader *r = NULL;
    if (t5_store_open("run/results.h5", &r, &err))
        fail_msg("%s", err.text);
    return r;
}

/* ---------------------------------------------------------------- bad input */

static void test_not_a_store(void **state) {
    (void)state;
    write_file("text.h5", "no HDF5", 7);
    write_file("empty.h5", "", 0);
    const struct {
        const char *path, *text;
    } bad[] = {{"run/none.h5", "run/none.h5: cannot be opened: No such file or directory"},
               {"run", "run: is a folder"},
               {"text.h5", "text.h5: is not a readable HDF5 file: file signature not found"},
               {"empty.h5", "empty.h5: is not a readable HDF5 file"}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        t5_error err = {0};
        t5_store_reader *r = NULL;
        assert_int_equal(t5_store_open(bad[i].path, &r, &err), T5_ERR_INPUT);
        assert_null(r);
        assert_text(err, bad[i].text);
    }
}

static void test_cut_short(void **state) {
    (void)state;
    struct stat info;
    assert_int_equal(stat("run/trial.h5", &info), 0);
    char *copy = malloc((size_t)info.st_size);
    assert_non_null(copy);
    int fd = open("run/trial.h5", O_RDONLY);
    assert_int_equal(read(fd, copy, (size_t)info.st_size), info.st_size);
    close(fd);
    for (off_t n = 0; n < info.st_size; n += 97) {
        t5_error err = {0};
        t5_store_reader *r = NULL;
        write_file("cut.h5", copy, (size_t)n);
        assert_int_equal(t5_store_open("cut.h5", &r, &err), T5_ERR_INPUT);
        assert_text(err, "cut.h5");
    }
    free(copy);
}

static void test_bad_attributes(void **state) {
    (void)state;
    const struct {
        t5_column_type type;
        const char *object, *name, *text;
    } bad[] = {
        {T5_COLUMN_INT, "/", "no", "run/results.h5: / has no attribute \"no\""},
        {T5_COLUMN_INT, "/nowhere", "no", "/nowhere has no attribute \"no\": there is no such"},
        {T5_COLUMN_TEXT, "/trials/gone", "status", "/trials/gone has no attribute \"status\""},
        {T5_COLUMN_INT, "/", "rate", "the attribute \"rate\" of / is not one of whole numbers"},
        {T5_COLUMN_INT, "/", "config", "\"config\" of / is not"},
        {T5_COLUMN_DOUBLE, "/", "schema_version", "\"schema_version\" of / is not"},
        {T5_COLUMN_DOUBLE, "/", "config", "\"config\" of / is not"},
        {T5_COLUMN_TEXT, "/", "rate", "\"rate\" of / is not one of texts"},
    };
    t5_store_reader *r = reader();
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        t5_error err = {0};
        int64_t number = 0;
        double real = 0;
        char *text = NULL;
        t5_status status = bad[i].type == T5_COLUMN_INT
                               ? t5_store_get_int(r, bad[i].object, bad[i].name, &number, &err)
                           : bad[i].type == T5_COLUMN_DOUBLE
                               ? t5_store_get_double(r, bad[i].object, bad[i].name, &real, &err)
                               : t5_store_get_text(r, bad[i].object, bad[i].name, &text, &err);
        assert_int_equal(status, T5_ERR_INPUT);
        assert_null(text);
        assert_text(err, bad[i].text);
    }
    t5_store_close(r);
}

static void test_bad_arrays(void **state) {
    (void)state;
    const struct {
        const char *path, *column;
        t5_column_type type;
        const char *text;
    } bad[] = {
        {"/nowhere", NULL, T5_COLUMN_INT, "run/results.h5: there is no data set /nowhere"},
        {"/trials/gone/train", "step", T5_COLUMN_INT, "no data set /trials/gone/train"},
        {"/list", NULL, T5_COLUMN_INT, "no data set /list"},
        {"/list/int", "step", T5_COLUMN_INT, "/list/int has no column \"step\""},
        {"/list/int", NULL, T5_COLUMN_DOUBLE, "/list/int does not hold numbers of double"},
        {"/list/int", NULL, T5_COLUMN_BYTE, "/list/int does not hold bytes"},
        {"/list/int", NULL, T5_COLUMN_TEXT, "/list/int does not hold texts"},
        {"/list/byte", NULL, T5_COLUMN_INT, "/list/byte does not hold whole numbers"},
        {"/list/text", NULL, T5_COLUMN_BYTE, "/list/text does not hold bytes"},
        {"/table", NULL, T5_COLUMN_INT, "/table does not hold whole numbers"},
        {"/table", "no", T5_COLUMN_INT, "/table has no column \"no\""},
        {"/table", "loss", T5_COLUMN_INT, "/table, column loss does not hold whole numbers"},
        {"/table", "step", T5_COLUMN_TEXT, "/table, column step does not hold texts"},
    };
    t5_store_reader *r = reader();
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        t5_error err = {0};
        int64_t n = 0;
        void *data = NULL;
        assert_int_equal(
            t5_store_get_array(r, bad[i].path, bad[i].column, bad[i].type, &data, &n, &err),
            T5_ERR_INPUT);
        assert_null(data);
        assert_int_equal(n, 0);
        assert_text(err, bad[i].text);
    }
    t5_store_close(r);
}

/* HDF5 prints the errors of every call unless it is told not to. */
static void test_silent(void **state) {
    fflush(stderr);
    int screen = dup(STDERR_FILENO), file = open("stderr", O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(screen >= 0 && file >= 0 && dup2(file, STDERR_FILENO) >= 0);
    test_bad_attributes(state);
    test_bad_arrays(state);
    fflush(stderr);
    dup2(screen, STDERR_FILENO);
    struct stat info;
    assert_int_equal(fstat(file, &info), 0);
    assert_int_equal(info.st_size, 0);
    close(screen);
    close(file);
}

/* ---------------------------------------------------------------- what is there */

static bool has(t5_store_reader *r, const char *path) {
    bool found;
    t5_error err = {0};
    if (t5_store_find(r, path, &found, &err) != T5_OK)
        fail_msg("%s", err.text);
    return found;
}

static void test_has(void **state) {
    (void)state;
    t5_store_reader *r = reader();
    const char *const there[] = {"/", "/list", "/list/int", "/trials/one", "/trials/one/train"};
    const char *const not_there[] = {"/no", "/list/int/x", "/trials/gone", "/trials/one/no",
                                     "",    "/no/no"};
    for (size_t i = 0; i < COUNT_OF(there); i++)
        assert_true(has(r, there[i]));
    for (size_t i = 0; i < COUNT_OF(not_there); i++)
        assert_false(has(r, not_there[i]));
    /* what cannot be opened is not missing */
    t5_error err = {0};
    bool found;
    FILE *f = fopen("run/damaged.h5", "w");
    assert_non_null(f);
    fputs("nonsense", f);
    fclose(f);
    assert_int_equal(t5_store_find(r, "/trials/damaged", &found, &err), T5_ERR_INPUT);
    assert_non_null(strstr(err.text, "run/damaged.h5: is not a readable HDF5 file"));
    t5_store_close(r);
    t5_store_close(NULL);
}

static void test_attributes(void **state) {
    (void)state;
    t5_store_reader *r = reader();
    t5_error err = {0};
    int64_t number = 0;
    double real = 0;
    char *text = NULL;
    assert_int_equal(t5_store_get_int(r, "/", "schema_version", &number, &err), T5_OK);
    assert_true(number == INT64_MIN);
    assert_int_equal(t5_store_get_double(r, "/", "rate", &real, &err), T5_OK);
    assert_true(real == 3e-4);
    const struct {
        const char *object, *name, *value;
    } known[] = {{"/", "config", "model: { }; # 🎵"},
                 {"/", "empty", ""},
                 {"/trials/one", "status", "completed"}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        assert_int_equal(t5_store_get_text(r, known[i].object, known[i].name, &text, &err), T5_OK);
        assert_string_equal(text, known[i].value);
        free(text);
    }
    t5_store_close(r);
}

/* n values of path (column) are those that were written. */
static void check_array(t5_store_reader *r, const char *path, const char *column,
                        t5_column_type type, int64_t n) {
    t5_error err = {0};
    void *data = NULL;
    int64_t found = -1;
    if (t5_store_get_array(r, path, column, type, &data, &found, &err))
        fail_msg("%s", err.text);
    assert_non_null(data);
    assert_int_equal(found, n);
    if (type == T5_COLUMN_INT)
        assert_memory_equal(data, steps, (size_t)n * sizeof *steps);
    else if (type == T5_COLUMN_DOUBLE)
        assert_memory_equal(data, losses, (size_t)n * sizeof *losses);
    else if (type == T5_COLUMN_BYTE)
        assert_memory_equal(data, bytes, (size_t)n);
    else
        for (int64_t i = 0; i < n; i++)
            assert_string_equal(((char **)data)[i], texts[i] ? texts[i] : "");
    free(data);
}

static void test_arrays(void **state) {
    (void)state;
    t5_store_reader *r = reader();
    const struct {
        t5_column_type type;
        const char *path, *column;
    } kinds[] = {{T5_COLUMN_INT, "/list/int", "step"},
                 {T5_COLUMN_DOUBLE, "/list/double", "loss"},
                 {T5_COLUMN_TEXT, "/list/text", "text"},
                 {T5_COLUMN_BYTE, "/list/byte", "byte"}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        check_array(r, kinds[i].path, NULL, kinds[i].type, 5);
        check_array(r, "/table", kinds[i].column, kinds[i].type, 5);
        check_array(r, "/none", kinds[i].column, kinds[i].type, 0);
        check_array(r, "/trials/one/train", kinds[i].column, kinds[i].type, 5);
    }
    t5_store_close(r);
}

/* Longer than what is written at a time, and what is compressed: the byte block of a file. */
static void test_long(void **state) {
    (void)state;
    enum { N = 100003 };
    uint8_t *block = malloc(N);
    int64_t *numbers = malloc(N * sizeof *numbers);
    assert_true(block && numbers);
    for (int i = 0; i < N; i++) {
        block[i] = (uint8_t)(i * 2654435761U >> 24);
        numbers[i] = (int64_t)i * i;
    }
    t5_error err = {0};
    t5_store *s = NULL;
    t5_store_reader *r = NULL;
    const t5_column columns[] = {{"n", T5_COLUMN_INT, numbers}, {"b", T5_COLUMN_BYTE, block}};
    assert_int_equal(t5_store_create("long.h5", &s, &err), T5_OK);
    t5_store_array(s, "/block", T5_COLUMN_BYTE, block, N);
    t5_store_array(s, "/numbers", T5_COLUMN_INT, numbers, N);
    t5_store_table(s, "/both", columns, 2, N);
    assert_int_equal(t5_store_commit(s, &err), T5_OK);
    assert_int_equal(t5_store_open("long.h5", &r, &err), T5_OK);
    const struct {
        const char *path, *column;
        bool is_block;
    } sets[] = {{"/block", NULL, true},
                {"/numbers", NULL, false},
                {"/both", "b", true},
                {"/both", "n", false}};
    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        void *data = NULL;
        int64_t n = 0;
        assert_int_equal(t5_store_get_array(r, sets[i].path, sets[i].column,
                                            sets[i].is_block ? T5_COLUMN_BYTE : T5_COLUMN_INT,
                                            &data, &n, &err),
                         T5_OK);
        assert_int_equal(n, N);
        if (sets[i].is_block)
            assert_memory_equal(data, block, N);
        else
            assert_memory_equal(data, numbers, N * sizeof *numbers);
        free(data);
    }
    t5_store_close(r);
    free(block);
    free(numbers);
}

/* In the order in which they were made, not by name; a link to nothing is a name, too. */
static void test_list(void **state) {
    (void)state;
    t5_error err = {0};
    t5_store_reader *r = reader();
    char **names;
    int n;
    assert_int_equal(t5_store_list(r, "/nowhere", &names, &n, &err), T5_ERR_INPUT);
    assert_text(err, "run/results.h5: there is no group /nowhere");
    err = (t5_error){0};
    assert_int_equal(t5_store_list(r, "/table", &names, &n, &err), T5_ERR_INPUT);
    err = (t5_error){0};
    assert_int_equal(t5_store_list(r, "/trials", &names, &n, &err), T5_OK);
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "one");
    assert_string_equal(names[1], "gone");
    assert_string_equal(names[2], "damaged");
    free(names);
    t5_store_close(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_a_store),    cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_bad_attributes), cmocka_unit_test(test_bad_arrays),
        cmocka_unit_test(test_silent),         cmocka_unit_test(test_has),
        cmocka_unit_test(test_attributes),     cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_long),           cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, make_files, scratch_remove);
}
