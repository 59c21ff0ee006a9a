/* Reading a configuration with the first, second, third ... allocation failing: each time an error
 * says so and nothing stays allocated. Only allocations of the code under test fail, not those of
 * libconfig, whose version 1.5 checks none of them. */
#include "base/config.h"
#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs those above */

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
static int countdown, failures, live;

/* The code under test is linked into this executable; libconfig and the C library are not. */
extern char __executable_start, etext;
static bool is_ours(const void *caller) {
    return armed && (const char *)caller >= &__executable_start && (const char *)caller < &etext;
}
static bool fails(const void *caller) {
    if (!is_ours(caller) || countdown-- != 0)
        return false;
    failures++;
    return true;
}
static void *count(const void *caller, void *block) {
    live += is_ours(caller) && block;
    return block;
}

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t n);
void __libc_free(void *block);

void *malloc(size_t n) {
    const void *caller = __builtin_return_address(0);
    return fails(caller) ? NULL : count(caller, __libc_malloc(n));
}
void *calloc(size_t n, size_t size) {
    const void *caller = __builtin_return_address(0);
    return fails(caller) ? NULL : count(caller, __libc_calloc(n, size));
}
void *realloc(void *block, size_t n) {
    const void *caller = __builtin_return_address(0);
    if (fails(caller))
        return NULL;
    void *moved = __libc_realloc(block, n);
    return block ? moved : count(caller, moved);
}
void free(void *block) {
    live -= is_ours(__builtin_return_address(0)) && block;
    __libc_free(block);
}

static const char text[] =
    "@include \"in.cfg\"\n"
    "data: { path = \"d.jsonl\"; input = \"i\"; target = \"t\"; };\n"
    "train: { seed = 5000000000; loss = { type = \"focal\"; }; };\n"
    "plan: ( { name = \"a\"; improved = \"b\"; set = { loss = { type = \"focal\"; }; }; },\n"
    "        { name = \"b\"; } );\n"
    "baseline: { trial = \"a\"; };\n";

static void every_allocation_may_fail(void **state) {
    (void)state;
    static const char *const sets[] = {"eval.decode=beam", "train.epochs=3", "output.dir=x"};
    assert_true(scratch_write("c.cfg", text));
    assert_true(scratch_write(
        "in.cfg", "model: { preset = \"tiny\"; tokenizer = \"t.model\"; };\nsweep: { };\n"));
    int allocations = 0;
    for (bool failed = true; failed; allocations += failed) {
        t5_error err = {0};
        t5_config *config = NULL;
        countdown = allocations;
        failures = live = 0;
        armed = true;
        t5_status status = t5_config_read("c.cfg", sets, 3, "out", &config, &err);
        failed = failures > 0;
        int held = live;
        t5_config_destroy(config);
        armed = false;
        assert_int_equal(live, 0);
        assert_int_equal(status, failed ? T5_ERR_MEMORY : T5_OK);
        assert_true(failed == (config == NULL) && failed == (held == 0));
        if (failed)
            assert_non_null(strstr(err.text, "out of memory"));
        /* A failure that goes unnoticed would come here again for ever. */
        assert_true(allocations < 100000);
    }
    assert_true(allocations > 50);
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
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
