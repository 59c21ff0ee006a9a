/* Half and bfloat16 to float32, exactly: every value of either is a float32. */
#ifndef T5_IO_FLOAT_CONVERT_H
#define T5_IO_FLOAT_CONVERT_H
#include <stddef.h>
#include <stdint.h>

/* n IEEE 754 binary16 values; a NaN keeps its sign and payload. in and out do not overlap. */
void t5_float_from_half(const uint16_t *restrict in, size_t n, float *restrict out);
/* n bfloat16 values: the upper halves of float32. */
void t5_float_from_bfloat16(const uint16_t *restrict in, size_t n, float *restrict out);

#endif
