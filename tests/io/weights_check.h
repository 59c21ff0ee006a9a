/* Weight files for the tests: the fixtures of make_weights.py, their values, and files to be
 * edited. */
#ifndef T5_TESTS_IO_WEIGHTS_CHECK_H
#define T5_TESTS_IO_WEIGHTS_CHECK_H
#include "io/file.h"
#include "io/weights.h"
#include "tests/io/scratch.h"

#define FIXTURE(name) T5MPI_SOURCE_DIR "/tests/io/weights/" name

/* The tensors that make_weights.py calls by number; names sorted are in another order. */
static const struct {
    const char *name;
    int n_dims, dims[T5_WEIGHTS_MAX_DIMS], count;
} numbered[] = {
    {"shared.weight", 2, {5, 4}, 20}, {"encoder.half", 3, {3, 2, 2}, 12},
    {"encoder.bfloat16", 1, {7}, 7},  {"decoder.scalar", 0, {0}, 1},
    {"decoder.empty", 2, {0, 3}, 0},  {"decoder.four", 4, {2, 1, 2, 1}, 4},
};

static inline float numbered_value(int number, int64_t i) {
    return (float)((double)(i - 3) / 4 + number);
}

/* Elements [first, first + n) of tensor `number` are as they should be. */
static inline void check_range(t5_weights *w, const t5_weights_tensor *tensor, int number,
                               int64_t first, int64_t n) {
    float values[32];
    t5_error err = {0};
    assert_true(n < (int64_t)COUNT_OF(values));
    for (size_t i = 0; i < COUNT_OF(values); i++)
        values[i] = -1000;
    if (t5_weights_read(w, tensor, first, n, values, &err))
        fail_msg("%s", err.text);
    for (int64_t i = 0; i < n; i++)
        assert_true(values[i] == numbered_value(number, first + i));
    assert_true(values[n] == -1000);
}

/* A directory with all of `numbered`. */
static inline void check_numbered(const char *directory) {
    t5_weights *w;
    t5_error err = {0};
    if (t5_weights_open(directory, &w, &err))
        fail_msg("%s", err.text);
    assert_int_equal(t5_weights_size(w), COUNT_OF(numbered));
    for (int k = 0; k < (int)COUNT_OF(numbered); k++) {
        const t5_weights_tensor *tensor = t5_weights_find(w, numbered[k].name);
        assert_non_null(tensor);
        assert_int_equal(tensor->n_dims, numbered[k].n_dims);
        for (int d = 0; d < tensor->n_dims; d++)
            assert_int_equal(tensor->dims[d], numbered[k].dims[d]);
        assert_int_equal(tensor->count, numbered[k].count);
        check_range(w, tensor, k, 0, tensor->count);
        for (int64_t first = tensor->count; first >= 0; first--) /* backwards, each to the end */
            check_range(w, tensor, k, first, tensor->count - first);
    }
    t5_weights_close(w);
}

/* Opens and reads everything: must end in an error with a text, or in values; says which. */
static inline t5_status read_everything(const char *directory, t5_error *err) {
    t5_weights *w;
    float values[256];
    const int64_t most = (int64_t)COUNT_OF(values);
    t5_status status = t5_weights_open(directory, &w, err);
    if (status) {
        assert_null(w);
    } else {
        for (int i = 0; !status && i < t5_weights_size(w); i++) {
            const t5_weights_tensor *tensor = t5_weights_at(w, i);
            for (int64_t at = 0; !status && at < tensor->count; at += most) {
                int64_t left = tensor->count - at;
                status = t5_weights_read(w, tensor, at, left < most ? left : most, values, err);
            }
        }
        t5_weights_close(w);
    }
    assert_int_equal(status, err->status);
    assert_true((status == T5_OK) == (err->text[0] == '\0'));
    return status;
}

/* A copy of a file to be changed; to be freed. */
static inline unsigned char *load(const char *path, size_t *n) {
    void *data;
    t5_error err = {0};
    if (t5_file_read(path, &data, n, &err))
        fail_msg("%s", err.text);
    return data;
}

/* A file that takes another's place costs a wait for the disk on ext4; one in a free place does
 * not. */
static inline void rewrite_file(const char *name, const unsigned char *bytes, size_t n) {
    unlink(name);
    write_file(name, bytes, n);
}

/* The file cut at every length is an error; with any of its bytes changed it is an error or can be
 * read. `name` is written in directory "edited". */
static inline void damage_file(const char *fixture, const char *name) {
    static const unsigned char changes[] = {0x01, 0x20, 0x80, 0xff};
    size_t n;
    unsigned char *bytes = load(fixture, &n);
    for (size_t cut = 0; cut < n; cut++) {
        t5_error err = {0};
        rewrite_file(name, bytes, cut);
        if (read_everything("edited", &err) != T5_ERR_INPUT)
            fail_msg("%s cut at %zu of %zu: %s", fixture, cut, n, err.text);
    }
    for (size_t at = 0; at < n; at++) {
        for (size_t c = 0; c < COUNT_OF(changes); c++) {
            t5_error err = {0};
            bytes[at] ^= changes[c];
            rewrite_file(name, bytes, n);
            read_everything("edited", &err);
            bytes[at] ^= changes[c];
        }
    }
    rewrite_file(name, bytes, n);
    t5_error err = {0};
    assert_int_equal(read_everything("edited", &err), T5_OK);
    free(bytes);
}

#endif
