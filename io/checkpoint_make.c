#include "io/checkpoint_make.h"
#include "io/store_internal.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGNMENT = 4096 /* of arrays that are at least as large */ };

uint64_t t5_checkpoint_bytes(const t5_checkpoint_array *array) {
    assert(array->n_dims == 1 || array->n_dims == 2);
    assert(array->dims[0] > 0 && (array->n_dims == 1 || array->dims[1] > 0));
    return (uint64_t)array->dims[0] * (array->n_dims == 2 ? (uint64_t)array->dims[1] : 1) *
           sizeof(float);
}

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

static t5_status place_all(const char *file_path, hid_t file, const plists *p,
                           const t5_checkpoint_array *arrays, int n, t5_checkpoint_place *places,
                           int64_t *table, t5_error *err) {
    const hsize_t rows[] = {(hsize_t)n, 3};
    haddr_t offset = place_set(file, p, T5_CHECKPOINT_PLACES, H5T_STD_U64LE, 2, rows);
    const char *path = T5_CHECKPOINT_PLACES;
    *table = (int64_t)offset;
    for (int i = 0; i < n && offset != HADDR_UNDEF; i++) {
        const hsize_t dims[] = {(hsize_t)arrays[i].dims[0], (hsize_t)arrays[i].dims[1]};
        path = arrays[i].path;
        offset = place_set(file, p, path, H5T_IEEE_F32LE, arrays[i].n_dims, dims);
        places[i].offset = offset;
        places[i].bytes = t5_checkpoint_bytes(&arrays[i]);
    }
    return offset != HADDR_UNDEF ? T5_OK
                                 : t5_fail(err, T5_ERR_IO, "%s: HDF5 cannot make the array %s: %s",
                                           file_path, path, t5_store_cause().text);
}

/* Opens the values' file, and has HDF5 use the one in memory, which has the same bytes, in its
 * place: HDF5 opens files by name, and that one has none. */
static t5_status open_made(const char *path, const char *values, int memory, const plists *p,
                           hid_t *file, t5_error *err) {
    void *handle = NULL;
    *file = H5Fopen(values, H5F_ACC_RDWR, p->access);
    if (*file < 0 || H5Fget_vfd_handle(*file, H5P_DEFAULT, &handle) < 0)
        return t5_fail(err, T5_ERR_IO, "%s: HDF5 cannot open what was written: %s", path,
                       t5_store_cause().text);
    return dup3(memory, *(const int *)handle, O_CLOEXEC) >= 0
               ? T5_OK
               : t5_fail(err, T5_ERR_IO, "%s: no file in memory: %s", path, strerror(errno));
}

t5_status t5_checkpoint_make(const char *path, const char *values, const void *image, size_t bytes,
                             const t5_checkpoint_array *arrays, int n, t5_checkpoint_place *places,
                             int64_t *table, int *fd, t5_error *err) {
    plists p;
    hid_t file = -1;
    *fd = memfd_create("t5mpi checkpoint", MFD_CLOEXEC);
    if (*fd < 0)
        return t5_fail(err, T5_ERR_MEMORY, "%s: no file in memory: %s", path, strerror(errno));
    t5_status status = t5_checkpoint_pwrite(path, *fd, image, bytes, T5_CHECKPOINT_BLOCK, err);
    if (!open_plists(&p) && status == T5_OK)
        status = t5_fail(err, T5_ERR_IO, "%s: HDF5 fails: %s", path, t5_store_cause().text);
    if (status == T5_OK)
        status = open_made(path, values, *fd, &p, &file, err);
    if (status == T5_OK)
        status = place_all(path, file, &p, arrays, n, places, table, err);
    if (file >= 0 && H5Fclose(file) < 0 && status == T5_OK)
        status = t5_fail(err, T5_ERR_IO, "%s: HDF5 cannot close a file in memory: %s", path,
                         t5_store_cause().text);
    close_plists(&p);
    if (status != T5_OK) {
        close(*fd);
        *fd = -1;
    }
    return status;
}
