/* Packing of batches whose rows are in device memory, against the same done on the host. */
#include "device/conformance.h"

enum { START = 7, PAD = 5, MOST_ROWS = 80, MOST_TOKENS = 4096 };

/* Everything that packing writes. */
typedef struct packed {
    int32_t enc_ids[MOST_TOKENS], enc_start[MOST_ROWS + 2], enc_len[MOST_ROWS + 1];
    uint32_t enc_tok[2 * MOST_TOKENS];
    int32_t dec_ids[MOST_TOKENS], dec_start[MOST_ROWS + 2], dec_len[MOST_ROWS + 1];
    uint32_t dec_tok[2 * MOST_TOKENS];
    int32_t label[MOST_TOKENS];
} packed;

static void pack_by_hand(const int32_t *ids, const t5_pack_row *row, int n, packed *p) {
    int enc = 0, dec = 0;
    for (int s = 0; s < n; s++) {
        p->enc_start[s] = enc, p->enc_len[s] = row[s].n_input;
        p->dec_start[s] = dec, p->dec_len[s] = row[s].n_target;
        for (int i = 0; i < row[s].n_input; i++, enc++) {
            p->enc_ids[enc] = row[s].at < 0 ? PAD : ids[row[s].at + i];
            p->enc_tok[2 * enc] = row[s].row, p->enc_tok[2 * enc + 1] = (uint32_t)i;
        }
        for (int i = 0; i < row[s].n_target; i++, dec++) {
            int64_t at = row[s].at + row[s].n_input + i;
            p->label[dec] = row[s].at < 0 ? -1 : ids[at];
            p->dec_ids[dec] = row[s].at < 0 ? PAD : i == 0 ? START : ids[at - 1];
            p->dec_tok[2 * dec] = row[s].row, p->dec_tok[2 * dec + 1] = (uint32_t)i;
        }
    }
    p->enc_start[n] = enc, p->dec_start[n] = dec;
}

/* Random rows of a data set of 3,000 ids; every fifth is padding. targets: else there are none. */
static int make_rows(t5_pack_row *row, int n, int longest, bool targets, uint32_t seed) {
    int enc = 0, dec = 0;
    for (int s = 0; s < n; s++) {
        int n_input = 1 + (int)(fabs(noise(seed, 2 * s)) * (longest - 1));
        int n_target = targets ? (int)(fabs(noise(seed, 2 * s + 1)) * longest) : 0;
        int64_t at = (int64_t)(fabs(noise(seed + 1, s)) * (3000 - 2 * longest));
        row[s] = (t5_pack_row){.at = s % 5 == 4 ? -1 : at,
                               .n_input = n_input,
                               .n_target = n_target,
                               .enc_start = enc,
                               .dec_start = dec,
                               .row = 4000000000u + (uint32_t)s};
        enc += n_input, dec += n_target;
    }
    assert_true(enc <= MOST_TOKENS && dec <= MOST_TOKENS);
    return dec;
}

static void check(t5_device *dev, int n, int longest, bool targets) {
    int32_t ids[3000];
    t5_pack_row row[MOST_ROWS];
    packed *want = malloc(sizeof *want), *got = malloc(sizeof *got);
    assert_true(want && got);
    for (int i = 0; i < 3000; i++)
        ids[i] = 10 + (int32_t)(fabs(noise(3, i)) * 32000);
    int n_dec = make_rows(row, n, longest, targets, 5);
    memset(want, 0x81, sizeof *want);
    pack_by_hand(ids, row, n, want);
    memset(got, 0x81, sizeof *got);
    packed *d = device_copy(dev, got, sizeof *got);
    void *d_ids = device_copy(dev, ids, sizeof ids), *d_row = device_copy(dev, row, sizeof row);
    const t5_pack_args a = {.n_seq = n,
                            .n_enc = want->enc_start[n],
                            .n_dec = n_dec,
                            .d_ids = d_ids,
                            .d_row = d_row,
                            .start_id = START,
                            .pad_id = PAD,
                            .d_enc_ids = d->enc_ids,
                            .d_enc_start = d->enc_start,
                            .d_enc_len = d->enc_len,
                            .d_enc_tok = d->enc_tok,
                            .d_dec_ids = d->dec_ids,
                            .d_label = d->label,
                            .d_dec_start = d->dec_start,
                            .d_dec_len = d->dec_len,
                            .d_dec_tok = d->dec_tok};
    dev->ops->pack(dev, &a);
    host_read(dev, got, d, sizeof *got);
    assert_memory_equal(got, want, sizeof *got);
    dev->ops->free(dev, d), dev->ops->free(dev, d_ids), dev->ops->free(dev, d_row);
    free(want), free(got);
}

static void test_pack(t5_device *dev) {
    check(dev, 1, 1, false);
    check(dev, 1, 300, true);
    check(dev, 5, 2, true);
    check(dev, MOST_ROWS, 60, true);
    check(dev, MOST_ROWS, 20, false);
}

int main(void) {
    static const conformance_test tests[] = {{"packing", test_pack}};
    return conformance_main(tests, (int)(sizeof tests / sizeof *tests));
}
