/* A trial's curve in bounded memory. */
#include "results/results.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static void record_steps(t5_record *r, int64_t first, int64_t last) {
    for (int64_t s = first; s <= last; s++)
        t5_record_step(r, &(t5_step_row){.step = s, .loss = (double)s});
}

/* Rows 1, 1 + stride, ... of steps up to `last`. */
static void expect_rows(const t5_record *r, int64_t stride, int64_t last) {
    assert_int_equal(r->n_steps, (last - 1) / stride + 1);
    for (int64_t i = 0; i < r->n_steps; i++) {
        assert_int_equal(r->steps[i].step, 1 + i * stride);
        assert_true(r->steps[i].loss == (double)r->steps[i].step);
    }
}

static void every_step_while_there_is_room(void **state) {
    (void)state;
    t5_record r = {0};
    t5_error err = {0};
    assert_int_equal(t5_record_reserve(&r, T5_RECORD_STEPS, 0, &err), T5_OK);
    record_steps(&r, 1, T5_RECORD_STEPS);
    expect_rows(&r, 1, T5_RECORD_STEPS);
    t5_record_free(&r);
}

/* The same rows whatever number of steps was expected. */
static void then_every_second_and_so_on(void **state) {
    static const struct {
        int64_t steps, stride;
    } cases[] = {{T5_RECORD_STEPS + 1, 2},
                 {2 * T5_RECORD_STEPS, 2},
                 {2 * T5_RECORD_STEPS + 1, 4},
                 {5 * T5_RECORD_STEPS, 8}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int64_t more = 0; more <= 1000000; more += 1000000) {
            t5_record r = {0};
            t5_error err = {0};
            assert_int_equal(t5_record_reserve(&r, cases[c].steps + more, 0, &err), T5_OK);
            record_steps(&r, 1, cases[c].steps);
            expect_rows(&r, cases[c].stride, cases[c].steps);
            t5_record_free(&r);
        }
}

/* As a resume with more epochs has it. */
static void more_room_keeps_the_rows(void **state) {
    (void)state;
    t5_record r = {0};
    t5_error err = {0};
    assert_int_equal(t5_record_reserve(&r, 3, 1, &err), T5_OK);
    record_steps(&r, 1, 3);
    t5_record_eval(&r, &(t5_eval_row){.epoch = 1});
    assert_int_equal(t5_record_reserve(&r, 7, 2, &err), T5_OK);
    assert_int_equal(t5_record_reserve(&r, 2, 0, &err), T5_OK); /* less is no less */
    record_steps(&r, 4, 7);
    t5_record_eval(&r, &(t5_eval_row){.epoch = 2});
    expect_rows(&r, 1, 7);
    assert_int_equal(r.n_evals, 2);
    assert_int_equal(r.evals[0].epoch, 1);
    t5_record_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_while_there_is_room),
        cmocka_unit_test(then_every_second_and_so_on),
        cmocka_unit_test(more_room_keeps_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
