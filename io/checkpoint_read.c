#include "io/checkpoint.h"
#include "io/checkpoint_layout.h"
#include "io/file.h"
#include "io/store_internal.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct t5_checkpoint {
    char *path;
    int fd; /* of what was verified; a file that replaces it is another one */
    t5_checkpoint_header header;
    t5_checkpoint_place *places;
    t5_store_reader *values;
    char **paths; /* one block */
    t5_checkpoint_array *arrays;
};

/* ---------------------------------------------------------------- without HDF5 */

static t5_status read_header(t5_checkpoint *c, size_t size, t5_error *err) {
    char block[T5_CHECKPOINT_BLOCK];
    if (size < sizeof block)
        return t5_fail(err, T5_ERR_INPUT, "%s: is no checkpoint of t5mpi: it has %zu bytes",
                       c->path, size);
    t5_status status = t5_checkpoint_pread(c->path, c->fd, block, sizeof block, 0, err);
    if (status != T5_OK)
        return status;
    if (!t5_checkpoint_parse(block, &c->header))
        return t5_fail(
            err, T5_ERR_INPUT,
            "%s: is no checkpoint that this version knows, or its first bytes are damaged",
            c->path);
    if (c->header.size != (int64_t)size)
        return t5_fail(err, T5_ERR_INPUT, "%s: is damaged: it has %zu bytes, and should have %lld",
                       c->path, size, (long long)c->header.size);
    return T5_OK;
}

static t5_status read_places(t5_checkpoint *c, t5_error *err) {
    int64_t n = c->header.n_arrays, row = sizeof *c->places;
    if (n < 1 || n > c->header.size / row || c->header.places < T5_CHECKPOINT_BLOCK ||
        c->header.places > c->header.size - n * row)
        return t5_fail(err, T5_ERR_INPUT, "%s: is damaged: its first bytes", c->path);
    c->places = malloc((size_t)(n * row));
    if (!c->places)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory for %lld arrays", c->path,
                       (long long)n);
    return t5_checkpoint_pread(c->path, c->fd, c->places, (size_t)(n * row), c->header.places, err);
}

static t5_status verify_rest(t5_checkpoint *c, t5_error *err) {
    uint64_t found = 0;
    t5_status status = t5_checkpoint_hash_rest(c->path, c->fd, &c->header, c->places, &found, err);
    if (status == T5_OK && found != c->header.xxh3)
        status = t5_fail(err, T5_ERR_INPUT, "%s: is damaged: something beside its arrays", c->path);
    return status;
}

static t5_status verify_arrays(const t5_checkpoint *c, t5_error *err) {
    t5_status status = T5_OK;
    for (int i = 0; i < c->header.n_arrays && status == T5_OK; i++) {
        uint64_t found = 0;
        status = t5_checkpoint_hash_place(c->path, c->fd, &c->places[i], &found, err);
        if (status == T5_OK && found != c->places[i].xxh3)
            status = t5_fail(err, T5_ERR_INPUT, "%s: is damaged: the array %s", c->path,
                             c->arrays[i].path);
    }
    return status;
}

/* ---------------------------------------------------------------- with HDF5 */

static t5_status fail_foreign(const t5_checkpoint *c, const char *what, t5_error *err) {
    return t5_fail(err, T5_ERR_INPUT, "%s: is no checkpoint of t5mpi: %s", c->path, what);
}

/* HDF5 opens files by name only: is what it opened what was verified? */
static t5_status check_same(const t5_checkpoint *c, t5_error *err) {
    void *handle = NULL;
    struct stat mine, its;
    if (H5Fget_vfd_handle(c->values->file, H5P_DEFAULT, &handle) < 0 || fstat(c->fd, &mine) ||
        fstat(*(const int *)handle, &its))
        return t5_fail(err, T5_ERR_INPUT, "%s: HDF5 cannot say which file it opened", c->path);
    if (mine.st_ino != its.st_ino || mine.st_dev != its.st_dev)
        return t5_fail(err, T5_ERR_INPUT, "%s: was replaced while it was read: try again", c->path);
    return T5_OK;
}

/* Shape of the array that HDF5 finds by this path; false: it is not what the place says. */
static bool describe(const t5_checkpoint *c, const char *path, const t5_checkpoint_place *place,
                     t5_checkpoint_array *array) {
    hid_t set = H5Dopen2(c->values->file, path, H5P_DEFAULT);
    hid_t type = set >= 0 ? H5Dget_type(set) : -1, space = set >= 0 ? H5Dget_space(set) : -1;
    int n_dims = space >= 0 ? H5Sget_simple_extent_ndims(space) : -1;
    hsize_t dims[2] = {0, 0};
    bool fits = type >= 0 && H5Tequal(type, H5T_IEEE_F32LE) > 0 && (n_dims == 1 || n_dims == 2) &&
                H5Sget_simple_extent_dims(space, dims, NULL) >= 0 &&
                H5Dget_offset(set) == place->offset && H5Dget_storage_size(set) == place->bytes &&
                (uint64_t)H5Sget_simple_extent_npoints(space) == place->bytes / sizeof(float);
    *array = (t5_checkpoint_array){path, n_dims, {(int64_t)dims[0], (int64_t)dims[1]}};
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    if (set >= 0)
        H5Dclose(set);
    return fits;
}

static t5_status read_arrays(t5_checkpoint *c, t5_error *err) {
    void *paths = NULL;
    int64_t n = 0;
    t5_status status =
        t5_store_get_array(c->values, T5_CHECKPOINT_PATHS, NULL, T5_COLUMN_TEXT, &paths, &n, err);
    c->paths = paths;
    if (status != T5_OK)
        return status;
    if (n != c->header.n_arrays)
        return fail_foreign(c, "its lists of arrays differ in length", err);
    c->arrays = calloc((size_t)n, sizeof *c->arrays);
    if (!c->arrays)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory for %lld arrays", c->path,
                       (long long)n);
    for (int i = 0; i < n; i++)
        if (!describe(c, c->paths[i], &c->places[i], &c->arrays[i]))
            return fail_foreign(c, c->paths[i], err);
    return T5_OK;
}

/* Everything but the arrays, which HDF5 does not read, has been verified: what it cannot read all
 * the same is no damage. */
static t5_status read_values(t5_checkpoint *c, t5_error *err) {
    t5_error cause = {0};
    if (t5_store_open(c->path, &c->values, &cause) == T5_OK && check_same(c, &cause) == T5_OK &&
        read_arrays(c, &cause) == T5_OK)
        return T5_OK;
    return t5_fail(err, cause.status == T5_ERR_MEMORY ? T5_ERR_MEMORY : T5_ERR_IO, "%s",
                   cause.text);
}

/* ---------------------------------------------------------------- open and read */

t5_status t5_checkpoint_open(const char *path, t5_checkpoint **checkpoint, t5_error *err) {
    size_t size = 0;
    *checkpoint = NULL;
    t5_checkpoint *c = calloc(1, sizeof *c);
    if (!c)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    c->fd = -1;
    t5_status status = T5_OK;
    c->path = strdup(path);
    if (!c->path)
        status = t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    if (status == T5_OK)
        status = t5_file_open(path, &c->fd, &size, err);
    if (status == T5_OK)
        status = read_header(c, size, err);
    if (status == T5_OK)
        status = read_places(c, err);
    if (status == T5_OK)
        status = verify_rest(c, err);
    if (status == T5_OK)
        status = read_values(c, err);
    if (status == T5_OK)
        status = verify_arrays(c, err);
    if (status == T5_OK)
        *checkpoint = c;
    else
        t5_checkpoint_close(c);
    return status;
}

void t5_checkpoint_close(t5_checkpoint *c) {
    if (!c)
        return;
    t5_store_close(c->values);
    if (c->fd >= 0)
        close(c->fd);
    free(c->arrays);
    free(c->paths);
    free(c->places);
    free(c->path);
    free(c);
}

t5_store_reader *t5_checkpoint_values(t5_checkpoint *c) {
    return c->values;
}

int t5_checkpoint_size(const t5_checkpoint *c) {
    return c->header.n_arrays;
}

const t5_checkpoint_array *t5_checkpoint_at(const t5_checkpoint *c, int i) {
    return &c->arrays[i];
}

int t5_checkpoint_find(const t5_checkpoint *c, const char *path) {
    for (int i = 0; i < c->header.n_arrays; i++)
        if (strcmp(c->arrays[i].path, path) == 0)
            return i;
    return -1;
}

t5_status t5_checkpoint_read(t5_checkpoint *c, int i, int64_t first, int64_t n, float *out,
                             t5_error *err) {
    if (i < 0 || i >= c->header.n_arrays)
        return t5_fail(err, T5_ERR_INPUT, "%s: has no array %d", c->path, i);
    int64_t size = (int64_t)(c->places[i].bytes / sizeof *out);
    if (first < 0 || n < 0 || first > size || n > size - first)
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: the array %s has %lld elements, not %lld from %lld on", c->path,
                       c->arrays[i].path, (long long)size, (long long)n, (long long)first);
    int64_t offset = (int64_t)c->places[i].offset + first * (int64_t)sizeof *out;
    return t5_checkpoint_pread(c->path, c->fd, out, (size_t)n * sizeof *out, offset, err);
}
