/* A process that writes ranges of a checkpoint that another one has begun. */
#include "io/checkpoint.h"
#include "io/checkpoint_layout.h"
#include "io/replace.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

_Static_assert(T5_CHECKPOINT_SPAN * sizeof(float) == T5_CHECKPOINT_SPAN_BYTES,
               "a span in elements and in bytes");

t5_status t5_checkpoint_join(const char *temporary, int *fd, t5_error *err) {
    *fd = open(temporary, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    return *fd >= 0 ? T5_OK
                    : t5_fail(err, T5_ERR_IO, "%s: cannot be opened by every rank: %s", temporary,
                              strerror(errno));
}

t5_status t5_checkpoint_write_range(const char *path, int fd, int64_t offset, int64_t first,
                                    int64_t n, const float *data, uint64_t *sums, t5_error *err) {
    t5_status status = T5_OK;
    assert(first % T5_CHECKPOINT_SPAN == 0 && n >= 0);
    for (int64_t done = 0; done < n && status == T5_OK; done += T5_CHECKPOINT_SPAN) {
        int64_t left = n - done, now = left < T5_CHECKPOINT_SPAN ? left : T5_CHECKPOINT_SPAN;
        size_t bytes = (size_t)now * sizeof *data;
        *sums++ = XXH3_64bits(data + done, bytes);
        status = t5_checkpoint_pwrite(path, fd, data + done, bytes,
                                      offset + (first + done) * (int64_t)sizeof *data, err);
    }
    return status;
}

t5_status t5_checkpoint_sync(const char *path, int fd, t5_error *err) {
    t5_status status = T5_OK;
    if (t5_file_sync(fd))
        status = t5_fail(err, T5_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (close(fd) && status == T5_OK)
        status = t5_fail(err, T5_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    return status;
}
