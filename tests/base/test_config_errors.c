/* Configurations that are wrong, each with the whole message that a user gets. */
#include "base/config.h"
#include "config_cases.h"
#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs those above */

static void every_mistake_has_its_message(void **state) {
    (void)state;
    int wrong = 0;
    assert_true(scratch_write("self.cfg", "@include \"self.cfg\"\n"));
    assert_true(scratch_write("bad.cfg", "train: {\n};\n\nx = ;\n"));
    assert_true(scratch_write_bytes("nul.cfg", "x = 1;\n\0y", 9));
    for (size_t i = 0; i < sizeof bad_cases / sizeof *bad_cases; i++) {
        t5_error err = {0};
        t5_config *config = NULL;
        assert_true(scratch_write("c.cfg", bad_cases[i].text));
        t5_status status = t5_config_read("c.cfg", &bad_cases[i].set, bad_cases[i].set != NULL,
                                          NULL, &config, &err);
        if (status != T5_ERR_INPUT || config || strcmp(err.text, bad_cases[i].want) != 0) {
            print_error("case %zu: status %d\n  got  %s\n  want %s\n", i, status, err.text,
                        bad_cases[i].want);
            wrong++;
        }
        t5_config_destroy(config);
    }
    assert_int_equal(wrong, 0);
}

/* The text that all cases above are made of has nothing wrong with it. */
static void the_rest_of_the_cases_is_right(void **state) {
    (void)state;
    const char *const texts[] = {GOOD, GOOD PLAN};
    for (int i = 0; i < 2; i++) {
        t5_error err = {0};
        t5_config *config = NULL;
        assert_true(scratch_write("c.cfg", texts[i]));
        assert_int_equal(t5_config_read("c.cfg", NULL, 0, NULL, &config, &err), T5_OK);
        assert_string_equal(err.text, "");
        t5_config_destroy(config);
    }
}

static void files_that_cannot_be_read(void **state) {
    (void)state;
    t5_error err = {0};
    t5_config *config = NULL;
    assert_int_equal(t5_config_read("none.cfg", NULL, 0, NULL, &config, &err), T5_ERR_INPUT);
    assert_string_equal(err.text, "none.cfg: cannot be read: No such file or directory");
    assert_null(config);
    err = (t5_error){0};
    assert_int_equal(t5_config_read(".", NULL, 0, NULL, &config, &err), T5_ERR_INPUT);
    assert_string_equal(err.text, ".: is a directory, not a configuration file");
    /* A device that never ends. */
    err = (t5_error){0};
    assert_int_equal(t5_config_read("/dev/zero", NULL, 0, NULL, &config, &err), T5_ERR_INPUT);
    assert_string_equal(err.text, "/dev/zero: is larger than 16 MiB, is it a configuration?");
    assert_int_equal(t5_config_read("none.cfg", NULL, 0, NULL, &config, NULL), T5_ERR_INPUT);
}

static void an_empty_output(void **state) {
    (void)state;
    t5_error err = {0};
    t5_config *config = NULL;
    assert_true(scratch_write("c.cfg", GOOD));
    assert_int_equal(t5_config_read("c.cfg", NULL, 0, "", &config, &err), T5_ERR_INPUT);
    assert_string_equal(err.text, "--output: found \"\", allowed: a directory");
}

/* Long texts everywhere a text goes into a message: cut, one line, valid. */
static void long_texts_fit_their_messages(void **state) {
    (void)state;
    enum { N = 5000 };
    char *text = malloc(N + 200), *set = malloc(N + 200);
    assert_true(text && set);
    const char *const before[] = {GOOD "train: { precision = \"", GOOD "train: { ",
                                  GOOD "x = = ", GOOD "x = 1; "};
    const char *const behind[] = {"\"; };", " = 1; };", "", " = 2;"};
    for (int i = 0; i < 4; i++) {
        for (int repeat = 0; repeat < 2; repeat++) {
            size_t n = strlen(before[i]);
            memcpy(text, before[i], n);
            for (size_t k = 0; k < N; k++)
                text[n + k] = repeat && i % 2 == 0 ? "\xf0\x9f\x8e\xb5"[k % 4] : 'x';
            strcpy(text + n + N, behind[i]);
            t5_error err = {0};
            t5_config *config = NULL;
            assert_true(scratch_write("c.cfg", text));
            assert_int_equal(t5_config_read("c.cfg", NULL, 0, NULL, &config, &err), T5_ERR_INPUT);
            assert_memory_equal(err.text, "c.cfg:3: ", 9);
            assert_true(strlen(err.text) < 700);
            assert_null(strchr(err.text, '\n'));
        }
    }
    snprintf(set, N, "train.epochs=");
    memset(set + strlen("train.epochs="), 'y', N);
    set[strlen("train.epochs=") + N] = '\0';
    t5_error err = {0};
    t5_config *config = NULL;
    assert_true(scratch_write("c.cfg", GOOD));
    const char *const sets[] = {set};
    assert_int_equal(t5_config_read("c.cfg", sets, 1, NULL, &config, &err), T5_ERR_INPUT);
    assert_memory_equal(err.text, "--set train.epochs=yyyy", 23);
    assert_non_null(strstr(err.text, "allowed: an integer in [1, 1000000]"));
    free(text);
    free(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_has_its_message),
        cmocka_unit_test(the_rest_of_the_cases_is_right),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(an_empty_output),
        cmocka_unit_test(long_texts_fit_their_messages),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
