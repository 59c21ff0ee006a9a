#include "io/weights_list.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int t5_weights_width(t5_weights_type type) {
    return type == T5_WEIGHTS_F32 ? 4 : 2;
}

/* False: the values as float32 would not fit in 64 bits. A tensor with a dimension of 0 is empty
 * whatever the others are. */
static bool count_elements(int n_dims, const int64_t *dims, int64_t *count) {
    const int64_t most = INT64_MAX / (int64_t)sizeof(float);
    int64_t product = 1;
    *count = 0;
    for (int i = 0; i < n_dims; i++) {
        if (dims[i] == 0)
            return true;
    }
    for (int i = 0; i < n_dims; i++) {
        if (dims[i] > most / product)
            return false;
        product *= dims[i];
    }
    *count = product;
    return true;
}

static t5_status check(const t5_weights_list *list, const char *name, size_t length, int n_dims,
                       const int64_t *dims, int64_t *count, t5_error *err) {
    int shown = T5_WEIGHTS_SHOWN(length);
    if (list->n >= T5_WEIGHTS_MAX_TENSORS)
        return t5_fail(err, T5_ERR_INPUT, "more than %d tensors", T5_WEIGHTS_MAX_TENSORS);
    if (length == 0)
        return t5_fail(err, T5_ERR_INPUT, "the name of a tensor is empty");
    if (length > T5_WEIGHTS_MAX_NAME)
        return t5_fail(err, T5_ERR_INPUT,
                       "tensor %.*s...: a name of %zu bytes, expected at most %d", shown, name,
                       length, T5_WEIGHTS_MAX_NAME);
    if (n_dims > T5_WEIGHTS_MAX_DIMS)
        return t5_fail(err, T5_ERR_INPUT, "tensor %.*s: %d dimensions, expected at most %d", shown,
                       name, n_dims, T5_WEIGHTS_MAX_DIMS);
    for (int i = 0; i < n_dims; i++) {
        if (dims[i] < 0)
            return t5_fail(err, T5_ERR_INPUT, "tensor %.*s: dimension %d is %lld", shown, name, i,
                           (long long)dims[i]);
    }
    if (!count_elements(n_dims, dims, count))
        return t5_fail(err, T5_ERR_INPUT, "tensor %.*s: its size is beyond 64 bits", shown, name);
    return T5_OK;
}

t5_status t5_weights_list_add(t5_weights_list *list, const char *name, size_t length, int n_dims,
                              const int64_t *dims, t5_weights_entry **entry, t5_error *err) {
    int64_t count;
    t5_status status = check(list, name, length, n_dims, dims, &count, err);
    if (status)
        return status;
    if (list->n == list->cap) {
        int cap = list->cap ? 2 * list->cap : 64;
        t5_weights_entry *grown = realloc(list->entries, (size_t)cap * sizeof *grown);
        if (!grown)
            return t5_fail(err, T5_ERR_MEMORY, "out of memory for the list of tensors");
        list->entries = grown;
        list->cap = cap;
    }
    char *copy = strndup(name, length);
    if (!copy)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the list of tensors");
    t5_weights_entry *e = &list->entries[list->n++];
    *e = (t5_weights_entry){.tensor = {.name = copy, .n_dims = n_dims, .count = count}};
    for (int i = 0; i < n_dims; i++)
        e->tensor.dims[i] = dims[i];
    *entry = e;
    return T5_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const t5_weights_entry *)a)->tensor.name,
                  ((const t5_weights_entry *)b)->tensor.name);
}

t5_status t5_weights_list_sort(t5_weights_list *list, t5_error *err) {
    if (list->n > 0)
        qsort(list->entries, (size_t)list->n, sizeof *list->entries, by_name);
    for (int i = 1; i < list->n; i++) {
        if (by_name(&list->entries[i - 1], &list->entries[i]) == 0)
            return t5_fail(err, T5_ERR_INPUT, "tensor %.200s is there twice",
                           list->entries[i].tensor.name);
    }
    return T5_OK;
}

const t5_weights_entry *t5_weights_list_find(const t5_weights_list *list, const char *name) {
    const t5_weights_entry wanted = {.tensor = {.name = name}};
    if (list->n == 0)
        return NULL;
    return bsearch(&wanted, list->entries, (size_t)list->n, sizeof *list->entries, by_name);
}

void t5_weights_list_free(t5_weights_list *list) {
    for (int i = 0; i < list->n; i++)
        free((char *)list->entries[i].tensor.name);
    free(list->entries);
    *list = (t5_weights_list){0};
}

t5_status t5_weights_pread(int fd, void *out, size_t n, int64_t offset, t5_error *err) {
    char *to = out;
    while (n > 0) {
        ssize_t got = pread(fd, to, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return t5_fail(err, T5_ERR_IO, "cannot be read: %s", strerror(errno));
        if (got == 0)
            return t5_fail(err, T5_ERR_IO,
                           "ends at byte %lld, before %zu bytes that it should have",
                           (long long)offset, n);
        to += got;
        offset += got;
        n -= (size_t)got;
    }
    return T5_OK;
}
