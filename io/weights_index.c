#include "io/weights_index.h"
#include "io/json_file.h"
#include <stdlib.h>
#include <string.h>

/* The largest models of this family have about 50 files; each stays open while its values are
 * wanted. */
enum { MAX_FILES = 256, MAX_BYTES = 16 << 20 };

struct t5_weights_index {
    json_t *root;
    const json_t *map;
    const char *files[MAX_FILES]; /* texts of the JSON */
    int n_files;
};

int t5_weights_index_size(const t5_weights_index *index) {
    return index->n_files;
}

const char *t5_weights_index_file(const t5_weights_index *index, int i) {
    return index->files[i];
}

static int find_file(const t5_weights_index *index, const char *name) {
    for (int i = 0; i < index->n_files; i++) {
        if (strcmp(index->files[i], name) == 0)
            return i;
    }
    return -1;
}

/* A path from a file of the hub must not lead out of the model's folder. */
static t5_status add_file(t5_weights_index *index, const char *tensor, const json_t *file,
                          t5_error *err) {
    if (!json_is_string(file))
        return t5_fail(err, T5_ERR_INPUT, "weight_map: tensor %.200s: %s, expected a file's name",
                       tensor, t5_json_type(file));
    const char *name = json_string_value(file);
    if (!*name || *name == '.' || strchr(name, '/') || strlen(name) > 255)
        return t5_fail(err, T5_ERR_INPUT,
                       "weight_map: tensor %.200s: \"%.200s\" is not the name of a file in this "
                       "folder",
                       tensor, name);
    if (find_file(index, name) >= 0)
        return T5_OK;
    if (index->n_files == MAX_FILES)
        return t5_fail(err, T5_ERR_INPUT, "weight_map: more than %d files", MAX_FILES);
    index->files[index->n_files++] = name;
    return T5_OK;
}

static t5_status interpret(t5_weights_index *index, t5_error *err) {
    const char *tensor;
    json_t *file;
    t5_status status = T5_OK;
    index->map = json_object_get(index->root, "weight_map");
    if (!json_is_object(index->map))
        return t5_fail(err, T5_ERR_INPUT, "weight_map is %s, expected an object",
                       t5_json_type(index->map));
    if (json_object_size(index->map) == 0)
        return t5_fail(err, T5_ERR_INPUT, "weight_map is empty");
    json_object_foreach((json_t *)index->map, tensor, file) {
        status = add_file(index, tensor, file, err);
        if (status)
            break;
    }
    return status;
}

t5_status t5_weights_index_read(const char *path, t5_weights_index **index, t5_error *err) {
    t5_weights_index *new = calloc(1, sizeof *new);
    *index = NULL;
    if (!new)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    t5_status status = t5_json_read(path, MAX_BYTES, &new->root, err);
    if (!status) {
        status = interpret(new, err);
        if (status)
            t5_error_prefix(err, "%s", path);
    }
    if (status) {
        t5_weights_index_free(new);
        return status;
    }
    *index = new;
    return T5_OK;
}

void t5_weights_index_free(t5_weights_index *index) {
    if (index)
        json_decref(index->root);
    free(index);
}

t5_status t5_weights_index_check(const t5_weights_index *index, const t5_weights_list *list,
                                 t5_error *err) {
    const char *tensor;
    json_t *file;
    json_object_foreach((json_t *)index->map, tensor, file) {
        const t5_weights_entry *e = t5_weights_list_find(list, tensor);
        if (!e)
            return t5_fail(err, T5_ERR_INPUT, "weight_map: tensor %.200s is not in %.200s", tensor,
                           json_string_value(file));
        if (e->file != find_file(index, json_string_value(file)))
            return t5_fail(err, T5_ERR_INPUT,
                           "weight_map: tensor %.200s is in %.200s, not in %.200s", tensor,
                           index->files[e->file], json_string_value(file));
    }
    return T5_OK;
}
