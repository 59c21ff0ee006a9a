/* Packed batches: offsets, the shift to the right, growth, reuse. */
#include "data/batch.h"
#include "tests/data/fixture.h"

static void rows_are_packed_and_targets_shifted(void **state) {
    (void)state;
    t5_batch b;
    t5_batch_init(&b);
    for (int round = 0; round < 2; round++) { /* the second time in the memory of the first */
        const int32_t in0[] = {10, 11, 1}, out0[] = {20, 21, 22, 1}, in1[] = {1}, in2[] = {12, 1},
                      out2[] = {1};
        assert_int_equal(t5_batch_append(&b, in0, 3, out0, 4, 99, 7, NULL), T5_OK);
        assert_int_equal(t5_batch_append(&b, in1, 1, NULL, 0, 99, 8, NULL), T5_OK);
        assert_int_equal(t5_batch_append(&b, in2, 2, out2, 1, 99, UINT32_MAX, NULL), T5_OK);
        assert_int_equal(b.n_seq, 3);
        assert_int_equal(b.n_enc, 6);
        assert_int_equal(b.n_dec, 5);
        assert_int_equal(b.max_enc, 3);
        assert_int_equal(b.max_dec, 4);
        assert_memory_equal(b.enc_ids, ((int32_t[]){10, 11, 1, 1, 12, 1}), 6 * 4);
        assert_memory_equal(b.labels, ((int32_t[]){20, 21, 22, 1, 1}), 5 * 4);
        assert_memory_equal(b.dec_ids, ((int32_t[]){99, 20, 21, 22, 99}), 5 * 4);
        assert_memory_equal(b.enc_start, ((int32_t[]){0, 3, 4, 6}), 4 * 4);
        assert_memory_equal(b.dec_start, ((int32_t[]){0, 4, 4, 5}), 4 * 4);
        assert_memory_equal(b.row, ((uint32_t[]){7, 8, UINT32_MAX}), 3 * 4);
        t5_batch_clear(&b);
        assert_int_equal(b.n_seq + b.n_enc + b.n_dec + b.max_enc + b.max_dec, 0);
    }
    t5_batch_free(&b);
    assert_null(b.enc_ids);
}

static void grows(void **state) {
    (void)state;
    enum { N = 3000, LONGEST = 5 };
    t5_batch b;
    t5_batch_init(&b);
    int32_t ids[LONGEST];
    for (int s = 0; s < N; s++) {
        for (int i = 0; i < LONGEST; i++)
            ids[i] = s * LONGEST + i;
        assert_int_equal(
            t5_batch_append(&b, ids, 1 + s % LONGEST, ids, s % 3, -1, (uint32_t)s, NULL), T5_OK);
    }
    assert_true(b.cap_seq >= N && b.cap_enc >= b.n_enc && b.cap_dec >= b.n_dec);
    for (int s = 0; s < N; s++) {
        assert_int_equal(b.row[s], s);
        assert_int_equal(b.enc_start[s + 1] - b.enc_start[s], 1 + s % LONGEST);
        assert_int_equal(b.dec_start[s + 1] - b.dec_start[s], s % 3);
        for (int i = 0; i < 1 + s % LONGEST; i++)
            assert_int_equal(b.enc_ids[b.enc_start[s] + i], s * LONGEST + i);
        for (int i = 0; i < s % 3; i++) {
            assert_int_equal(b.labels[b.dec_start[s] + i], s * LONGEST + i);
            assert_int_equal(b.dec_ids[b.dec_start[s] + i], i ? s * LONGEST + i - 1 : -1);
        }
    }
    t5_batch_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_packed_and_targets_shifted),
        cmocka_unit_test(grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
