#include "io/safetensors.h"
#include "io/json_file.h"
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, MAX_HEADER = 100000000 };

static t5_status read_type(const char *name, const json_t *object, t5_weights_type *type,
                           t5_error *err) {
    static const char *const names[] = {
        [T5_WEIGHTS_F32] = "F32", [T5_WEIGHTS_F16] = "F16", [T5_WEIGHTS_BF16] = "BF16"};
    const json_t *value = json_object_get(object, "dtype");
    if (!json_is_string(value))
        return t5_fail(err, T5_ERR_INPUT, "tensor %.200s: dtype is %s, expected a string", name,
                       t5_json_type(value));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(json_string_value(value), names[i]) == 0) {
            *type = (t5_weights_type)i;
            return T5_OK;
        }
    }
    return t5_fail(err, T5_ERR_INPUT, "tensor %.200s: dtype %.40s, expected F32, F16 or BF16", name,
                   json_string_value(value));
}

/* An array of at most `most` integers that are not negative; *n of them. */
static t5_status read_integers(const char *name, const json_t *object, const char *key, int most,
                               int *n, int64_t *out, t5_error *err) {
    const json_t *array = json_object_get(object, key);
    if (!json_is_array(array))
        return t5_fail(err, T5_ERR_INPUT, "tensor %.200s: %s is %s, expected an array", name, key,
                       t5_json_type(array));
    if (json_array_size(array) > (size_t)most)
        return t5_fail(err, T5_ERR_INPUT, "tensor %.200s: %s has %zu elements, expected at most %d",
                       name, key, json_array_size(array), most);
    *n = (int)json_array_size(array);
    for (int i = 0; i < *n; i++) {
        const json_t *value = json_array_get(array, (size_t)i);
        if (!json_is_integer(value))
            return t5_fail(err, T5_ERR_INPUT, "tensor %.200s: %s has %s, expected integers", name,
                           key, t5_json_type(value));
        out[i] = json_integer_value(value);
        if (out[i] < 0)
            return t5_fail(err, T5_ERR_INPUT, "tensor %.200s: %s has %lld", name, key,
                           (long long)out[i]);
    }
    return T5_OK;
}

/* begin: where the values begin in the file. */
static t5_status add_tensor(const char *name, const json_t *object, int64_t begin, int64_t data,
                            int file, t5_weights_list *list, t5_error *err) {
    t5_weights_type type = T5_WEIGHTS_F32;
    t5_weights_entry *entry;
    int n_dims = 0, n_offsets = 0;
    int64_t dims[T5_WEIGHTS_MAX_DIMS], offsets[2];
    if (!json_is_object(object))
        return t5_fail(err, T5_ERR_INPUT, "tensor %.200s: found %s, expected an object", name,
                       t5_json_type(object));
    t5_status status = read_type(name, object, &type, err);
    if (!status)
        status = read_integers(name, object, "shape", T5_WEIGHTS_MAX_DIMS, &n_dims, dims, err);
    if (!status)
        status = read_integers(name, object, "data_offsets", 2, &n_offsets, offsets, err);
    if (!status && n_offsets != 2)
        status =
            t5_fail(err, T5_ERR_INPUT, "tensor %.200s: data_offsets has %d elements, expected 2",
                    name, n_offsets);
    if (!status)
        status = t5_weights_list_add(list, name, strlen(name), n_dims, dims, &entry, err);
    if (status)
        return status;
    long long from = (long long)offsets[0], to = (long long)offsets[1];
    if (from > to || to > data)
        return t5_fail(err, T5_ERR_INPUT,
                       "tensor %.200s: data_offsets [%lld, %lld] are outside the file's %lld bytes "
                       "of data",
                       name, from, to, (long long)data);
    if ((to - from) % t5_weights_width(type) != 0 ||
        (to - from) / t5_weights_width(type) != entry->tensor.count)
        return t5_fail(err, T5_ERR_INPUT,
                       "tensor %.200s: data_offsets [%lld, %lld] do not fit its shape of %lld "
                       "elements of %d bytes",
                       name, from, to, (long long)entry->tensor.count, t5_weights_width(type));
    entry->type = type;
    entry->file = file;
    entry->member = -1;
    entry->offset = begin + offsets[0];
    return T5_OK;
}

static int64_t end_of(const t5_weights_entry *e) {
    return e->offset + e->tensor.count * t5_weights_width(e->type);
}

static int by_offset(const void *a, const void *b) {
    const t5_weights_entry *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (end_of(x) > end_of(y)) - (end_of(x) < end_of(y));
}

/* Sorts the entries from `first` on: each has to begin where the one before ends. */
static t5_status check_cover(t5_weights_list *list, int first, int64_t begin, int64_t end,
                             t5_error *err) {
    int64_t covered = begin;
    if (list->n > first)
        qsort(list->entries + first, (size_t)(list->n - first), sizeof *list->entries, by_offset);
    for (int i = first; i < list->n; i++) {
        const t5_weights_entry *e = &list->entries[i];
        if (e->offset != covered)
            return t5_fail(err, T5_ERR_INPUT, "tensor %.200s: data_offsets begin at %lld, %s",
                           e->tensor.name, (long long)(e->offset - begin),
                           e->offset < covered ? "inside another tensor" : "with a hole before it");
        covered = end_of(e);
    }
    if (covered != end)
        return t5_fail(err, T5_ERR_INPUT, "%lld bytes behind the last tensor",
                       (long long)(end - covered));
    return T5_OK;
}

t5_status t5_safetensors_parse(const char *header, size_t n, int64_t data, int file,
                               t5_weights_list *list, t5_error *err) {
    json_t *root = NULL, *value;
    const char *name;
    int first = list->n;
    int64_t begin = LENGTH_BYTES + (int64_t)n;
    t5_status status = t5_json_parse("the header", header, n, &root, err);
    if (!status) {
        json_object_foreach(root, name, value) {
            if (strcmp(name, "__metadata__") == 0)
                continue;
            status = add_tensor(name, value, begin, data, file, list, err);
            if (status)
                break;
        }
    }
    json_decref(root);
    if (!status)
        status = check_cover(list, first, begin, begin + data, err);
    return status;
}

t5_status t5_safetensors_list(int fd, int64_t size, int file, t5_weights_list *list,
                              t5_error *err) {
    unsigned char bytes[LENGTH_BYTES];
    uint64_t n = 0;
    char *header = NULL;
    if (size < LENGTH_BYTES)
        return t5_fail(err, T5_ERR_INPUT, "%lld bytes are no safetensors file", (long long)size);
    t5_status status = t5_weights_pread(fd, bytes, sizeof bytes, 0, err);
    if (status)
        return status;
    for (int i = 0; i < LENGTH_BYTES; i++)
        n |= (uint64_t)bytes[i] << (8 * i);
    if (n > MAX_HEADER)
        return t5_fail(err, T5_ERR_INPUT,
                       "a header of %llu bytes, expected at most %d: no safetensors file",
                       (unsigned long long)n, MAX_HEADER);
    if (n > (uint64_t)size - LENGTH_BYTES)
        return t5_fail(err, T5_ERR_INPUT, "a header of %llu bytes in a file of %lld: cut short",
                       (unsigned long long)n, (long long)size);
    header = malloc((size_t)n + 1);
    if (!header)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for a header of %llu bytes",
                       (unsigned long long)n);
    status = t5_weights_pread(fd, header, (size_t)n, LENGTH_BYTES, err);
    if (!status)
        status = t5_safetensors_parse(header, (size_t)n, size - LENGTH_BYTES - (int64_t)n, file,
                                      list, err);
    free(header);
    return status;
}
