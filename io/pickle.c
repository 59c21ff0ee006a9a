#include "io/pickle.h"
#include "io/pickle_internal.h"
#include <stdlib.h>

struct t5_pickle {
    t5_pickle_tensor *tensors;
    int n;
};

static t5_status fail(const t5_pickle_tensor *t, const char *what, t5_error *err) {
    return t5_fail(err, T5_ERR_INPUT, "tensor %.*s: %s", T5_WEIGHTS_SHOWN(t->name_bytes), t->name,
                   what);
}

static t5_status read_storage(const t5_pickle_machine *m, int64_t at, t5_pickle_tensor *t,
                              t5_error *err) {
    const t5_pickle_value *v = m->items.v + at;
    t5_pickle_value key = v[T5_PICKLE_S_KEY];
    t->storage = (const char *)m->data + key.at;
    t->storage_bytes = key.n;
    t->storage_count = v[T5_PICKLE_S_COUNT].at;
    if (!t5_pickle_storage_type(v[T5_PICKLE_S_TYPE].at, &t->type))
        return t5_fail(err, T5_ERR_INPUT,
                       "tensor %.*s: %s, expected FloatStorage, HalfStorage or BFloat16Storage",
                       T5_WEIGHTS_SHOWN(t->name_bytes), t->name,
                       t5_pickle_global_name(v[T5_PICKLE_S_TYPE].at));
    return T5_OK;
}

/* The step of a dimension of size 1 means nothing, and no step does in an empty tensor. */
static t5_status read_sizes(const t5_pickle_value *sizes, const t5_pickle_value *strides, int n,
                            t5_pickle_tensor *t, t5_error *err) {
    bool empty = false, row_major = true;
    int64_t step = 1;
    t->n_dims = n;
    for (int i = n - 1; i >= 0; i--) {
        int64_t size = sizes[i].at;
        if (size < 0 || strides[i].at < 0)
            return fail(t, "a size or a stride is negative", err);
        t->dims[i] = size;
        empty = empty || size == 0;
        row_major = row_major && (size == 1 || strides[i].at == step);
        if (!empty && step > INT64_MAX / size)
            return fail(t, "its size is beyond 64 bits", err);
        step = empty ? 0 : step * size;
    }
    if (!empty && !row_major)
        return fail(t, "is not stored row by row; save it as tensor.contiguous()", err);
    if (t->first < 0 || t->first > t->storage_count || step > t->storage_count - t->first)
        return fail(t, "is not within its storage", err);
    return T5_OK;
}

static t5_status read_tensor(const t5_pickle_machine *m, const t5_pickle_pair *pair,
                             t5_pickle_tensor *t, t5_error *err) {
    *t =
        (t5_pickle_tensor){.name = (const char *)m->data + pair->key.at, .name_bytes = pair->key.n};
    if (pair->value.kind != T5_PICKLE_TENSOR)
        return t5_fail(err, T5_ERR_INPUT, "entry %.*s is %s, expected a tensor",
                       T5_WEIGHTS_SHOWN(t->name_bytes), t->name,
                       t5_pickle_kind_name(pair->value.kind));
    const t5_pickle_value *v = m->items.v + pair->value.at;
    t5_pickle_value sizes = v[T5_PICKLE_T_SIZES], strides = v[T5_PICKLE_T_STRIDES];
    t->first = v[T5_PICKLE_T_FIRST].at;
    if (sizes.n > T5_WEIGHTS_MAX_DIMS)
        return t5_fail(err, T5_ERR_INPUT, "tensor %.*s: %u dimensions, expected at most %d",
                       T5_WEIGHTS_SHOWN(t->name_bytes), t->name, sizes.n, T5_WEIGHTS_MAX_DIMS);
    t5_status status = read_storage(m, v[T5_PICKLE_T_STORAGE].at, t, err);
    if (!status)
        status = read_sizes(m->items.v + sizes.at, m->items.v + strides.at, (int)sizes.n, t, err);
    return status;
}

static t5_status list_tensors(const t5_pickle_machine *m, t5_pickle_value dict, t5_pickle *p,
                              t5_error *err) {
    size_t n = 0;
    t5_status status = T5_OK;
    for (size_t i = m->dicts[dict.at].first; i != 0; i = m->pairs[i - 1].next)
        n++;
    if (n > T5_WEIGHTS_MAX_TENSORS)
        return t5_fail(err, T5_ERR_INPUT, "more than %d tensors", T5_WEIGHTS_MAX_TENSORS);
    p->tensors = calloc(n + 1, sizeof *p->tensors);
    if (!p->tensors)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %zu tensors", n);
    for (size_t i = m->dicts[dict.at].first; !status && i != 0; i = m->pairs[i - 1].next)
        status = read_tensor(m, &m->pairs[i - 1], &p->tensors[p->n++], err);
    return status;
}

t5_status t5_pickle_read(const void *data, size_t bytes, t5_pickle **pickle, t5_error *err) {
    t5_pickle_machine m = {.data = data, .n = bytes, .err = err};
    t5_pickle_value result;
    t5_pickle *p = calloc(1, sizeof *p);
    *pickle = NULL;
    if (!p)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for a pickle");
    t5_status status = T5_OK;
    if (bytes > T5_PICKLE_MAX_BYTES)
        status = t5_fail(err, T5_ERR_INPUT, "%zu bytes, expected at most %d", bytes,
                         T5_PICKLE_MAX_BYTES);
    if (!status)
        status = t5_pickle_run(&m, &result);
    if (!status && result.kind != T5_PICKLE_DICT)
        status = t5_fail(err, T5_ERR_INPUT, "the pickle is %s, expected a dictionary of tensors",
                         t5_pickle_kind_name(result.kind));
    if (!status)
        status = list_tensors(&m, result, p, err);
    t5_pickle_machine_free(&m);
    if (status) {
        t5_pickle_free(p);
        return status;
    }
    *pickle = p;
    return T5_OK;
}

void t5_pickle_free(t5_pickle *p) {
    if (p)
        free(p->tensors);
    free(p);
}

int t5_pickle_size(const t5_pickle *p) {
    return p->n;
}

const t5_pickle_tensor *t5_pickle_at(const t5_pickle *p, int i) {
    return &p->tensors[i];
}
