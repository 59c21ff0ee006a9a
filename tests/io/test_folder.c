/* Folders that appear whole: what may be there before, and what is left behind. */
#include "io/file.h"
#include "io/folder.h"
#include "scratch.h"
#include <unistd.h>

static void test_bad(void **state) {
    (void)state;
    t5_error err = {0};
    write_file("file", "x", 1);
    assert_int_equal(mkdir("full", 0777), 0);
    write_file("full/.hidden", "x", 1);
    const struct {
        const char *path, *text;
    } bad[] = {{"file", "file: a new or an empty folder was expected: Not a directory"},
               {"full", "there is something in it (.hidden)"},
               {"file/below", "file/below: a new or an empty folder was expected"}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        err = (t5_error){0};
        assert_int_equal(t5_folder_check_new(bad[i].path, &err), T5_ERR_INPUT);
        assert_text(err, bad[i].text);
    }
    assert_int_equal(mkdir("made", 0777), 0);
    for (size_t i = 0; i < 2; i++) {
        err = (t5_error){0};
        assert_int_equal(t5_folder_put_in_place("made", bad[i].path, &err), T5_ERR_INPUT);
        assert_text(err, bad[i].path);
    }
    assert_true(t5_file_exists("made"));
    err = (t5_error){0};
    assert_int_equal(t5_folder_put_in_place("made", ".", &err), T5_ERR_INPUT);
    assert_text(err, ".: cannot be replaced");
    err = (t5_error){0};
    assert_int_equal(t5_folder_put_in_place("made", "nowhere/made", &err), T5_ERR_IO);
}

static void test_put_in_place(void **state) {
    (void)state;
    t5_error err = {0};
    assert_int_equal(mkdir("empty", 0777), 0);
    assert_int_equal(t5_folder_check_new("empty", &err), T5_OK);
    assert_int_equal(t5_folder_check_new("new", &err), T5_OK);
    for (int i = 0; i < 2; i++) {
        const char *path = i ? "empty" : "new";
        assert_int_equal(mkdir("temporary", 0777), 0);
        write_file("temporary/file", "x", 1);
        assert_int_equal(t5_folder_put_in_place("temporary", path, &err), T5_OK);
        assert_false(t5_file_exists("temporary"));
    }
    assert_true(t5_file_exists("new/file") && t5_file_exists("empty/file"));
}

static void test_remove(void **state) {
    (void)state;
    assert_int_equal(mkdir("old", 0777), 0);
    write_file("old/a", "x", 1);
    write_file("old/.b", "x", 1);
    t5_folder_remove("old");
    assert_false(t5_file_exists("old"));
    t5_folder_remove("old"); /* nothing to remove is no trouble */
    assert_int_equal(mkdir("deep", 0777), 0);
    assert_int_equal(mkdir("deep/er", 0777), 0);
    t5_folder_remove("deep");
    assert_true(t5_file_exists("deep/er"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bad, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_put_in_place, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_remove, scratch_make, scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
