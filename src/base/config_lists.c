/* Values with parts: losses, the split, and what a sweep varies. */
#include "base/config_reader.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_sequence(const config_setting_t *setting) {
    return config_setting_is_list(setting) || config_setting_is_array(setting);
}

/* ---- a loss ---- */

/* The keys that only one kind of loss has, with the values that mean "not there" for the other. */
static const struct {
    const char *name, *path;
    t5_loss_kind kind;
    double neutral;
} loss_parts[] = {
    {"label_smoothing", "train.loss.label_smoothing", T5_LOSS_CROSS_ENTROPY, 0},
    {"gamma", "train.loss.gamma", T5_LOSS_FOCAL, 0},
    {"alpha", "train.loss.alpha", T5_LOSS_FOCAL, 1},
};

static t5_status fail_misfit(t5_config_reader *r, const config_setting_t *part, const char *prefix,
                             const char *name, t5_loss_kind kind) {
    char shown[320], allowed[64];
    snprintf(shown, sizeof shown, "%s%s", prefix, name);
    snprintf(allowed, sizeof allowed, "only with type = \"%s\"",
             kind == T5_LOSS_FOCAL ? "focal" : "cross_entropy");
    return t5_config_fail_value(r, part, shown, allowed);
}

t5_status t5_config_store_loss(t5_config_reader *r, const config_setting_t *setting,
                               const char *shown, t5_loss_spec *loss) {
    if (!config_setting_is_group(setting))
        return t5_config_fail_value(r, setting, shown,
                                    "a group { type = \"cross_entropy\" | "
                                    "\"focal\"; ... }");
    char prefix[256];
    snprintf(prefix, sizeof prefix, "%s.", shown);
    *loss = (t5_loss_spec){.kind = T5_LOSS_CROSS_ENTROPY, .alpha = 1};
    t5_status status = t5_config_store_group(r, setting, "train.loss.", prefix, loss);
    if (status == T5_OK && !config_setting_get_member(setting, "type"))
        status = t5_config_fail(r, setting, shown,
                                "type is missing, allowed: \"cross_entropy\" | \"focal\"");
    for (size_t i = 0; i < sizeof loss_parts / sizeof *loss_parts && status == T5_OK; i++) {
        const config_setting_t *part = config_setting_get_member(setting, loss_parts[i].name);
        bool fits = loss_parts[i].kind == loss->kind;
        if (fits && !part)
            status = t5_config_store_default(r, t5_config_find_key(loss_parts[i].path), loss);
        else if (!fits && part)
            status = fail_misfit(r, part, prefix, loss_parts[i].name, loss_parts[i].kind);
    }
    return status;
}

/* ---- the split ---- */

t5_status t5_config_store_split(t5_config_reader *r, const t5_config_key *key,
                                const config_setting_t *setting, const char *shown,
                                double split[3]) {
    /* The parts are checked as any number above 0, and their sum below. */
    const t5_config_key part = {.allowed = "(0, 1)", .kind = T5_KEY_NUMBER};
    if (!is_sequence(setting) || config_setting_length(setting) != 3)
        return t5_config_fail_value(r, setting, shown, key->allowed);
    for (unsigned i = 0; i < 3; i++) {
        char label[64];
        snprintf(label, sizeof label, "%s[%u]", shown, i);
        t5_status status =
            t5_config_store(r, &part, config_setting_get_elem(setting, i), label, &split[i]);
        if (status != T5_OK)
            return status;
    }
    double sum = split[0] + split[1] + split[2];
    if (fabs(sum - 1) > 1e-9)
        return t5_config_fail(r, setting, shown, "found numbers with the sum %.10g, allowed: %s",
                              sum, key->allowed);
    return T5_OK;
}

/* ---- lists of a sweep ---- */

/* The key that one element of the list follows, for a struct of its own. */
static t5_config_key element_key(const t5_config_key *list, size_t *size) {
    t5_config_key element = *list;
    element.offset = 0;
    switch (list->kind) {
    case T5_KEY_INTEGERS:
        element.kind = T5_KEY_INTEGER;
        *size = sizeof(int);
        break;
    case T5_KEY_INTEGERS64:
        element.kind = T5_KEY_INTEGER64;
        *size = sizeof(int64_t);
        break;
    case T5_KEY_NUMBERS:
        element.kind = T5_KEY_NUMBER;
        *size = sizeof(double);
        break;
    default:
        element.kind = T5_KEY_LOSS;
        *size = sizeof(t5_loss_spec);
    }
    return element;
}

/* Losses are compared member by member: padding has no say. */
static bool equal_elements(int kind, const void *a, const void *b, size_t size) {
    if (kind != T5_KEY_LOSS)
        return memcmp(a, b, size) == 0;
    const t5_loss_spec *x = a, *y = b;
    return x->kind == y->kind && x->label_smoothing == y->label_smoothing && x->gamma == y->gamma &&
           x->alpha == y->alpha;
}

static t5_status store_elements(t5_config_reader *r, const t5_config_key *list,
                                const config_setting_t *setting, const char *shown, int n,
                                char *values) {
    size_t size;
    const t5_config_key element = element_key(list, &size);
    for (int i = 0; i < n; i++) {
        char label[64];
        const config_setting_t *from = setting;
        snprintf(label, sizeof label, "%s", shown);
        if (is_sequence(setting)) {
            from = config_setting_get_elem(setting, (unsigned)i);
            snprintf(label, sizeof label, "%s[%d]", shown, i);
        }
        char *at = values + (size_t)i * size;
        t5_status status = t5_config_store(r, &element, from, label, at);
        if (status != T5_OK)
            return status;
        for (int j = 0; j < i; j++)
            if (equal_elements(element.kind, values + (size_t)j * size, at, size))
                return t5_config_fail(r, from, label,
                                      "found the value of %s[%d] again, allowed: each once", shown,
                                      j);
    }
    return T5_OK;
}

t5_status t5_config_store_list(t5_config_reader *r, const t5_config_key *key,
                               const config_setting_t *setting, const char *shown, void *base) {
    int n = is_sequence(setting) ? config_setting_length(setting) : 1;
    if (n == 0)
        return t5_config_fail_value(r, setting, shown, "at least one value, or leave the key out");
    size_t size;
    element_key(key, &size);
    char *values = calloc((size_t)n, size);
    if (!values)
        return t5_config_fail_memory(r);
    memcpy((char *)base + key->offset, &values, sizeof values);
    memcpy((char *)base + key->count_offset, &n, sizeof n);
    return store_elements(r, key, setting, shown, n, values);
}
