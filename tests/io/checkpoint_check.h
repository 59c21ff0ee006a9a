/* A checkpoint of known contents: written, read back, and taken apart. */
#ifndef T5_TESTS_IO_CHECKPOINT_CHECK_H
#define T5_TESTS_IO_CHECKPOINT_CHECK_H
#include "io/checkpoint.h"
#include "io/checkpoint_layout.h"
#include "scratch.h"
#include <dirent.h>
#include <fcntl.h>

enum { N_ARRAYS = 5 };
static const t5_checkpoint_array check_arrays[N_ARRAYS] = {{"/weights/a", 1, {7, 0}},
                                                           {"/weights/b", 2, {61, 67}},
                                                           {"/weights/deep/er/ö", 1, {1, 0}},
                                                           {"/weights/d", 1, {7, 0}},
                                                           {"/adam/e", 2, {1024, 3}}};

static inline int64_t check_elements(int i) {
    return check_arrays[i].dims[0] * (check_arrays[i].n_dims == 2 ? check_arrays[i].dims[1] : 1);
}

/* Element k of array i, another one with each salt. */
static inline float check_value(int i, int64_t k, int salt) {
    return (float)((k * 31 + i * 7 + salt * 3) % 10007) - 0.5F;
}

static const uint8_t check_block[] = {0, 255, 3, 0, 7};

static inline t5_store *make_values(void) {
    t5_error err = {0};
    t5_store *s = NULL;
    assert_int_equal(t5_store_create("values", &s, &err), T5_OK);
    t5_store_attr_int(s, "/trial", "step", 42);
    t5_store_attr_text(s, "/trial", "name", "v3 🎵");
    t5_store_array(s, "/block", T5_COLUMN_BYTE, check_block, (int64_t)sizeof check_block);
    return s;
}

static inline t5_checkpoint_writer *begin_checkpoint(const char *path) {
    t5_error err = {0};
    t5_checkpoint_writer *w = NULL;
    if (t5_checkpoint_begin(path, make_values(), check_arrays, N_ARRAYS, &w, &err))
        fail_msg("%s", err.text);
    return w;
}

/* In pieces of many sizes, none among them. */
static inline void write_arrays(t5_checkpoint_writer *w, int salt) {
    t5_error err = {0};
    for (int i = 0; i < N_ARRAYS; i++) {
        int64_t n = check_elements(i), step = 0;
        for (int64_t first = 0; first < n; first += step, step = step * 2 + 1) {
            float data[4096];
            if (step > n - first)
                step = n - first;
            for (int64_t k = 0; k < step; k++)
                data[k] = check_value(i, first + k, salt);
            if (t5_checkpoint_write(w, i, first, step, data, &err))
                fail_msg("%s", err.text);
        }
    }
}

static inline void write_checkpoint(const char *path, int salt) {
    t5_error err = {0};
    t5_checkpoint_writer *w = begin_checkpoint(path);
    write_arrays(w, salt);
    if (t5_checkpoint_commit(w, &err))
        fail_msg("%s", err.text);
}

static inline void check_values(t5_store_reader *r) {
    t5_error err = {0};
    int64_t step = 0, n = 0;
    char *name = NULL;
    void *block = NULL;
    assert_non_null(r);
    assert_int_equal(t5_store_get_int(r, "/trial", "step", &step, &err), T5_OK);
    assert_int_equal(step, 42);
    assert_int_equal(t5_store_get_text(r, "/trial", "name", &name, &err), T5_OK);
    assert_string_equal(name, "v3 🎵");
    assert_int_equal(t5_store_get_array(r, "/block", NULL, T5_COLUMN_BYTE, &block, &n, &err),
                     T5_OK);
    assert_int_equal(n, sizeof check_block);
    assert_memory_equal(block, check_block, sizeof check_block);
    free(block);
    free(name);
}

/* The file is what write_checkpoint writes with this salt. */
static inline void check_checkpoint(const char *path, int salt) {
    t5_error err = {0};
    t5_checkpoint *c = NULL;
    if (t5_checkpoint_open(path, &c, &err))
        fail_msg("%s", err.text);
    check_values(t5_checkpoint_values(c));
    assert_int_equal(t5_checkpoint_size(c), N_ARRAYS);
    assert_int_equal(t5_checkpoint_find(c, "/weights"), -1);
    for (int i = 0; i < N_ARRAYS; i++) {
        const t5_checkpoint_array *array = t5_checkpoint_at(c, i);
        float data[4096];
        assert_string_equal(array->path, check_arrays[i].path);
        assert_int_equal(array->n_dims, check_arrays[i].n_dims);
        assert_memory_equal(array->dims, check_arrays[i].dims, sizeof array->dims);
        assert_int_equal(t5_checkpoint_find(c, array->path), i);
        assert_int_equal(t5_checkpoint_read(c, i, 0, check_elements(i), data, &err), T5_OK);
        for (int64_t k = 0; k < check_elements(i); k++)
            assert_true(data[k] == check_value(i, k, salt));
    }
    t5_checkpoint_close(c);
}

/* ---------------------------------------------------------------- files and their parts */

static inline int count_files(const char *folder) {
    int n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

static inline char *read_whole(const char *path, int64_t *size) {
    struct stat info;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    char *data = malloc((size_t)info.st_size);
    assert_non_null(data);
    assert_int_equal(read(fd, data, (size_t)info.st_size), info.st_size);
    close(fd);
    *size = info.st_size;
    return data;
}

static inline void flip_byte(const char *path, int64_t at) {
    char byte = 0;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte = (char)~byte;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

typedef struct layout {
    t5_checkpoint_header header;
    t5_checkpoint_place places[N_ARRAYS];
} layout;

static inline void read_layout(const char *path, layout *at) {
    char block[T5_CHECKPOINT_BLOCK];
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, block, sizeof block, 0), sizeof block);
    assert_true(t5_checkpoint_parse(block, &at->header));
    assert_int_equal(at->header.n_arrays, N_ARRAYS);
    assert_int_equal(pread(fd, at->places, sizeof at->places, at->header.places),
                     sizeof at->places);
    close(fd);
}

static inline void write_header(const char *path, const t5_checkpoint_header *header) {
    char block[T5_CHECKPOINT_BLOCK];
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    t5_checkpoint_render(header, block);
    assert_int_equal(pwrite(fd, block, sizeof block, 0), sizeof block);
    close(fd);
}

/* Puts these places into the file, and the right checksums, where there can be any. */
static inline void reseal(const char *path, layout *at) {
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    for (int i = 0; i < N_ARRAYS; i++)
        t5_checkpoint_hash_place(path, fd, &at->places[i], &at->places[i].xxh3, NULL);
    assert_int_equal(pwrite(fd, at->places, sizeof at->places, at->header.places),
                     sizeof at->places);
    t5_checkpoint_hash_rest(path, fd, &at->header, at->places, &at->header.xxh3, NULL);
    close(fd);
    write_header(path, &at->header);
}

#endif
