#include "io/hf_write.h"
#include "io/json_write.h"
#include "io/replace_stream.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the file is little-endian, and values are written as they are"
#endif

enum { LENGTH_BYTES = 8, ALIGN = 8, PIECE = 1 << 20 /* floats: 4 MiB */ };

static int64_t count_of(const t5_tensor_entry *tensor) {
    assert(tensor->n_dims == 1 || tensor->n_dims == 2);
    return tensor->dims[0] * (tensor->n_dims == 2 ? tensor->dims[1] : 1);
}

/* {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}; NULL: out of memory. */
static json_t *entry_of(const t5_tensor_entry *tensor, int64_t begin) {
    json_t *entry = json_object(), *shape = json_array(), *offsets = json_array();
    int bad = 0;
    for (int i = 0; i < tensor->n_dims; i++)
        bad |= json_array_append_new(shape, json_integer(tensor->dims[i]));
    bad |= json_array_append_new(offsets, json_integer(begin));
    bad |= json_array_append_new(offsets,
                                 json_integer(begin + count_of(tensor) * (int64_t)sizeof(float)));
    bad |= t5_json_put(entry, "dtype", json_string("F32"));
    bad |= t5_json_put(entry, "shape", shape);
    bad |= t5_json_put(entry, "data_offsets", offsets);
    if (!bad)
        return entry;
    json_decref(entry);
    return NULL;
}

/* The header without its length; "format": "pt" is what Transformers insists on. */
static t5_status make_header(const t5_tensor_entry *tensors, int n, char **header, t5_error *err) {
    json_t *root = json_object(), *metadata = json_object();
    int64_t begin = 0;
    t5_status status = T5_OK;
    int bad = t5_json_put(metadata, "format", json_string("pt"));
    bad |= t5_json_put(root, "__metadata__", metadata);
    for (int i = 0; i < n && !bad; i++) {
        assert(!json_object_get(root, tensors[i].name)); /* a name twice */
        bad = t5_json_put(root, tensors[i].name, entry_of(&tensors[i], begin));
        begin += count_of(&tensors[i]) * (int64_t)sizeof(float);
    }
    *header = bad ? NULL : json_dumps(root, JSON_COMPACT);
    if (!*header)
        status = t5_fail(err, T5_ERR_MEMORY, "out of memory for the names of %d tensors", n);
    json_decref(root);
    return status;
}

/* The header's length, the header, and spaces up to where the values may begin. */
static t5_status write_header(t5_replace_stream *file, const char *header, t5_error *err) {
    static const char spaces[ALIGN] = "        ";
    unsigned char length[LENGTH_BYTES];
    size_t n = strlen(header), padding = (ALIGN - n % ALIGN) % ALIGN;
    for (int i = 0; i < LENGTH_BYTES; i++)
        length[i] = (unsigned char)((uint64_t)(n + padding) >> (8 * i));
    t5_status status = t5_replace_stream_write(file, length, sizeof length, err);
    if (!status)
        status = t5_replace_stream_write(file, header, n, err);
    return status ? status : t5_replace_stream_write(file, spaces, padding, err);
}

static t5_status write_values(t5_replace_stream *file, const t5_tensor_entry *tensors, int n,
                              t5_tensor_read *read, void *user, float *piece, t5_error *err) {
    for (int i = 0; i < n; i++) {
        int64_t count = count_of(&tensors[i]);
        for (int64_t first = 0; first < count; first += PIECE) {
            int64_t some = count - first < PIECE ? count - first : PIECE;
            t5_status status = read(user, i, first, some, piece, err);
            if (!status)
                status = t5_replace_stream_write(file, piece, (size_t)some * sizeof *piece, err);
            if (status)
                return status;
        }
    }
    return T5_OK;
}

t5_status t5_safetensors_write(const char *directory, const t5_tensor_entry *tensors, int n,
                               t5_tensor_read *read, void *user, t5_error *err) {
    char *path = NULL, *header = NULL;
    t5_replace_stream *file = NULL;
    float *piece = malloc(PIECE * sizeof *piece);
    t5_status status = T5_OK;
    if (!piece || asprintf(&path, "%s/model.safetensors", directory) < 0) {
        path = NULL;
        status = t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", directory);
    }
    if (!status)
        status = make_header(tensors, n, &header, err);
    if (!status)
        status = t5_replace_stream_open(path, &file, err);
    if (!status)
        status = write_header(file, header, err);
    if (!status)
        status = write_values(file, tensors, n, read, user, piece, err);
    if (!status)
        status = t5_replace_stream_finish(file, err);
    t5_replace_stream_close(file);
    free(header);
    free(path);
    free(piece);
    return status;
}
