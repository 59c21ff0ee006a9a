/* Whole files and folders; what cannot be read or made says why. */
#include "io/file.h"
#include "tests/io/scratch.h"

static void what_cannot_be_read(void **state) {
    (void)state;
    assert_int_equal(mkdir("folder", 0777), 0);
    assert_int_equal(mkfifo("pipe", 0666), 0); /* nobody writes to it: opening must not wait */
    assert_int_equal(symlink("nowhere", "link"), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    write_file("plain", "x", 1);
    static const struct {
        const char *path;
        t5_status status;
        const char *text;
    } cases[] = {
        {"", T5_ERR_INPUT, "the name of a file is empty"},
        {"missing", T5_ERR_INPUT, "missing: cannot be opened: No such file or directory"},
        {"link", T5_ERR_INPUT, "link: cannot be opened: No such file or directory"},
        {"loop", T5_ERR_INPUT, "loop: cannot be opened: Too many levels of symbolic links"},
        {"plain/x", T5_ERR_INPUT, "plain/x: cannot be opened: Not a directory"},
        {"folder", T5_ERR_INPUT, "folder: is a folder, expected a file"},
        {"/", T5_ERR_INPUT, "/: is a folder, expected a file"},
        {"pipe", T5_ERR_INPUT, "pipe: is not a regular file"},
        {"/dev/null", T5_ERR_INPUT, "/dev/null: is not a regular file"},
        {"/proc/self/mem", T5_ERR_IO, "/proc/self/mem: cannot be read: Input/output error"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        void *data = NULL;
        size_t bytes = 0;
        t5_error err = {0};
        assert_int_equal(t5_file_read(cases[i].path, &data, &bytes, &err), cases[i].status);
        assert_text(err, cases[i].text);
        assert_null(data);
    }
}

static void files_as_a_whole(void **state) {
    (void)state;
    enum { LARGEST = 200001 };
    static const size_t sizes[] = {0, 1, 2, 3, 4095, 4096, 65535, 65536, 65537, LARGEST};
    char *content = malloc(LARGEST);
    for (size_t i = 0; i < LARGEST; i++)
        content[i] = (char)(i * 7 % 251); /* NUL bytes among them */
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        write_file("file", content, sizes[i]);
        void *data;
        size_t bytes;
        assert_int_equal(t5_file_read("file", &data, &bytes, NULL), T5_OK);
        assert_int_equal(bytes, sizes[i]);
        assert_memory_equal(data, content, bytes);
        assert_int_equal(((char *)data)[bytes], '\0');
        free(data);
    }
    free(content);
    void *data; /* a file whose size is said to be 0, and is not */
    size_t bytes;
    assert_int_equal(t5_file_read("/proc/self/maps", &data, &bytes, NULL), T5_OK);
    assert_true(bytes > 1000);
    assert_int_equal(strlen(data), bytes);
    free(data);
}

static void folders_that_cannot_be_made(void **state) {
    (void)state;
    write_file("taken", "x", 1);
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"", "the name of a folder is empty"},
        {"taken", "taken: cannot make this folder: Not a directory"},
        {"taken/below", "taken: cannot make this folder: Not a directory"},
        {"/proc/t5mpi/x", "/proc/t5mpi: cannot make this folder: No such file or directory"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        t5_error err = {0};
        assert_int_equal(t5_file_make_folder(cases[i].path, &err), T5_ERR_IO);
        assert_text(err, cases[i].text);
    }
}

static void folders_with_their_parents(void **state) {
    char absolute[600];
    snprintf(absolute, sizeof absolute, "%s/absolute//path/", (char *)*state);
    const char *const cases[] = {"a", "b/c/d", "b/c/d/", "e//f", "./g/../h", ".", "/", absolute};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (int again = 0; again < 2; again++) {
            t5_error err = {0};
            assert_int_equal(t5_file_make_folder(cases[i], &err), T5_OK);
            assert_int_equal(t5_file_exists(cases[i]), 1);
        }
    }
    assert_int_equal(t5_file_exists("h"), 1);
    mode_t before = umask(027);
    assert_int_equal(t5_file_make_folder("mode/inner", NULL), T5_OK);
    umask(before);
    struct stat info;
    assert_int_equal(stat("mode", &info), 0);
    assert_int_equal(info.st_mode & 0777, 0750);
    assert_int_equal(stat("mode/inner", &info), 0);
    assert_int_equal(info.st_mode & 0777, 0750);
}

static void what_exists(void **state) {
    (void)state;
    write_file("there", "", 0);
    assert_int_equal(symlink("gone", "broken"), 0);
    assert_int_equal(t5_file_exists("there"), 1);
    assert_int_equal(t5_file_exists("."), 1);
    assert_int_equal(t5_file_exists("not there"), 0);
    assert_int_equal(t5_file_exists("there/x"), 0);
    assert_int_equal(t5_file_exists("broken"), 0);
    assert_int_equal(t5_file_exists(""), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_read), cmocka_unit_test(folders_that_cannot_be_made),
        cmocka_unit_test(files_as_a_whole),    cmocka_unit_test(folders_with_their_parents),
        cmocka_unit_test(what_exists),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
