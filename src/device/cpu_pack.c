/* Packing of a batch whose rows are in device memory. */
#include "device/cpu.h"
#include <string.h>

/* One side of a row, input or target. */
static void put_side(const t5_pack_row *r, int32_t start, int32_t n, int64_t s, int32_t *to_start,
                     int32_t *to_len, uint32_t *to_tok) {
    to_start[s] = start;
    to_len[s] = n;
    for (int32_t p = 0; p < n; p++) {
        to_tok[2 * (int64_t)(start + p)] = r->row;
        to_tok[2 * (int64_t)(start + p) + 1] = (uint32_t)p;
    }
}

static void fill(int32_t *to, int32_t n, int32_t value) {
    for (int32_t p = 0; p < n; p++)
        to[p] = value;
}

static void pack_rows(const void *args, int64_t first, int64_t last) {
    const t5_pack_args *a = args;
    for (int64_t s = first; s < last; s++) {
        const t5_pack_row *r = &a->d_row[s];
        int32_t *enc = a->d_enc_ids + r->enc_start, *dec = a->d_dec_ids + r->dec_start;
        int32_t *label = a->d_label + r->dec_start;
        put_side(r, r->enc_start, r->n_input, s, a->d_enc_start, a->d_enc_len, a->d_enc_tok);
        put_side(r, r->dec_start, r->n_target, s, a->d_dec_start, a->d_dec_len, a->d_dec_tok);
        if (r->at < 0) {
            fill(enc, r->n_input, a->pad_id);
            fill(dec, r->n_target, a->pad_id);
            fill(label, r->n_target, -1);
            continue;
        }
        const int32_t *input = a->d_ids + r->at, *target = input + r->n_input;
        memcpy(enc, input, (size_t)r->n_input * sizeof *enc);
        memcpy(label, target, (size_t)r->n_target * sizeof *label);
        if (r->n_target > 0) {
            dec[0] = a->start_id;
            memcpy(dec + 1, target, ((size_t)r->n_target - 1) * sizeof *dec);
        }
    }
}

void t5_cpu_pack(t5_device *dev, const t5_pack_args *a) {
    t5_cpu *cpu = t5_cpu_of(dev);
    if (t5_cpu_failed(cpu))
        return;
    t5_cpu_parallel(cpu, pack_rows, a, a->n_seq, 64);
    a->d_enc_start[a->n_seq] = (int32_t)a->n_enc;
    a->d_dec_start[a->n_seq] = (int32_t)a->n_dec;
}
