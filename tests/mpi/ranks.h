/* For tests that run on several ranks. A failing check ends the whole job: cmocka would jump out of
 * the test on one rank and leave the others in a collective. Only rank 0 prints cmocka's lines. */
#ifndef T5_TESTS_MPI_RANKS_H
#define T5_TESTS_MPI_RANKS_H
#include "mpi/comm_internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* MPI leaks while it starts, in plug-ins that it unloads again, so that no suppression finds them.
 * What it allocates then is not looked at, and the check is made before it ends and unloads the
 * others. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#define LEAKS_ARE_MPIS() __lsan_disable()
#define LEAKS_ARE_OURS() __lsan_enable()
#define CHECK_LEAKS() __lsan_do_leak_check()
#else
#define LEAKS_ARE_MPIS() (void)0
#define LEAKS_ARE_OURS() (void)0
#define CHECK_LEAKS() (void)0
#endif

#define CHECK(condition)                                      \
    do {                                                      \
        if (!(condition))                                     \
            check_failed(__FILE__, __LINE__, #condition, ""); \
    } while (0)

/* A call that must succeed; `err` is the t5_error that it was given. */
#define CHECK_OK(call, err)                                      \
    do {                                                         \
        if ((call) != T5_OK)                                     \
            check_failed(__FILE__, __LINE__, #call, (err).text); \
    } while (0)

static inline void check_failed(const char *file, int line, const char *what, const char *text) {
    fprintf(stderr, "%s:%d: failed: %s %s\n", file, line, what, text);
    t5_comm_abort(NULL, 1);
}

/* Starts MPI, runs the tests with the world as their state, and returns the exit status. */
static inline int run_on_ranks(const char *name, const struct CMUnitTest *tests, size_t n,
                               t5_comm **world, int *argc, char ***argv) {
    t5_error err = {0};
    LEAKS_ARE_MPIS();
    CHECK_OK(t5_comm_start(argc, argv, world, &err), err);
    LEAKS_ARE_OURS();
    if (t5_comm_rank(*world) != 0 && !freopen("/dev/null", "w", stdout))
        check_failed(__FILE__, __LINE__, "freopen", "");
    int failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
    CHECK_LEAKS();
    t5_comm_finish(*world);
    return failed != 0;
}

#endif
