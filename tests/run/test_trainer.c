/* The parts of the trainer that are functions: the learning rate. Whole trials: tests/cli. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "run/trainer.h"
#include <cmocka.h>

typedef struct rate {
    long step, warmup, total;
    double expected; /* of a peak of 1 */
} rate;

static void warm_up_then_linear_decay(void **state) {
    static const rate table[] = {
        {0, 4, 10, 0.0},     {1, 4, 10, 0.25}, {3, 4, 10, 0.75},  {4, 4, 10, 1.0}, {7, 4, 10, 0.5},
        {9, 4, 10, 1.0 / 6}, {10, 4, 10, 0.0}, {11, 4, 10, 0.0},  {0, 0, 10, 1.0}, {5, 0, 10, 0.5},
        {3, 20, 10, 0.15},   {0, 0, 1, 1.0},   {10, 10, 10, 0.0}, /* a warm-up as long as the run */
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const rate *r = &table[i];
        double got = t5_learning_rate(1.0, r->step, r->warmup, r->total);
        if (!(got > r->expected - 1e-12 && got < r->expected + 1e-12))
            fail_msg("step %ld of %ld, warm-up %ld: %.17g, expected %.17g", r->step, r->total,
                     r->warmup, got, r->expected);
    }
    assert_true(t5_learning_rate(3e-4, 75, 150, 1000) == 3e-4 * 75 / 150);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(warm_up_then_linear_decay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
