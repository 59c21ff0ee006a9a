/* A shard crosses ranks as bytes. Whatever arrives, nothing outside the block is read (the blocks
 * here are exactly as large as they say, so the address sanitizer watches their ends). */
#include "tests/data/fixture.h"

typedef struct fixture {
    t5_rows *rows;
    t5_tokenizer *tok;
    t5_dataset *set;
    t5_shard *shard; /* two rows */
} fixture;

static int set_up(void **state) {
    static const char *const pairs[][2] = {{"音楽", "a b"}, {"学校", "a"}};
    fixture *f = malloc(sizeof *f);
    f->rows = rows_of(pairs, COUNT_OF(pairs));
    f->tok = shipped_tokenizer();
    const t5_dataset_options options = {{1, 0, 0}, 42, 8, 8};
    assert_int_equal(t5_dataset_create(f->rows, f->tok, &options, &f->set, NULL), T5_OK);
    assert_int_equal(t5_dataset_shard(f->set, 0, T5_TRAIN, 0, 1, &f->shard, NULL), T5_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    t5_shard_destroy(f->shard);
    t5_dataset_destroy(f->set);
    t5_tokenizer_destroy(f->tok);
    t5_rows_destroy(f->rows);
    free(f);
    return 0;
}

static void *copy(const void *bytes, size_t n) {
    void *block = malloc(n ? n : 1);
    memcpy(block, bytes, n);
    return block;
}

/* Places of a two-row block, in 8-byte words. */
enum {
    MAGIC,
    N,
    FIRST,
    N_TOTAL,
    N_INPUT,
    N_TARGET,
    ROW,
    INPUT_START = ROW + 2,
    TARGET_START = INPUT_START + 3
};

static void headers_and_offsets_that_are_refused(void **state) {
    const fixture *f = *state;
    const t5_shard *good = f->shard;
    static const struct {
        int word;
        int64_t value;
        const char *text;
    } cases[] = {
        {MAGIC, 0, "that are not a shard"},
        {N, -1, "header is damaged"},
        {N, INT64_MIN, "header is damaged"},
        {N, INT64_MAX, "header is damaged"},
        {N, 1, "its header asks for"},
        {FIRST, -1, "header is damaged"},
        {FIRST, 1, "header is damaged"}, /* 1 + 2 rows of 2 */
        {FIRST, INT64_MAX, "header is damaged"},
        {N_TOTAL, 1, "header is damaged"},
        {N_TOTAL, -1, "header is damaged"},
        {N_INPUT, -1, "header is damaged"},
        {N_INPUT, 0, "its header asks for"},
        {N_INPUT, INT64_MAX, "its header asks for"},
        {N_INPUT, INT64_MAX / 4, "its header asks for"},
        {N_TARGET, INT64_MAX / 64, "its header asks for"},
        {N_TARGET, INT64_MIN, "header is damaged"},
        {ROW, -1, "a row number is negative"},
        {INPUT_START, 1, "offsets do not ascend"},
        {INPUT_START, -1, "offsets do not ascend"},
        {INPUT_START + 1, 0, "offsets do not ascend"}, /* a row without even an end token */
        {INPUT_START + 1, INT64_MAX, "offsets do not ascend"},
        {INPUT_START + 1, INT64_MIN, "offsets do not ascend"},
        {INPUT_START + 2, 1, "offsets do not ascend"},
        {TARGET_START, INT64_MAX, "offsets do not ascend"},
        {TARGET_START + 1, 100, "offsets do not ascend"},
        {TARGET_START + 2, INT64_MAX, "offsets do not ascend"},
        {TARGET_START + 3, -1, "a token id is negative"}, /* the first two ids */
    };
    assert_int_equal(good->n, 2);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t *block = copy(good->block, good->block_bytes);
        block[cases[i].word] = cases[i].value;
        t5_shard *shard = NULL;
        t5_error err;
        assert_error(t5_shard_from_block(block, good->block_bytes, &shard, &err), err, T5_ERR_INPUT,
                     cases[i].text);
        assert_null(shard);
        free(block); /* still ours */
    }
}

static void every_other_length_is_refused(void **state) {
    const fixture *f = *state;
    char *longer = calloc(1, f->shard->block_bytes + 64);
    memcpy(longer, f->shard->block, f->shard->block_bytes);
    for (size_t n = 0; n < f->shard->block_bytes + 64; n++) {
        if (n == f->shard->block_bytes)
            continue;
        void *block = copy(longer, n);
        t5_shard *shard = NULL;
        t5_error err = {0};
        assert_int_equal(t5_shard_from_block(block, n, &shard, &err), T5_ERR_INPUT);
        assert_true(*err.text);
        free(block);
    }
    free(longer);
}

/* Reads all that a shard offers. */
static int64_t read_everything(const t5_shard *s) {
    int64_t sum = s->first + s->n_total;
    for (int64_t i = 0; i < s->n; i++) {
        sum += s->row[i];
        for (int64_t k = s->input_start[i]; k < s->input_start[i + 1]; k++)
            sum += s->input[k];
        for (int64_t k = s->target_start[i]; k < s->target_start[i + 1]; k++)
            sum += s->target[k];
    }
    return sum;
}

static void every_flipped_bit_is_refused_or_harmless(void **state) {
    const fixture *f = *state;
    int accepted = 0;
    for (size_t bit = 0; bit < 8 * f->shard->block_bytes; bit++) {
        unsigned char *block = copy(f->shard->block, f->shard->block_bytes);
        block[bit / 8] ^= (unsigned char)(1u << bit % 8);
        t5_shard *shard = NULL;
        if (t5_shard_from_block(block, f->shard->block_bytes, &shard, NULL) == T5_OK) {
            /* another row number, place, split or id, or a boundary between two rows */
            read_everything(shard);
            assert_int_equal(shard->n, 2);
            assert_true(shard->first >= 0 && shard->first + 2 <= shard->n_total);
            assert_int_equal(shard->input_start[2], f->shard->input_start[2]);
            assert_int_equal(shard->target_start[2], f->shard->target_start[2]);
            accepted++;
            t5_shard_destroy(shard);
        } else {
            free(block);
        }
    }
    assert_true(accepted > 0);
}

static void there_and_back(void **state) {
    const fixture *f = *state;
    for (int part = 0; part < 3; part++) { /* one of the parts has no row */
        t5_shard *sent, *received;
        assert_int_equal(t5_dataset_shard(f->set, 0, T5_TRAIN, part, 3, &sent, NULL), T5_OK);
        void *block = copy(sent->block, sent->block_bytes);
        assert_int_equal(t5_shard_from_block(block, sent->block_bytes, &received, NULL), T5_OK);
        assert_int_equal(received->n, sent->n);
        assert_int_equal(received->first, sent->first);
        assert_int_equal(received->n_total, 2);
        assert_ptr_equal(received->block, block);
        assert_int_equal(read_everything(received), read_everything(sent));
        t5_shard_destroy(sent);
        t5_shard_destroy(received);
    }
    t5_shard_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_and_offsets_that_are_refused),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused_or_harmless),
        cmocka_unit_test(there_and_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
