#include "io/checkpoint.h"
#include "io/checkpoint_layout.h"
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
    ALIGNMENT = 4096, /* of arrays that are at least as large */
    PIECE = 1 << 18,  /* bytes whose checksum is made and that are written at a time: they stay
                         in the cache; a span is a whole number of them */
    SLACK = 1 << 20,  /* bytes that HDF5 may want for the file */
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

static uint64_t bytes_of(const t5_checkpoint_array *array) {
    assert(array->n_dims == 1 || array->n_dims == 2);
    assert(array->dims[0] > 0 && (array->n_dims == 1 || array->dims[1] > 0));
    return (uint64_t)array->dims[0] * (array->n_dims == 2 ? (uint64_t)array->dims[1] : 1) *
           sizeof(float);
}

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

/* Everything that HDF5 will write is room that is there: it cannot let go of a file otherwise. */
static t5_status write_image(t5_checkpoint_writer *w, const t5_checkpoint_array *arrays,
                             const void *image, size_t bytes) {
    uint64_t room = T5_CHECKPOINT_BLOCK + bytes + SLACK;
    for (int i = 0; i < w->header.n_arrays; i++)
        room += bytes_of(&arrays[i]) + SLACK_OF_ARRAY + 8 * strlen(arrays[i].path);
    if (reserve(w, room) != T5_OK)
        return w->err.status;
    return t5_checkpoint_pwrite(w->path, w->fd, image, bytes, T5_CHECKPOINT_BLOCK, &w->err);
}

/* ---------------------------------------------------------------- the arrays' places */

/* The property lists by which arrays are made. */
typedef struct plists {
    hid_t access, create, link;
} plists;

static void close_plists(const plists *p) {
    const hid_t all[] = {p->access, p->create, p->link};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] >= 0)
            H5Pclose(all[i]);
}

static bool open_plists(plists *p) {
    p->access = H5Pcreate(H5P_FILE_ACCESS);
    p->create = H5Pcreate(H5P_DATASET_CREATE);
    p->link = H5Pcreate(H5P_LINK_CREATE);
    return p->access >= 0 && p->create >= 0 && p->link >= 0 && H5Pset_fapl_sec2(p->access) >= 0 &&
           H5Pset_file_locking(p->access, false, true) >= 0 &&
           H5Pset_alignment(p->access, ALIGNMENT, ALIGNMENT) >= 0 &&
           H5Pset_layout(p->create, H5D_CONTIGUOUS) >= 0 &&
           H5Pset_alloc_time(p->create, H5D_ALLOC_TIME_EARLY) >= 0 &&
           H5Pset_fill_time(p->create, H5D_FILL_TIME_NEVER) >= 0 &&
           H5Pset_create_intermediate_group(p->link, 1) >= 0 &&
           H5Pset_char_encoding(p->link, H5T_CSET_UTF8) >= 0;
}

/* Makes a data set without contents and says where it is in the file; HADDR_UNDEF: failed. */
static haddr_t place_set(hid_t file, const plists *p, const char *path, hid_t type, int n_dims,
                         const hsize_t *dims) {
    haddr_t offset = HADDR_UNDEF;
    hid_t space = H5Screate_simple(n_dims, dims, NULL), set = -1;
    if (space >= 0)
        set = H5Dcreate2(file, path, type, space, p->link, p->create, H5P_DEFAULT);
    if (set >= 0) {
        offset = H5Dget_offset(set);
        H5Dclose(set);
    }
    if (space >= 0)
        H5Sclose(space);
    return offset;
}

static t5_status place_in(t5_checkpoint_writer *w, hid_t file, const plists *p,
                          const t5_checkpoint_array *arrays) {
    const hsize_t table[] = {(hsize_t)w->header.n_arrays, 3};
    haddr_t offset = place_set(file, p, T5_CHECKPOINT_PLACES, H5T_STD_U64LE, 2, table);
    const char *path = T5_CHECKPOINT_PLACES;
    w->header.places = (int64_t)offset;
    for (int i = 0; i < w->header.n_arrays && offset != HADDR_UNDEF; i++) {
        const hsize_t dims[] = {(hsize_t)arrays[i].dims[0], (hsize_t)arrays[i].dims[1]};
        path = arrays[i].path;
        offset = place_set(file, p, path, H5T_IEEE_F32LE, arrays[i].n_dims, dims);
        w->places[i].offset = offset;
        w->places[i].bytes = bytes_of(&arrays[i]);
    }
    return offset != HADDR_UNDEF
               ? T5_OK
               : t5_fail(&w->err, T5_ERR_IO, "%s: HDF5 cannot make the array %s: %s", w->path, path,
                         t5_store_cause());
}

/* Has HDF5 make the arrays' data sets in the file. */
static t5_status place_arrays(t5_checkpoint_writer *w, const t5_checkpoint_array *arrays) {
    plists p;
    hid_t file = -1;
    if (open_plists(&p))
        file = H5Fopen(w->temporary, H5F_ACC_RDWR, p.access);
    if (file < 0)
        t5_fail(&w->err, T5_ERR_IO, "%s: HDF5 cannot open what was written: %s", w->path,
                t5_store_cause());
    else
        place_in(w, file, &p, arrays);
    if (file >= 0 && H5Fclose(file) < 0)
        t5_fail(&w->err, T5_ERR_IO, "%s: HDF5 cannot close it: %s", w->path, t5_store_cause());
    close_plists(&p);
    return w->err.status;
}

/* HDF5 cut the file behind the last thing in it. Should it have wanted more room than was thought,
 * this is the moment to find that there is none. */
static t5_status measure(t5_checkpoint_writer *w) {
    struct stat info;
    if (fstat(w->fd, &info))
        return t5_fail(&w->err, T5_ERR_IO, "%s: %s", w->path, strerror(errno));
    w->header.size = info.st_size;
    return reserve(w, (uint64_t)info.st_size);
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
    if (write_image(w, arrays, image, bytes) || place_arrays(w, arrays) || measure(w))
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
