/* Packing of a batch whose rows are in device memory: a block for a sequence. */
#include "device/launch.cuh"

enum { THREADS = 128 };

static __device__ void put_tokens(uint32_t *tok, int32_t n, uint32_t row) {
    for (int32_t p = (int32_t)threadIdx.x; p < n; p += THREADS) {
        tok[2 * (int64_t)p] = row;
        tok[2 * (int64_t)p + 1] = (uint32_t)p;
    }
}

static __global__ void __launch_bounds__(THREADS) pack_kernel(t5_pack_args a) {
    const int s = (int)blockIdx.x;
    const t5_pack_row r = a.d_row[s];
    const bool padding = r.at < 0;
    const int32_t *input = a.d_ids + (padding ? 0 : r.at), *target = input + r.n_input;
    put_tokens(a.d_enc_tok + 2 * (int64_t)r.enc_start, r.n_input, r.row);
    put_tokens(a.d_dec_tok + 2 * (int64_t)r.dec_start, r.n_target, r.row);
    for (int32_t p = (int32_t)threadIdx.x; p < r.n_input; p += THREADS)
        a.d_enc_ids[r.enc_start + p] = padding ? a.pad_id : input[p];
    for (int32_t p = (int32_t)threadIdx.x; p < r.n_target; p += THREADS) {
        int32_t before = padding ? a.pad_id : p == 0 ? a.start_id : target[p - 1];
        a.d_dec_ids[r.dec_start + p] = before;
        a.d_label[r.dec_start + p] = padding ? -1 : target[p];
    }
    if (threadIdx.x == 0) {
        a.d_enc_start[s] = r.enc_start, a.d_enc_len[s] = r.n_input;
        a.d_dec_start[s] = r.dec_start, a.d_dec_len[s] = r.n_target;
        if (s == 0)
            a.d_enc_start[a.n_seq] = (int32_t)a.n_enc, a.d_dec_start[a.n_seq] = (int32_t)a.n_dec;
    }
}

cudaError_t t5_launch_pack(const t5_pack_args *a, cudaStream_t stream) {
    return launch(pack_kernel, (unsigned)a->n_seq, THREADS, 0, stream, *a);
}
