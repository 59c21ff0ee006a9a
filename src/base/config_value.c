/* From a setting to the struct: types, ranges, alternatives. */
#include "base/config_reader.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libconfig tells 3, 3L and 3.0 apart; a user need not. False if it is no number. */
static bool as_number(const config_setting_t *setting, double *value) {
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        *value = (double)config_setting_get_int64(setting);
        return true;
    case CONFIG_TYPE_FLOAT:
        *value = config_setting_get_float(setting);
        return true;
    default:
        return false;
    }
}

/* Also 1e3 and 50.0 are integers; 3.5 is none. */
static bool as_integer(const config_setting_t *setting, int64_t *value) {
    const double exact = 9007199254740992.0; /* 2^53 */
    double number;
    if (config_setting_type(setting) == CONFIG_TYPE_INT ||
        config_setting_type(setting) == CONFIG_TYPE_INT64) {
        *value = config_setting_get_int64(setting);
        return true;
    }
    if (!as_number(setting, &number) || !(fabs(number) <= exact) || floor(number) != number)
        return false;
    *value = (int64_t)number;
    return true;
}

/* Is value in an interval like "[0, 1)"? True for an `allowed` that is no interval. */
static bool in_interval(const char *allowed, double value) {
    char open, close;
    double low, high;
    if (!isfinite(value))
        return false;
    if (sscanf(allowed, "%c%lf, %lf%c", &open, &low, &high, &close) != 4)
        return true;
    return (open == '[' ? value >= low : value > low) &&
           (close == ']' ? value <= high : value < high);
}

/* The number of the alternative `value` in `"a" | "b"`; -1 if it is none of them. */
static int find_choice(const char *allowed, const char *value) {
    size_t n = strlen(value);
    int i = 0;
    for (const char *p = allowed; *p == '"'; i++) {
        const char *close = strchr(p + 1, '"');
        if ((size_t)(close - p - 1) == n && memcmp(p + 1, value, n) == 0)
            return i;
        p = close + 1 + strspn(close + 1, " |");
    }
    return -1;
}

static t5_status fail_value(t5_config_reader *r, const config_setting_t *setting, const char *shown,
                            const t5_config_key *key) {
    char allowed[T5_CONFIG_ALLOWED];
    t5_config_describe_allowed(key, allowed);
    return t5_config_fail_value(r, setting, shown, allowed);
}

static t5_status store_integer(t5_config_reader *r, const t5_config_key *key,
                               const config_setting_t *setting, const char *shown, void *at) {
    int64_t value;
    if (!as_integer(setting, &value) || !in_interval(key->allowed, (double)value))
        return fail_value(r, setting, shown, key);
    if (key->kind == T5_KEY_INTEGER) {
        int narrow = (int)value; /* every interval of an int lies within its range */
        memcpy(at, &narrow, sizeof narrow);
    } else {
        memcpy(at, &value, sizeof value);
    }
    return T5_OK;
}

static t5_status store_number(t5_config_reader *r, const t5_config_key *key,
                              const config_setting_t *setting, const char *shown, void *at) {
    double value;
    if (!as_number(setting, &value) || !in_interval(key->allowed, value))
        return fail_value(r, setting, shown, key);
    memcpy(at, &value, sizeof value);
    return T5_OK;
}

static t5_status store_boolean(t5_config_reader *r, const t5_config_key *key,
                               const config_setting_t *setting, const char *shown, void *at) {
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        return fail_value(r, setting, shown, key);
    bool value = config_setting_get_bool(setting);
    memcpy(at, &value, sizeof value);
    return T5_OK;
}

/* Strings, paths, alternatives, and names of nodes (which are only checked for their type). */
static t5_status store_string(t5_config_reader *r, const t5_config_key *key,
                              const config_setting_t *setting, const char *shown, void *at) {
    const char *text = config_setting_get_string(setting);
    int choice = text && key->allowed[0] == '"' ? find_choice(key->allowed, text) : 0;
    if (!text || !text[0] || choice < 0)
        return fail_value(r, setting, shown, key);
    if (key->kind == T5_KEY_NODE)
        return T5_OK;
    if (key->kind == T5_KEY_CHOICE) {
        memcpy(at, &choice, sizeof choice);
        return T5_OK;
    }
    char *copy = t5_path_beside(key->kind == T5_KEY_PATH ? r->config->file : "", text);
    if (!copy)
        return t5_config_fail_memory(r);
    free(*(char **)at);
    *(char **)at = copy;
    return T5_OK;
}

t5_status t5_config_store(t5_config_reader *r, const t5_config_key *key,
                          const config_setting_t *setting, const char *shown, void *base) {
    void *at = (char *)base + key->offset;
    switch (key->kind) {
    case T5_KEY_INTEGER:
    case T5_KEY_INTEGER64:
        return store_integer(r, key, setting, shown, at);
    case T5_KEY_NUMBER:
        return store_number(r, key, setting, shown, at);
    case T5_KEY_BOOLEAN:
        return store_boolean(r, key, setting, shown, at);
    case T5_KEY_STRING:
    case T5_KEY_PATH:
    case T5_KEY_CHOICE:
    case T5_KEY_NODE:
        return store_string(r, key, setting, shown, at);
    case T5_KEY_LOSS:
        return t5_config_store_loss(r, setting, shown, at);
    case T5_KEY_SPLIT:
        return t5_config_store_split(r, key, setting, shown, at);
    case T5_KEY_EVERY:
        return t5_config_store_every(r, key, setting, shown, at);
    case T5_KEY_PLAN:
        return T5_OK;
    default:
        return t5_config_store_list(r, key, setting, shown, base);
    }
}

t5_status t5_config_store_default(t5_config_reader *r, const t5_config_key *key, void *base) {
    config_t tree;
    config_setting_t *value;
    t5_status status = t5_config_parse_value(key->fallback, &tree, &value, r->err);
    if (status == T5_OK)
        status = t5_config_store(r, key, value, key->path, base);
    config_destroy(&tree);
    return status;
}

/* ---- groups ---- */

static t5_status store_member(t5_config_reader *r, const config_setting_t *member,
                              const char *schema, const char *shown, void *base) {
    char path[256], label[256];
    const char *name = config_setting_name(member);
    snprintf(path, sizeof path, "%s%s", schema, name);
    snprintf(label, sizeof label, "%s%s", shown, name);
    const t5_config_key *key = t5_config_find_key(path);
    if (key)
        return t5_config_store(r, key, member, label, base);
    if (!t5_config_is_group(path))
        return t5_config_fail_unknown(r, member, label, path);
    if (!config_setting_is_group(member))
        return t5_config_fail_value(r, member, label, "a group { KEY = VALUE; ... }");
    size_t n = strlen(path), m = strlen(label);
    snprintf(path + n, sizeof path - n, ".");
    snprintf(label + m, sizeof label - m, ".");
    return t5_config_store_group(r, member, path, label, base);
}

t5_status t5_config_store_group(t5_config_reader *r, const config_setting_t *group,
                                const char *schema, const char *shown, void *base) {
    int n = config_setting_length(group);
    t5_status status = T5_OK;
    for (int i = 0; i < n && status == T5_OK; i++)
        status = store_member(r, config_setting_get_elem(group, (unsigned)i), schema, shown, base);
    return status;
}
