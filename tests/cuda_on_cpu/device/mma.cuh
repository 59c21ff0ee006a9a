/* The functions of src/device/mma.cuh on the CPU, found before it: the same fragments, by shuffles
 * between the lanes, so that the race detector sees which lane reads what. */
#ifndef T5_DEVICE_MMA_CUH
#define T5_DEVICE_MMA_CUH
#include "device/launch.cuh"

#define EMU_HERE const char *file_ = __builtin_FILE(), int line_ = __builtin_LINE()

static inline uint64_t emu_from(uint64_t v, int lane, const char *file, int line) {
    return __shfl_sync(~0u, v, lane, 32, file, line);
}
static inline uint64_t emu_words(uint32_t low, uint32_t high) {
    return (uint64_t)high << 32 | low;
}
/* x[0] y[0] + x[1] y[1] of the low (0) or high (1) words' bfloat16 pairs. */
static inline float emu_dot(uint64_t x, uint64_t y, int word) {
    uint32_t u = (uint32_t)(x >> 32 * word), v = (uint32_t)(y >> 32 * word);
    return __int_as_float((int)(u << 16)) * __int_as_float((int)(v << 16)) +
           __int_as_float((int)(u & 0xffff0000u)) * __int_as_float((int)(v & 0xffff0000u));
}

static inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                            EMU_HERE) {
    int g = emu::lane() / 4, t = emu::lane() % 4;
    float sum[4] = {};
    for (int k = 0; k < 4; k++) {
        uint64_t row = emu_from(emu_words(a[0], a[2]), 4 * g + k, file_, line_);
        uint64_t lower = emu_from(emu_words(a[1], a[3]), 4 * g + k, file_, line_);
        uint64_t left = emu_from(emu_words(b0, b1), 8 * t + k, file_, line_);
        uint64_t right = emu_from(emu_words(b0, b1), 8 * t + 4 + k, file_, line_);
        for (int word = 0; word < 2; word++) {
            sum[0] += emu_dot(row, left, word), sum[1] += emu_dot(row, right, word);
            sum[2] += emu_dot(lower, left, word), sum[3] += emu_dot(lower, right, word);
        }
    }
    for (int i = 0; i < 4; i++)
        c[i] += sum[i];
}

static inline const uint16_t *emu_row(const bf16 *row, int lane, const char *file, int line) {
    uintptr_t at = (uintptr_t)emu_from((uintptr_t)row, lane, file, line);
    if (at % 16 != 0)
        emu::fail("ldmatrix from an address that is not aligned at %s:%d", file, line);
    return (const uint16_t *)at;
}

static inline void load_matrices(uint32_t (&r)[4], const bf16 *row, EMU_HERE) {
    int g = emu::lane() / 4, t = emu::lane() % 4;
    for (int i = 0; i < 4; i++) {
        const uint16_t *p = emu_row(row, 8 * i + g, file_, line_);
        r[i] = p[2 * t] | (uint32_t)p[2 * t + 1] << 16;
    }
}
static inline void load_transposed(uint32_t (&r)[4], const bf16 *row, EMU_HERE) {
    int g = emu::lane() / 4, t = emu::lane() % 4;
    for (int i = 0; i < 4; i++) {
        const uint16_t *p = emu_row(row, 8 * i + 2 * t, file_, line_);
        const uint16_t *q = emu_row(row, 8 * i + 2 * t + 1, file_, line_);
        r[i] = p[g] | (uint32_t)q[g] << 16;
    }
}
#undef EMU_HERE
#endif
