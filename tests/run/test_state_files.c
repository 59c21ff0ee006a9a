/* Which files of a folder are checkpoints of a trial in training, and which of them go. */
#include "tests/io/scratch.h"

#include "run/state_files.h"
#include <fcntl.h>

static t5_state_folder folder;

static void put(const char *name) {
    char path[300];
    snprintf(path, sizeof path, "run/checkpoints/t/%s", name);
    write_file(path, "x", 1);
}

static int make(void **state) {
    t5_error err = {0};
    return scratch_make(state) || mkdir("run", 0777) || mkdir("run/checkpoints", 0777) ||
           t5_state_folder_of("run", "t", &folder, &err);
}

static void assert_steps(int n, const int64_t *want) {
    t5_error err = {0};
    int64_t *steps = NULL;
    int found = -1;
    assert_int_equal(t5_state_list(&folder, &steps, &found, &err), T5_OK);
    assert_int_equal(found, n);
    for (int i = 0; i < n; i++)
        assert_int_equal(steps[i], want[i]);
    free(steps);
}

static void no_folder(void **state) {
    (void)state;
    t5_error err = {0};
    t5_state_folder other;
    static char longest[5000];
    memset(longest, 'x', sizeof longest - 1);
    assert_int_equal(t5_state_folder_of(longest, "t", &other, &err), T5_ERR_INPUT);
    assert_steps(0, NULL);
    t5_state_rotate(&folder, 5, 1);
    t5_state_remove(&folder);
    write_file("run/checkpoints/t", "a file", 6);
    assert_steps(0, NULL);
    t5_state_remove(&folder);
    assert_int_equal(unlink("run/checkpoints/t"), 0);
    assert_int_equal(mkdir("elsewhere", 0777), 0);
    write_file("elsewhere/state-000000000001.h5", "x", 1);
    assert_int_equal(symlink("../../elsewhere", "run/checkpoints/t"), 0);
    assert_steps(0, NULL);
    t5_state_rotate(&folder, 5, 1);
    t5_state_remove(&folder);
    assert_int_equal(access("elsewhere/state-000000000001.h5", F_OK), 0);
    assert_int_equal(unlink("run/checkpoints/t"), 0);
}

static void other_names_stay(void **state) {
    (void)state;
    static const char *const others[] = {
        "best.h5",
        "state-1.h5",
        "state-0000000000001.h5",
        "state-00000000001.h5",
        "state-000000000001.h5x",
        "state-000000000001",
        "state--00000000001.h5",
        "state-+00000000001.h5",
        "state- 00000000001.h5",
        "xstate-000000000001.h5",
        "state-99999999999999999999.h5",
    };
    assert_int_equal(mkdir("run/checkpoints/t", 0777), 0);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        put(others[i]);
    assert_int_equal(mkdir("run/checkpoints/t/state-000000000002.h5", 0777), 0);
    assert_int_equal(symlink("best.h5", "run/checkpoints/t/state-000000000003.h5"), 0);
    assert_steps(0, NULL);
    t5_state_remove(&folder);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        char path[300];
        snprintf(path, sizeof path, "run/checkpoints/t/%s", others[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(unlink("run/checkpoints/t/state-000000000003.h5"), 0);
    assert_int_equal(rmdir("run/checkpoints/t/state-000000000002.h5"), 0);
    t5_state_remove(&folder);
    assert_int_equal(access("run/checkpoints/t", F_OK), -1);
}

static void order_and_rotation(void **state) {
    (void)state;
    assert_int_equal(mkdir("run/checkpoints/t", 0777), 0);
    for (int64_t step = 0; step < 300; step++) {
        char path[T5_STATE_PATH + 64];
        t5_state_file(&folder, step * 7 % 300, path);
        write_file(path, "x", 1);
    }
    put("state-1000000000000.h5"); /* more digits where they are needed */
    put("best.h5");
    t5_state_rotate(&folder, 1000000000000, 4);
    assert_steps(4, (int64_t[]){1000000000000, 299, 298, 297});
    t5_state_rotate(&folder, 298, 4);
    assert_steps(2, (int64_t[]){298, 297});
    t5_state_rotate(&folder, 298, 1);
    assert_steps(1, (int64_t[]){298});
    t5_state_remove(&folder);
    assert_steps(0, NULL);
    assert_int_equal(unlink("run/checkpoints/t/best.h5"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_folder),
        cmocka_unit_test(other_names_stay),
        cmocka_unit_test(order_and_rotation),
    };
    return cmocka_run_group_tests(tests, make, scratch_remove);
}
