#include "io/pickle_internal.h"
#include <string.h>

t5_status t5_pickle_new_dict(t5_pickle_machine *m, t5_pickle_value *value) {
    t5_status status =
        t5_pickle_reserve(m, (void **)&m->dicts, &m->cap_dicts, m->n_dicts, sizeof *m->dicts);
    if (status)
        return status;
    m->dicts[m->n_dicts] = (t5_pickle_dict){0};
    *value = (t5_pickle_value){.kind = T5_PICKLE_DICT, .at = (int64_t)m->n_dicts++};
    return T5_OK;
}

t5_status t5_pickle_set_item(t5_pickle_machine *m, t5_pickle_value target, t5_pickle_value key,
                             t5_pickle_value value) {
    if (target.kind != T5_PICKLE_DICT)
        return t5_pickle_fail(m, "an item is set in %s, expected a dictionary",
                              t5_pickle_kind_name(target.kind));
    if (key.kind != T5_PICKLE_TEXT)
        return t5_pickle_fail(m, "the key of a dictionary is %s, expected a string",
                              t5_pickle_kind_name(key.kind));
    t5_status status =
        t5_pickle_reserve(m, (void **)&m->pairs, &m->cap_pairs, m->n_pairs, sizeof *m->pairs);
    if (status)
        return status;
    t5_pickle_dict *dict = &m->dicts[target.at];
    m->pairs[m->n_pairs++] = (t5_pickle_pair){.key = key, .value = value};
    if (dict->last)
        m->pairs[dict->last - 1].next = m->n_pairs;
    else
        dict->first = m->n_pairs;
    dict->last = m->n_pairs;
    return T5_OK;
}

/* Is the tuple one of `n` elements, the first of the kinds given? */
static bool has_form(const t5_pickle_machine *m, t5_pickle_value tuple, uint32_t n,
                     const t5_pickle_kind *kinds, int n_kinds) {
    if (tuple.kind != T5_PICKLE_TUPLE || tuple.n != n)
        return false;
    for (int i = 0; i < n_kinds; i++) {
        if (m->items.v[tuple.at + i].kind != kinds[i])
            return false;
    }
    return true;
}

t5_status t5_pickle_storage(t5_pickle_machine *m, t5_pickle_value id, t5_pickle_value *storage) {
    static const char word[] = "storage";
    static const t5_pickle_kind form[] = {T5_PICKLE_TEXT, T5_PICKLE_GLOBAL, T5_PICKLE_TEXT,
                                          T5_PICKLE_TEXT, T5_PICKLE_INTEGER};
    bool fits = has_form(m, id, 5, form, 5);
    if (fits) {
        const t5_pickle_value *v = m->items.v + id.at;
        fits = v[0].n == sizeof word - 1 && memcmp(m->data + v[0].at, word, v[0].n) == 0 &&
               v[T5_PICKLE_S_TYPE].at >= T5_PICKLE_FIRST_STORAGE && v[T5_PICKLE_S_COUNT].at >= 0;
    }
    if (!fits)
        return t5_pickle_fail(m, "a persistent id that is no storage of PyTorch");
    *storage = (t5_pickle_value){.kind = T5_PICKLE_STORAGE, .at = id.at};
    return T5_OK;
}

static bool all_integers(const t5_pickle_machine *m, t5_pickle_value tuple) {
    for (uint32_t i = 0; i < tuple.n; i++) {
        if (m->items.v[tuple.at + i].kind != T5_PICKLE_INTEGER)
            return false;
    }
    return true;
}

/* The arguments of torch._utils._rebuild_tensor_v2; the last one came later. */
static bool is_tensor(const t5_pickle_machine *m, t5_pickle_value args) {
    static const t5_pickle_kind form[] = {T5_PICKLE_STORAGE, T5_PICKLE_INTEGER, T5_PICKLE_TUPLE,
                                          T5_PICKLE_TUPLE, T5_PICKLE_BOOLEAN};
    if (!has_form(m, args, 6, form, 5) && !has_form(m, args, 7, form, 5))
        return false;
    const t5_pickle_value *v = m->items.v + args.at;
    t5_pickle_value sizes = v[T5_PICKLE_T_SIZES], strides = v[T5_PICKLE_T_STRIDES];
    return sizes.n == strides.n && all_integers(m, sizes) && all_integers(m, strides);
}

t5_status t5_pickle_reduce(t5_pickle_machine *m, t5_pickle_value function, t5_pickle_value args,
                           t5_pickle_value *result) {
    static const t5_pickle_kind parameter[] = {T5_PICKLE_TENSOR, T5_PICKLE_BOOLEAN};
    if (function.kind != T5_PICKLE_GLOBAL)
        return t5_pickle_fail(m, "REDUCE of %s, expected a global",
                              t5_pickle_kind_name(function.kind));
    if (function.at == T5_PICKLE_ORDERED_DICT && has_form(m, args, 0, NULL, 0))
        return t5_pickle_new_dict(m, result);
    if (function.at == T5_PICKLE_REBUILD_TENSOR && is_tensor(m, args)) {
        *result = (t5_pickle_value){.kind = T5_PICKLE_TENSOR, .at = args.at};
        return T5_OK;
    }
    if (function.at == T5_PICKLE_REBUILD_PARAMETER && has_form(m, args, 3, parameter, 2)) {
        *result = m->items.v[args.at];
        return T5_OK;
    }
    return t5_pickle_fail(m, "%s with arguments that a state dict does not give it",
                          t5_pickle_global_name(function.at));
}
