/* A state dict as torch.save writes it since PyTorch 1.6: a zip archive of NAME/data.pkl, a pickle
 * that names storages, NAME/data/KEY, the storages' bytes, and NAME/byteorder. */
#ifndef T5_IO_PYTORCH_BIN_H
#define T5_IO_PYTORCH_BIN_H
#include "io/archive.h"
#include "io/weights_list.h"

/* Adds the tensors of an open file of `size` bytes as tensors of file number `file`. *archive: to
 * be closed before fd; entries whose member is not -1 are read through it. T5_ERR_INPUT (does not
 * name the file), T5_ERR_IO, T5_ERR_MEMORY. */
t5_status t5_pytorch_bin_list(int fd, int64_t size, int file, t5_weights_list *list,
                              t5_archive **archive, t5_error *err);

#endif
