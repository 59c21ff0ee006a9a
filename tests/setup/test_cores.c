/* Threads of ranks by the cores that they may run on. */
#include "setup/cores.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* Cores [first, first + n) of a host. */
static t5_cores cores(const char *host, int first, int n) {
    t5_cores c;
    memset(&c, 0, sizeof c);
    strcpy(c.host, host);
    for (int i = first; i < first + n; i++)
        CPU_SET((size_t)i, &c.set);
    return c;
}

static void ranks_share_what_they_share(void **state) {
    (void)state;
    const t5_cores ranks[] = {
        cores("a", 0, 4), cores("a", 4, 4),                    /* each its own */
        cores("b", 0, 8), cores("b", 0, 8), cores("b", 0, 8),  /* not bound */
        cores("c", 8, 8), cores("c", 8, 8), cores("c", 16, 8), /* bound to sockets */
        cores("d", 0, 2), cores("d", 0, 2), cores("d", 0, 2),  /* more ranks than cores */
        cores("e", 0, 0),                                      /* nobody knows */
    };
    const int threads[] = {4, 4, 2, 2, 2, 4, 4, 8, 1, 1, 1, 1};
    for (int i = 0; i < 12; i++)
        assert_int_equal(t5_cores_share(ranks, 12, i), threads[i]);
}

static void alone_all_are_mine(void **state) {
    cpu_set_t set;
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    assert_int_equal(t5_cores_alone(), CPU_COUNT(&set));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_share_what_they_share),
        cmocka_unit_test(alone_all_are_mine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
