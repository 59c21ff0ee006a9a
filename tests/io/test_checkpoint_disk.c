/* Checkpoints on a disk that is full, and how much memory they take. Each test runs in a process of
 * its own: limits, mounts and peaks of memory are a process's. */
#include "checkpoint_check.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { CANNOT = 77 };

/* Runs the body in a child. A failed assertion of cmocka's makes it go on as if it were the test
 * program, which ends with a status other than 0, too. */
static void in_child(void (*body)(void)) {
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT) {
        print_message("a file system of its own cannot be mounted here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Without that detour. */
#define require(condition)                                                          \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                               \
        }                                                                           \
    } while (0)

static void limit_files(rlim_t bytes) {
    struct rlimit limit = {bytes, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN); /* writes fail with EFBIG then */
    require(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* ---------------------------------------------------------------- full disks */

/* No file may be as large as this one will be: found before anything is written, for any limit. */
static void begin_beyond_limit(void) {
    write_checkpoint("limit/x", 0);
    for (rlim_t bytes = 0; bytes < 1 << 20; bytes = bytes * 3 + 100) {
        t5_error err = {0};
        t5_checkpoint_writer *w = NULL;
        limit_files(bytes);
        require(t5_checkpoint_begin("limit/x", make_values(), check_arrays, N_ARRAYS, &w, &err) ==
                T5_ERR_IO);
        require(w == NULL);
        require(strstr(err.text, "limit/x: no room on the disk for ") &&
                strstr(err.text, " bytes: "));
        require(count_files("limit") == 1);
    }
    limit_files(RLIM_INFINITY);
    check_checkpoint("limit/x", 0);
}

static void test_no_room(void **state) {
    (void)state;
    assert_int_equal(mkdir("limit", 0777), 0);
    in_child(begin_beyond_limit);
}

/* The file system breaks while arrays are written, then while the checksums are. */
static void fail_midway(void) {
    write_checkpoint("midway/x", 0);
    t5_error err = {0};
    t5_checkpoint_writer *w = begin_checkpoint("midway/x");
    float data[7] = {0};
    limit_files(600);
    require(t5_checkpoint_write(w, 0, 0, 7, data, &err) == T5_ERR_IO);
    require(strstr(err.text, "midway/x: cannot be written: File too large"));
    err = (t5_error){0};
    require(t5_checkpoint_commit(w, &err) == T5_ERR_IO);
    require(strstr(err.text, "midway/x: cannot be written: File too large"));
    require(count_files("midway") == 1);
    limit_files(RLIM_INFINITY);
    w = begin_checkpoint("midway/x");
    write_arrays(w, 1);
    limit_files(600);
    err = (t5_error){0};
    require(t5_checkpoint_commit(w, &err) == T5_ERR_IO);
    require(strstr(err.text, "midway/x: cannot be written: File too large"));
    require(count_files("midway") == 1);
    limit_files(RLIM_INFINITY);
    check_checkpoint("midway/x", 0);
}

static void test_fails_midway(void **state) {
    (void)state;
    assert_int_equal(mkdir("midway", 0777), 0);
    in_child(fail_midway);
}

static void fill_disk(const char *path) {
    static char block[4096];
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    require(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        ;
    require(errno == ENOSPC);
    close(fd);
}

/* What begin has reserved is there whatever others do to the disk. */
static void on_small_disk(void) {
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", "disk", "tmpfs", 0, "size=4m"))
        _exit(CANNOT);
    write_checkpoint("disk/x", 0);
    t5_checkpoint_writer *w = begin_checkpoint("disk/x");
    fill_disk("disk/full");
    write_arrays(w, 1);
    t5_error err = {0};
    require(t5_checkpoint_commit(w, &err) == T5_OK);
    check_checkpoint("disk/x", 1);
    t5_status status =
        t5_checkpoint_begin("disk/x", make_values(), check_arrays, N_ARRAYS, &w, &err);
    require(status == T5_ERR_IO);
    require(strstr(err.text, "disk/x: no room on the disk for "));
    require(strstr(err.text, "No space left on device"));
    require(count_files("disk") == 2);
    check_checkpoint("disk/x", 1);
}

static void test_full_disk_needs_root(void **state) {
    (void)state;
    assert_int_equal(mkdir("disk", 0777), 0);
    in_child(on_small_disk);
}

/* ---------------------------------------------------------------- memory */

static long peak(void) {
    struct rusage usage;
    require(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss;
}

/* 64 MiB of arrays go through with a quarter of that. */
static void large(void) {
    enum { PIECE = 1 << 16, ROWS = 128 };
    static float data[PIECE];
    const t5_checkpoint_array arrays[] = {{"/a", 2, {ROWS, PIECE}}, {"/b", 2, {ROWS, PIECE}}};
    t5_error err = {0};
    t5_checkpoint_writer *w = NULL;
    t5_checkpoint *c = NULL;
    long before = peak();
    require(t5_checkpoint_begin("large", make_values(), arrays, 2, &w, &err) == T5_OK);
    for (int i = 0; i < 2; i++)
        for (int64_t row = 0; row < ROWS; row++)
            require(t5_checkpoint_write(w, i, row * PIECE, PIECE, data, &err) == T5_OK);
    require(t5_checkpoint_commit(w, &err) == T5_OK);
    require(t5_checkpoint_open("large", &c, &err) == T5_OK);
    for (int64_t row = 0; row < ROWS; row++)
        require(t5_checkpoint_read(c, 1, row * PIECE, PIECE, data, &err) == T5_OK);
    t5_checkpoint_close(c);
    require(peak() - before < 16 << 10);
}

/* Not under AddressSanitizer, which keeps what was freed: its peak says nothing about ours. */
static void test_memory(void **state) {
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    print_message("the address sanitizer keeps what was freed\n");
    skip();
#endif
    in_child(large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_fails_midway),
        cmocka_unit_test(test_full_disk_needs_root),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
