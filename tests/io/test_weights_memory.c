/* Opening and reading weights with the first, second, third ... allocation failing: each time an
 * error says so, and nothing stays allocated or open. Only allocations of the code under test fail,
 * not those of Jansson and libzip. */
#include "tests/io/weights_check.h"
#include <dirent.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(SANITIZED)
#define CAN_FAIL
#endif

#ifdef CAN_FAIL

static bool armed;
static int countdown, failures;

/* The code under test is linked into this executable; the libraries are not. */
extern char __executable_start, etext;
static bool fails(const void *caller) {
    bool ours =
        armed && (const char *)caller >= &__executable_start && (const char *)caller < &etext;
    if (!ours || countdown-- != 0)
        return false;
    failures++;
    return true;
}

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t n);

void *malloc(size_t n) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}
void *calloc(size_t n, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}
void *realloc(void *block, size_t n) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(block, n);
}

static int open_files(void) {
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    static const char *const directories[] = {
        FIXTURE("safetensors"), FIXTURE("safetensors_sharded"), FIXTURE("pytorch"),
        FIXTURE("pytorch_sharded"), FIXTURE("pytorch_module")};
    int open_before = open_files();
    for (size_t d = 0; d < COUNT_OF(directories); d++) {
        bool failed = true;
        int allocations = 0;
        for (; failed; allocations += failed) {
            t5_error err = {0};
            countdown = allocations;
            failures = 0;
            armed = true;
            t5_status status = read_everything(directories[d], &err);
            armed = false;
            failed = failures > 0;
            if (status != (failed ? T5_ERR_MEMORY : T5_OK))
                fail_msg("%s, allocation %d: %s", directories[d], allocations, err.text);
            if (failed)
                assert_text(err, "out of memory");
            assert_int_equal(open_files(), open_before);
            assert_true(allocations < 10000);
        }
        assert_true(allocations > 2);
    }
}

#else

static void every_allocation_may_fail(void **state) {
    (void)state;
    print_message("a sanitizer owns malloc, or it is not glibc's\n");
    skip();
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
