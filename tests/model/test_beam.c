/* The bookkeeping of beam search, on hand-made candidates. What a model makes of it is compared
 * with Transformers in tests/oracle. */
#include "model/beam.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { END = 1, LENGTH = 3, K = 4 };
static const float NONE = -INFINITY;

/* History of two running beams: start token, then what they hold. */
static const int32_t empty[2 * LENGTH] = {0};

static void nothing_is_no_continuation(void **state) {
    (void)state;
    t5_beam_next next[2];
    const float none[K] = {NONE, NONE, NONE, NONE}, nan_first[K] = {NAN, NAN, NAN, NAN};
    const int32_t id[K] = {2, 3, 4, 5};
    const float *cases[] = {none, nan_first};
    for (int i = 0; i < 2; i++) {
        t5_beam *b = t5_beam_create(2, LENGTH, END);
        assert_non_null(b);
        assert_int_equal(t5_beam_step(b, 0, K, cases[i], id, empty, LENGTH, next), 0);
        assert_true(b->done);
        assert_int_equal(b->n_finished, 0);
        t5_beam_destroy(b);
    }
}

/* One allowed token and the end: a single beam runs on beside what is finished. */
static void fewer_candidates_than_beams(void **state) {
    (void)state;
    t5_beam_next next[2];
    t5_beam *b = t5_beam_create(2, LENGTH, END);
    assert_non_null(b);
    const float value[K] = {-0.5f, -1.0f, NONE, NONE};
    const int32_t id[K] = {7, END, 2, 3}, history[LENGTH] = {0, 7};
    assert_int_equal(t5_beam_step(b, 0, K, value, id, empty, LENGTH, next), 1);
    assert_int_equal(next[0].token, 7);
    assert_int_equal(b->n_finished, 1);
    assert_int_equal(t5_beam_step(b, 1, K, value, id, history, LENGTH, next), 0);
    assert_true(b->done); /* two finished */
    assert_int_equal(b->n_finished, 2);
    assert_float_equal(b->finished[0].score, -0.75f, 1e-7); /* 7 END: (-0.5 - 1.0) / 2 */
    assert_int_equal(b->finished[0].n_tokens, 2);
    assert_int_equal(b->finished[0].ids[0], 7);
    assert_int_equal(b->finished[0].ids[1], END);
    assert_float_equal(b->finished[1].score, -1.0f, 1e-7);
    t5_beam_destroy(b);
}

/* Width 2, four candidates: an end token at rank 3 is not finished, the next best go on instead. */
static void only_the_best_may_end(void **state) {
    (void)state;
    t5_beam_next next[2];
    t5_beam *b = t5_beam_create(2, LENGTH, END);
    assert_non_null(b);
    const float first[K] = {-0.1f, -0.2f, -0.3f, -0.4f};
    const int32_t id_first[K] = {5, 6, END, 7};
    assert_int_equal(t5_beam_step(b, 0, K, first, id_first, empty, LENGTH, next), 2);
    assert_int_equal(b->n_finished, 0);
    assert_int_equal(next[0].token, 5);
    assert_int_equal(next[1].token, 6);
    assert_float_equal(b->running[1], -0.2f, 1e-7);

    /* Sums: beam 1 END -0.3, beam 0 END -0.4, beam 0 8 -0.6, beam 1 9 -0.7: both ends count, and
     * the row is full. */
    const float second[2 * K] = {-0.3f, -0.5f, -9, -9, -0.1f, -0.5f, -9, -9};
    const int32_t id_second[2 * K] = {END, 8, 2, 3, END, 9, 2, 3};
    const int32_t history[2 * LENGTH] = {0, 5, 0, 0, 6, 0};
    assert_int_equal(t5_beam_step(b, 1, K, second, id_second, history, LENGTH, next), 0);
    assert_true(b->done);
    assert_int_equal(b->n_finished, 2);
    assert_int_equal(b->finished[0].ids[0], 6);
    assert_float_equal(b->finished[0].score, -0.15f, 1e-6);
    assert_int_equal(b->finished[1].ids[0], 5);
    assert_float_equal(b->finished[1].score, -0.2f, 1e-6);
    t5_beam_destroy(b);
}

/* At the last position the best `width` candidates are finished as they are, end token or not, and
 * push out worse ones; a shorter hypothesis of an earlier step stays if its score is better. */
static void the_last_position_finishes_everything(void **state) {
    (void)state;
    t5_beam_next next[2];
    t5_beam *b = t5_beam_create(2, LENGTH, END);
    assert_non_null(b);
    const float first[K] = {-1.2f, -1.5f, -1.8f, -9};
    const int32_t id_first[K] = {5, END, 6, 7};
    assert_int_equal(t5_beam_step(b, 0, K, first, id_first, empty, LENGTH, next), 2);
    assert_int_equal(b->n_finished, 1); /* END alone, -1.5 */
    assert_int_equal(next[1].token, 6);

    const float second[2 * K] = {-0.3f, -0.9f, -9, -9, -0.2f, -9, -9, -9};
    const int32_t id_second[2 * K] = {8, 9, END, 2, 9, 8, 2, END};
    const int32_t history[2 * LENGTH] = {0, 5, 0, 0, 6, 0};
    assert_int_equal(t5_beam_step(b, 1, K, second, id_second, history, LENGTH, next), 2);
    assert_int_equal(next[0].parent, 0); /* 5 8: -1.5 */
    assert_int_equal(next[1].parent, 1); /* 6 9: -2.0 */

    const float third[2 * K] = {-0.3f, -3, -9, -9, -0.1f, -9, -9, -9};
    const int32_t id_third[2 * K] = {4, 3, 2, END, 3, 4, 2, END};
    const int32_t history3[2 * LENGTH] = {0, 5, 8, 0, 6, 9};
    assert_int_equal(t5_beam_step(b, 2, K, third, id_third, history3, LENGTH, next), 0);
    assert_int_equal(b->n_finished, 2); /* the first END, -1.5, is out */
    const int32_t best[LENGTH] = {5, 8, 4}, other[LENGTH] = {6, 9, 3};
    assert_memory_equal(b->finished[0].ids, best, sizeof best);
    assert_float_equal(b->finished[0].score, -0.6f, 1e-6);
    assert_memory_equal(b->finished[1].ids, other, sizeof other);
    assert_float_equal(b->finished[1].score, -0.7f, 1e-6);
    t5_beam_destroy(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_no_continuation),
        cmocka_unit_test(fewer_candidates_than_beams),
        cmocka_unit_test(only_the_best_may_end),
        cmocka_unit_test(the_last_position_finishes_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
