#include "io/float_convert.h"

/* A union and no memcpy: gcc 12 leaves a loop with memcpy of four bytes scalar. */
typedef union word {
    uint32_t bits;
    float value;
} word;

void t5_float_from_bfloat16(const uint16_t *restrict in, size_t n, float *restrict out) {
    for (size_t i = 0; i < n; i++) {
        word w = {.bits = (uint32_t)in[i] << 16};
        out[i] = w.value;
    }
}

/* Without branches, so that compilers make vectors of it. A subnormal is its mantissa times 2^-24,
 * computed from an integer because a thread may be set to take subnormal float32 for zero. */
void t5_float_from_half(const uint16_t *restrict in, size_t n, float *restrict out) {
    for (size_t i = 0; i < n; i++) {
        uint32_t sign = (uint32_t)(in[i] & 0x8000) << 16, rest = in[i] & 0x7fff;
        uint32_t moved = rest << 13; /* exponent and mantissa in their places, bias of half */
        uint32_t normal = moved + ((127u - 15) << 23);
        uint32_t special = moved | 0x7f800000; /* infinity, NaN */
        word tiny = {.value = (float)(int32_t)rest * 0x1p-24f};
        uint32_t is_tiny = (uint32_t) - (int32_t)(rest < 0x400);
        uint32_t is_special = (uint32_t) - (int32_t)(rest >= 0x7c00);
        word w = {.bits = sign | (tiny.bits & is_tiny) | (special & is_special) |
                          (normal & ~(is_tiny | is_special))};
        out[i] = w.value;
    }
}
