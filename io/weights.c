#include "io/weights.h"
#include "io/file.h"
#include "io/float_convert.h"
#include "io/json_file.h"
#include "io/pytorch_bin.h"
#include "io/safetensors.h"
#include "io/weights_index.h"
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the files are little-endian, and values are taken from them as they are"
#endif

typedef enum { SAFETENSORS, PYTORCH } file_format;

/* In the order in which they are looked for. */
static const struct {
    const char *name;
    file_format format;
    bool is_index;
} candidates[] = {
    {"model.safetensors", SAFETENSORS, false},
    {"model.safetensors.index.json", SAFETENSORS, true},
    {"pytorch_model.bin", PYTORCH, false},
    {"pytorch_model.bin.index.json", PYTORCH, true},
};
enum { N_CANDIDATES = sizeof candidates / sizeof *candidates };

typedef struct weight_file {
    char *path;
    int fd; /* -1: not open */
    t5_archive *archive;
} weight_file;

struct t5_weights {
    weight_file *files;
    int n_files;
    t5_weights_list list; /* sorted by name */
};

/* An empty file, and what a clone of a hub's repository has without Git LFS in place of a large
 * one.
 */
static t5_status refuse_placeholder(int fd, size_t size, t5_error *err) {
    static const char begin[] = "version https://git-lfs";
    char found[sizeof begin - 1];
    if (size == 0)
        return t5_fail(err, T5_ERR_INPUT, "is empty");
    if (size < sizeof found || size > 1024)
        return T5_OK;
    t5_status status = t5_weights_pread(fd, found, sizeof found, 0, err);
    if (!status && memcmp(found, begin, sizeof found) == 0)
        status = t5_fail(err, T5_ERR_INPUT,
                         "is Git LFS's pointer to the file, not the file: run git lfs pull");
    return status;
}

static t5_status open_file(t5_weights *w, const char *directory, const char *name,
                           file_format format, t5_error *err) {
    int number = w->n_files++;
    weight_file *f = &w->files[number];
    size_t size = 0;
    f->fd = -1;
    if (asprintf(&f->path, "%s/%s", directory, name) < 0) {
        f->path = NULL;
        return t5_fail(err, T5_ERR_MEMORY, "%s/%s: out of memory", directory, name);
    }
    t5_status status = t5_file_open(f->path, &f->fd, &size, err);
    if (status)
        return status;
    status = refuse_placeholder(f->fd, size, err);
    if (!status && format == SAFETENSORS)
        status = t5_safetensors_list(f->fd, (int64_t)size, number, &w->list, err);
    else if (!status)
        status = t5_pytorch_bin_list(f->fd, (int64_t)size, number, &w->list, &f->archive, err);
    if (status)
        t5_error_prefix(err, "%s", f->path);
    return status;
}

static t5_status reserve_files(t5_weights *w, int n, t5_error *err) {
    w->files = calloc((size_t)n, sizeof *w->files);
    return w->files ? T5_OK : t5_fail(err, T5_ERR_MEMORY, "out of memory for %d files", n);
}

static t5_status open_one(t5_weights *w, const char *directory, const char *name,
                          file_format format, t5_error *err) {
    t5_status status = reserve_files(w, 1, err);
    if (!status)
        status = open_file(w, directory, name, format, err);
    if (status)
        return status;
    status = t5_weights_list_sort(&w->list, err);
    if (status)
        t5_error_prefix(err, "%s/%s", directory, name);
    return status;
}

static t5_status open_sharded(t5_weights *w, const char *directory, const char *name,
                              file_format format, t5_error *err) {
    char *path = NULL;
    t5_weights_index *index = NULL;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return t5_fail(err, T5_ERR_MEMORY, "%s/%s: out of memory", directory, name);
    t5_status status = t5_weights_index_read(path, &index, err);
    if (status)
        goto done;
    status = reserve_files(w, t5_weights_index_size(index), err);
    for (int i = 0; !status && i < t5_weights_index_size(index); i++)
        status = open_file(w, directory, t5_weights_index_file(index, i), format, err);
    if (status)
        goto done;
    status = t5_weights_list_sort(&w->list, err);
    if (!status)
        status = t5_weights_index_check(index, &w->list, err);
    if (status)
        t5_error_prefix(err, "%s", path);
done:
    t5_weights_index_free(index);
    free(path);
    return status;
}

/* Index of the first candidate that is there, N_CANDIDATES: none is. */
static t5_status choose(const char *directory, int *chosen, t5_error *err) {
    for (*chosen = 0; *chosen < N_CANDIDATES; ++*chosen) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", directory, candidates[*chosen].name) < 0)
            return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", directory);
        int found = t5_file_exists(path);
        free(path);
        if (found)
            return T5_OK;
    }
    if (!t5_file_exists(directory))
        return t5_fail(err, T5_ERR_INPUT, "%s: no such folder", directory);
    return t5_fail(err, T5_ERR_INPUT, "%s: no weights there; expected %s, %s, %s or %s", directory,
                   candidates[0].name, candidates[1].name, candidates[2].name, candidates[3].name);
}

t5_status t5_weights_open(const char *directory, t5_weights **weights, t5_error *err) {
    int chosen;
    t5_weights *w = NULL;
    *weights = NULL;
    t5_status status = choose(directory, &chosen, err);
    if (status)
        return status;
    w = calloc(1, sizeof *w);
    if (!w)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", directory);
    const char *name = candidates[chosen].name;
    file_format format = candidates[chosen].format;
    if (candidates[chosen].is_index)
        status = open_sharded(w, directory, name, format, err);
    else
        status = open_one(w, directory, name, format, err);
    if (status) {
        t5_json_tame(err);
        t5_weights_close(w);
        return status;
    }
    *weights = w;
    return T5_OK;
}

void t5_weights_close(t5_weights *w) {
    if (!w)
        return;
    for (int i = 0; i < w->n_files; i++) {
        t5_archive_close(w->files[i].archive);
        if (w->files[i].fd >= 0)
            close(w->files[i].fd);
        free(w->files[i].path);
    }
    free(w->files);
    t5_weights_list_free(&w->list);
    free(w);
}

int t5_weights_size(const t5_weights *w) {
    return w->list.n;
}

const t5_weights_tensor *t5_weights_at(const t5_weights *w, int i) {
    return &w->list.entries[i].tensor;
}

const t5_weights_tensor *t5_weights_find(const t5_weights *w, const char *name) {
    const t5_weights_entry *e = t5_weights_list_find(&w->list, name);
    return e ? &e->tensor : NULL;
}

static t5_status read_bytes(t5_weights *w, const t5_weights_entry *e, int64_t offset, void *out,
                            size_t n, t5_error *err) {
    const weight_file *f = &w->files[e->file];
    if (e->member >= 0)
        return t5_archive_read(f->archive, e->member, e->offset + offset, out, n, err);
    return t5_weights_pread(f->fd, out, n, e->offset + offset, err);
}

/* Two-byte values by way of a buffer that stays in the cache. */
static t5_status read_narrow(t5_weights *w, const t5_weights_entry *e, int64_t first, int64_t n,
                             float *out, t5_error *err) {
    uint16_t chunk[1 << 14];
    const int64_t most = sizeof chunk / sizeof *chunk;
    t5_status status = T5_OK;
    while (!status && n > 0) {
        int64_t now = n < most ? n : most;
        status = read_bytes(w, e, first * (int64_t)sizeof *chunk, chunk,
                            (size_t)now * sizeof *chunk, err);
        if (status)
            break;
        if (e->type == T5_WEIGHTS_F16)
            t5_float_from_half(chunk, (size_t)now, out);
        else
            t5_float_from_bfloat16(chunk, (size_t)now, out);
        first += now;
        out += now;
        n -= now;
    }
    return status;
}

t5_status t5_weights_read(t5_weights *w, const t5_weights_tensor *tensor, int64_t first, int64_t n,
                          float *out, t5_error *err) {
    /* the tensor is the first member of its entry */
    const t5_weights_entry *e = (const t5_weights_entry *)tensor;
    t5_status status;
    assert(first >= 0 && n >= 0 && first <= tensor->count && n <= tensor->count - first);
    if (n == 0)
        return T5_OK;
    if (e->type == T5_WEIGHTS_F32)
        status = read_bytes(w, e, first * (int64_t)sizeof *out, out, (size_t)n * sizeof *out, err);
    else
        status = read_narrow(w, e, first, n, out, err);
    if (status) {
        t5_error_prefix(err, "%s: tensor %.200s", w->files[e->file].path, tensor->name);
        t5_json_tame(err);
    }
    return status;
}
