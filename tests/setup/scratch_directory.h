/* Hugging Face directories for tests: a copy of a fixture in a temporary folder, with changes. */
#ifndef T5_TESTS_SETUP_SCRATCH_DIRECTORY_H
#define T5_TESTS_SETUP_SCRATCH_DIRECTORY_H
#include "io/file.h"
#include "io/weights.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FIXTURES T5MPI_SOURCE_DIR "/tests/setup/fixtures"

/* What happens to one tensor on its way into the copy. */
typedef struct tensor_change {
    const char *name; /* NULL: nothing */
    enum { DROP = 1, RENAME, RESHAPE, COPY, COPY_CHANGED } what;
    const char *other; /* RENAME: to; COPY: a second tensor of this name; COPY_CHANGED: one value
                          of it is another */
} tensor_change;

enum { MAX_ENTRIES = 128 };

typedef struct entry {
    const t5_weights_tensor *tensor;
    char name[200];
    int n_dims;
    int64_t dims[2];
    int changed;
} entry;

static inline void put_text(const char *dir, const char *name, const void *data, size_t n) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* The tensors of the copy. */
static inline int list_entries(const t5_weights *w, const tensor_change *change, entry *e) {
    int n = 0;
    for (int i = 0; i < t5_weights_size(w); i++) {
        const t5_weights_tensor *t = t5_weights_at(w, i);
        bool hit = change->name && strcmp(t->name, change->name) == 0;
        assert_true(n + 2 < MAX_ENTRIES);
        if (hit && change->what == DROP)
            continue;
        entry *x = &e[n++];
        *x = (entry){.tensor = t, .n_dims = t->n_dims, .dims = {t->dims[0], t->dims[1]}};
        snprintf(x->name, sizeof x->name, "%s",
                 hit && change->what == RENAME ? change->other : t->name);
        if (hit && change->what == RESHAPE) {
            x->n_dims = 2;
            x->dims[0] = t->n_dims == 2 ? t->dims[1] : 1;
            x->dims[1] = t->dims[0];
        }
        if (hit && (change->what == COPY || change->what == COPY_CHANGED)) {
            e[n] = *x;
            snprintf(e[n].name, sizeof e[n].name, "%s", change->other);
            e[n++].changed = change->what == COPY_CHANGED;
        }
    }
    return n;
}

/* dir/model.safetensors in float32. */
static inline void write_tensors(const char *dir, t5_weights *w, const entry *e, int n) {
    char header[1 << 15] = "{";
    int64_t end = 0;
    for (int i = 0; i < n; i++) {
        size_t used = strlen(header);
        snprintf(header + used, sizeof header - used,
                 "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%" PRId64, i ? "," : "", e[i].name,
                 e[i].dims[0]);
        used = strlen(header);
        if (e[i].n_dims == 2)
            used +=
                (size_t)snprintf(header + used, sizeof header - used, ",%" PRId64, e[i].dims[1]);
        snprintf(header + used, sizeof header - used,
                 "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", end,
                 end + 4 * e[i].tensor->count);
        end += 4 * e[i].tensor->count;
    }
    strcat(header, "}");
    uint64_t length = strlen(header);
    char *file = malloc(8 + length + (size_t)end), *p = file;
    assert_non_null(file);
    memcpy(p, &length, 8); /* little-endian, as the hosts that the tests run on */
    memcpy(p + 8, header, length);
    p += 8 + length;
    for (int i = 0; i < n; i++) {
        t5_error err = {0};
        float *values = malloc((size_t)e[i].tensor->count * sizeof *values);
        assert_non_null(values);
        assert_int_equal(t5_weights_read(w, e[i].tensor, 0, e[i].tensor->count, values, &err), 0);
        values[e[i].tensor->count / 2] += e[i].changed ? 1.0f : 0.0f;
        memcpy(p, values, (size_t)e[i].tensor->count * sizeof *values);
        p += (size_t)e[i].tensor->count * sizeof *values;
        free(values);
    }
    put_text(dir, "model.safetensors", file, (size_t)(p - file));
    free(file);
}

/* text with the first `from` replaced by `to`; malloc'd */
static inline char *replaced(const char *text, const char *from, const char *to) {
    const char *at = strstr(text, from);
    char *out = malloc(strlen(text) + strlen(to) + 1);
    assert_non_null(out);
    if (!at)
        fail_msg("there is no %s in:\n%s", from, text);
    sprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

/* A new folder with config.json (from -> to, if from is given) and the weights of the fixture,
 * changed. dir: a template for mkdtemp. Whatever the fixture's format, the copy's is one
 * safetensors file. */
static inline void copy_directory(const char *fixture, const tensor_change *change,
                                  const char *from, const char *to, char *dir) {
    char path[512];
    void *config;
    size_t bytes;
    t5_error err = {0};
    t5_weights *w;
    entry e[MAX_ENTRIES];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, FIXTURES "/%s", fixture);
    assert_int_equal(t5_weights_open(path, &w, &err), T5_OK);
    int n = list_entries(w, change, e);
    write_tensors(dir, w, e, n);
    t5_weights_close(w);
    snprintf(path, sizeof path, FIXTURES "/%s/config.json", fixture);
    assert_int_equal(t5_file_read(path, &config, &bytes, &err), T5_OK);
    char *text = replaced(config, from ? from : "{", from ? to : "{");
    put_text(dir, "config.json", text, strlen(text));
    free(text);
    free(config);
}

static inline void remove_directory(const char *dir) {
    static const char *const names[] = {"config.json", "model.safetensors"};
    for (int i = 0; i < 2; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

#endif
