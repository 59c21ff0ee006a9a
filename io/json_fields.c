#include "io/json_fields.h"
#include "io/json_file.h"

const json_t *t5_json_field(const t5_json_fields *f, const char *key) {
    const json_t *value = json_object_get(f->root, key);
    return json_is_null(value) ? NULL : value;
}

t5_status t5_json_wrong_type(const t5_json_fields *f, const char *key, const json_t *value,
                             const char *expected) {
    return t5_fail(f->err, T5_ERR_INPUT, "%s: %s is %s, expected %s", f->name, key,
                   t5_json_type(value), expected);
}

t5_status t5_json_integer(const t5_json_fields *f, const char *key, int low, int high, int *out) {
    const json_t *value = t5_json_field(f, key);
    if (!value)
        return T5_OK;
    if (!json_is_integer(value))
        return t5_json_wrong_type(f, key, value, "an integer");
    json_int_t n = json_integer_value(value);
    if (n < low || n > high)
        return t5_fail(f->err, T5_ERR_INPUT, "%s: %s is %lld, expected %d to %d", f->name, key,
                       (long long)n, low, high);
    *out = (int)n;
    return T5_OK;
}

t5_status t5_json_real(const t5_json_fields *f, const char *key, double *out) {
    const json_t *value = t5_json_field(f, key);
    if (!value)
        return T5_OK;
    if (!json_is_number(value))
        return t5_json_wrong_type(f, key, value, "a number");
    *out = json_number_value(value);
    return T5_OK;
}

t5_status t5_json_flag(const t5_json_fields *f, const char *key, bool *out) {
    const json_t *value = t5_json_field(f, key);
    if (!value)
        return T5_OK;
    if (!json_is_boolean(value))
        return t5_json_wrong_type(f, key, value, "true or false");
    *out = json_is_true(value);
    return T5_OK;
}

t5_status t5_json_text(const t5_json_fields *f, const char *key, const char **out) {
    const json_t *value = t5_json_field(f, key);
    if (!value)
        return T5_OK;
    if (!json_is_string(value))
        return t5_json_wrong_type(f, key, value, "a string");
    *out = json_string_value(value);
    return T5_OK;
}
