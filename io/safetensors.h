/* The safetensors format: 8 bytes, little-endian, the length of a JSON header; the header, an
 * object
 * {"NAME": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__": {..}};
 * the tensors' bytes, little-endian, row-major, to which the offsets refer. As in the format's
 * reference implementation (safetensors 0.8 was tried), the tensors cover the bytes behind the
 * header to the last one, without overlap and without holes, and a header has at most 100 MB. */
#ifndef T5_IO_SAFETENSORS_H
#define T5_IO_SAFETENSORS_H
#include "io/weights_list.h"

/* Adds the tensors of an open file of `size` bytes as tensors of file number `file`. T5_ERR_INPUT
 * (names the tensor or the field, not the file), T5_ERR_IO, T5_ERR_MEMORY. */
t5_status t5_safetensors_list(int fd, int64_t size, int file, t5_weights_list *list, t5_error *err);

/* The same from a header alone, n bytes that begin behind the length; `data` bytes follow it. */
t5_status t5_safetensors_parse(const char *header, size_t n, int64_t data, int file,
                               t5_weights_list *list, t5_error *err);

#endif
