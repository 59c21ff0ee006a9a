#include "io/checkpoint.h"
#include "io/checkpoint_layout.h"
#include "io/checkpoint_make.h"
#include "io/replace.h"
#include "io/store_internal.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE = 1 << 18, /* bytes whose checksum is made and that are written at a time: they stay
                        in the cache; a span is a whole number of them */
    SLACK = 1 << 20, /* bytes that HDF5 may want for the file */
    SLACK_OF_ARRAY = 1 << 14 /* and for every array; what it does not use is given back */
};

struct t5_checkpoint_writer {
    char *path, *temporary; /* temporary NULL: there is no such file */
    int fd;
    t5_checkpoint_header header;
    t5_checkpoint_place *places;
    int array;           /* the one that is being written */
    uint64_t written;    /* its bytes that are in the file */
    XXH3_state_t *state; /* of the checksums of its spans */
    XXH3_state_t *span;  /* of the span that is being written */
    t5_error err;        /* the first error; later calls do nothing */
};

/* ---------------------------------------------------------------- the file without its arrays */

/* Adds the arrays' names to the values and takes the bytes of the file that they make. */
static t5_status image_of(t5_store *values, const t5_checkpoint_array *arrays, int n, void **image,
                          size_t *bytes, t5_error *err) {
    const char **paths = calloc((size_t)n, sizeof *paths);
    if (!paths)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory for %d arrays", values->path, n);
    for (int i = 0; i < n; i++)
        paths[i] = arrays[i].path;
    t5_store_array(values, T5_CHECKPOINT_PATHS, T5_COLUMN_TEXT, paths, n);
    free(paths);
    return t5_store_image(values, image, bytes, err);
}

static t5_status reserve(t5_checkpoint_writer *w, uint64_t bytes) {
    int reason;
    do
        reason = posix_fallocate(w->fd, 0, (off_t)bytes);
    while (reason == EINTR);
    return reason ? t5_fail(&w->err, T5_ERR_IO, "%s: no room on the disk for %llu bytes: %s",
                            w->path, (unsigned long long)bytes, strerror(reason))
                  : T5_OK;
}

/* Before anything is made: on a disk that is too small, or where files may not grow so large, no
 * work is done in vain. */
static t5_status reserve_all(t5_checkpoint_writer *w, const t5_checkpoint_array *arrays,
                             size_t bytes) {
    uint64_t room = T5_CHECKPOINT_BLOCK + bytes + SLACK;
    for (int i = 0; i < w->header.n_arrays; i++)
        room += t5_checkpoint_bytes(&arrays[i]) + SLACK_OF_ARRAY + 8 * strlen(arrays[i].path);
    return reserve(w, room);
}

/* ---------------------------------------------------------------- the arrays' places */

/* Takes over what there is of a file that is mostly holes. */
static t5_status copy_from(t5_checkpoint_writer *w, int from) {
    char piece[1 << 16];
    off_t at = 0, end;
    while (w->err.status == T5_OK && (at = lseek(from, at, SEEK_DATA)) >= 0) {
        for (end = lseek(from, at, SEEK_HOLE); at < end && w->err.status == T5_OK;) {
            size_t n = end - at < (off_t)sizeof piece ? (size_t)(end - at) : sizeof piece;
            if (t5_checkpoint_pread(w->path, from, piece, n, at, &w->err) == T5_OK)
                t5_checkpoint_pwrite(w->path, w->fd, piece, n, at, &w->err);
            at += (off_t)n;
        }
    }
    return w->err.status;
}

/* The whole file but for what is in its arrays, and the room for those. */
static t5_status write_rest(t5_checkpoint_writer *w, const t5_checkpoint_array *arrays,
                            const void *image, size_t bytes) {
    struct stat info;
    int made = -1;
    if (t5_checkpoint_pwrite(w->path, w->fd, image, bytes, T5_CHECKPOINT_BLOCK, &w->err) != T5_OK ||
        t5_checkpoint_make(w->path, w->temporary, image, bytes, arrays, w->header.n_arrays,
                           w->places, &w->header.places, &made, &w->err) != T5_OK)
        return w->err.status;
    if (fstat(made, &info) || ftruncate(w->fd, info.st_size)) {
        t5_fail(&w->err, T5_ERR_IO, "%s: cannot be written: %s", w->path, strerror(errno));
    } else {
        w->header.size = info.st_size;
        reserve(w, (uint64_t)info.st_size); /* should HDF5 have wanted more than was thought */
    }
    copy_from(w, made);
    close(made);
    return w->err.status;
}

/* ---------------------------------------------------------------- begin, write, commit */

void t5_checkpoint_abandon(t5_checkpoint_writer *w) {
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    if (w->temporary)
        unlink(w->temporary);
    XXH3_freeState(w->state);
    XXH3_freeState(w->span);
    free(w->places);
    free(w->temporary);
    free(w->path);
    free(w);
}

static t5_checkpoint_writer *new_writer(const char *path, int n_arrays) {
    t5_checkpoint_writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->fd = -1;
    w->header.n_arrays = n_arrays;
    w->path = strdup(path);
    w->places = calloc((size_t)n_arrays, sizeof *w->places);
    w->state = XXH3_createState();
    w->span = XXH3_createState();
    if (w->path && w->places && w->state && w->span) {
        XXH3_64bits_reset(w->state);
        XXH3_64bits_reset(w->span);
        return w;
    }
    t5_checkpoint_abandon(w);
    return NULL;
}

t5_status t5_checkpoint_begin(const char *path, t5_store *values, const t5_checkpoint_array *arrays,
                              int n_arrays, t5_checkpoint_writer **writer, t5_error *err) {
    assert(n_arrays >= 1);
    void *image = NULL;
    size_t bytes = 0;
    t5_checkpoint_writer *w = new_writer(path, n_arrays);
    t5_status status = T5_OK;
    *writer = NULL;
    if (!w)
        status = t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    if (status == T5_OK)
        status = image_of(values, arrays, n_arrays, &image, &bytes, err);
    t5_store_abandon(values);
    if (status == T5_OK)
        status = t5_file_begin(path, &w->temporary, &w->fd, err);
    if (status != T5_OK)
        goto done;
    if (reserve_all(w, arrays, bytes) || write_rest(w, arrays, image, bytes))
        status = t5_fail(err, w->err.status, "%s", w->err.text);
done:
    free(image);
    if (status == T5_OK)
        *writer = w;
    else
        t5_checkpoint_abandon(w);
    return status;
}

static void end_array(t5_checkpoint_writer *w) {
    w->places[w->array].xxh3 = XXH3_64bits_digest(w->state);
    XXH3_64bits_reset(w->state);
    w->array++;
    w->written = 0;
}

/* The piece's bytes go into the file and, once they are there, into the checksum. They are of one
 * span. */
static t5_status write_piece(t5_checkpoint_writer *w, const char *data, size_t bytes) {
    const t5_checkpoint_place *place = &w->places[w->array];
    t5_status status = t5_checkpoint_pwrite(w->path, w->fd, data, bytes,
                                            (int64_t)(place->offset + w->written), &w->err);
    if (status != T5_OK)
        return status;
    XXH3_64bits_update(w->span, data, bytes);
    w->written += bytes;
    if (w->written == place->bytes || w->written % T5_CHECKPOINT_SPAN_BYTES == 0) {
        uint64_t sum = XXH3_64bits_digest(w->span);
        XXH3_64bits_update(w->state, &sum, sizeof sum);
        XXH3_64bits_reset(w->span);
    }
    if (w->written == place->bytes)
        end_array(w);
    return T5_OK;
}

t5_status t5_checkpoint_write(t5_checkpoint_writer *w, int i, int64_t first, int64_t n,
                              const float *data, t5_error *err) {
    const char *from = (const char *)data;
    uint64_t left = (uint64_t)n * sizeof *data;
    assert(n >= 0);
    if (w->err.status == T5_OK &&
        (i != w->array || i >= w->header.n_arrays || (uint64_t)first * sizeof *data != w->written ||
         left > w->places[i].bytes - w->written))
        t5_fail(&w->err, T5_ERR_IO, "%s: array %d is not written in the order of the file", w->path,
                i);
    while (left > 0 && w->err.status == T5_OK) {
        uint64_t most = PIECE - w->written % PIECE; /* ends where a span does */
        size_t bytes = (size_t)(left < most ? left : most);
        write_piece(w, from, bytes);
        from += bytes;
        left -= bytes;
    }
    return w->err.status == T5_OK ? T5_OK : t5_fail(err, w->err.status, "%s", w->err.text);
}

const char *t5_checkpoint_temporary(const t5_checkpoint_writer *w) {
    return w->temporary;
}

int64_t t5_checkpoint_offset(const t5_checkpoint_writer *w, int i) {
    assert(i >= 0 && i < w->header.n_arrays);
    return (int64_t)w->places[i].offset;
}

t5_status t5_checkpoint_written(t5_checkpoint_writer *w, int i, const uint64_t *sums,
                                t5_error *err) {
    if (w->err.status == T5_OK && (i != w->array || i >= w->header.n_arrays || w->written > 0))
        t5_fail(&w->err, T5_ERR_IO, "%s: array %d is not written in the order of the file", w->path,
                i);
    if (w->err.status != T5_OK)
        return t5_fail(err, w->err.status, "%s", w->err.text);
    uint64_t spans = (w->places[i].bytes + T5_CHECKPOINT_SPAN_BYTES - 1) / T5_CHECKPOINT_SPAN_BYTES;
    XXH3_64bits_update(w->state, sums, spans * sizeof *sums);
    end_array(w);
    return T5_OK;
}

/* The places with their checksums, then the user block with that of everything else. */
static t5_status write_checksums(t5_checkpoint_writer *w, t5_error *err) {
    char block[T5_CHECKPOINT_BLOCK];
    if (w->err.status != T5_OK)
        return t5_fail(err, w->err.status, "%s", w->err.text);
    if (w->array < w->header.n_arrays)
        return t5_fail(err, T5_ERR_IO, "%s: array %d was not written to its end", w->path,
                       w->array);
    t5_status status =
        t5_checkpoint_pwrite(w->path, w->fd, w->places,
                             (size_t)w->header.n_arrays * sizeof *w->places, w->header.places, err);
    if (status == T5_OK)
        status =
            t5_checkpoint_hash_rest(w->path, w->fd, &w->header, w->places, &w->header.xxh3, err);
    if (status != T5_OK)
        return status;
    t5_checkpoint_render(&w->header, block);
    return t5_checkpoint_pwrite(w->path, w->fd, block, sizeof block, 0, err);
}

t5_status t5_checkpoint_commit(t5_checkpoint_writer *w, t5_error *err) {
    t5_status status = write_checksums(w, err);
    if (status == T5_OK) {
        status = t5_file_finish(w->path, w->temporary, w->fd, err);
        w->fd = -1; /* closed, and the temporary file is gone either way */
        free(w->temporary);
        w->temporary = NULL;
    }
    t5_checkpoint_abandon(w);
    return status;
}
