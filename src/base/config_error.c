/* What a user is told about a configuration that is wrong. */
#include "base/config_reader.h"
#include "base/utf8.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE = T5_CONFIG_PLACE, VALUE = 100 };

void t5_config_make_printable(char *text) {
    bool utf8 = t5_utf8_valid(text, strlen(text));
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || (!utf8 && (unsigned char)*c >= 0x80))
            *c = '?';
}

void t5_config_describe_set(const char *set, char place[T5_CONFIG_PLACE]) {
    size_t room = PLACE - sizeof "--set ", n = strlen(set);
    snprintf(place, PLACE, "--set %.*s", (int)(n <= room ? n : t5_utf8_cut(set, room)), set);
    t5_config_make_printable(place);
}

static void describe_place(const t5_config_reader *r, const config_setting_t *setting,
                           char place[PLACE]) {
    const char *set = setting ? config_setting_get_hook(setting) : NULL;
    if (set) {
        t5_config_describe_set(set, place);
        return;
    }
    const char *file;
    int line = setting ? (int)config_setting_source_line(setting) : 0;
    t5_config_source_where(&r->source, line, &file, &line);
    if (setting && config_setting_source_line(setting) > 0)
        snprintf(place, PLACE, "%s:%d", file, line);
    else
        snprintf(place, PLACE, "%s", r->config->file);
}

t5_status t5_config_fail(t5_config_reader *r, const config_setting_t *setting, const char *path,
                         const char *format, ...) {
    char place[PLACE], text[sizeof r->err->text];
    describe_place(r, setting, place);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return t5_fail(r->err, T5_ERR_INPUT, "%s: %s%s%s", place, path, path[0] ? ": " : "", text);
}

t5_status t5_config_fail_memory(t5_config_reader *r) {
    return t5_fail(r->err, T5_ERR_MEMORY, "out of memory reading %s", r->config->file);
}

/* The shortest decimal that reads back as the same number. */
static void describe_number(double value, char out[VALUE]) {
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, VALUE, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

static void describe_string(const char *s, char out[VALUE]) {
    size_t n = strlen(s), keep = n > 60 ? t5_utf8_cut(s, 57) : n;
    snprintf(out, VALUE, "\"%.*s%s\"", (int)keep, s, n > 60 ? "..." : "");
    t5_config_make_printable(out);
}

static void describe_value(const config_setting_t *setting, char out[VALUE]) {
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        snprintf(out, VALUE, "%lld", (long long)config_setting_get_int64(setting));
        return;
    case CONFIG_TYPE_FLOAT:
        describe_number(config_setting_get_float(setting), out);
        return;
    case CONFIG_TYPE_BOOL:
        snprintf(out, VALUE, "%s", config_setting_get_bool(setting) ? "true" : "false");
        return;
    case CONFIG_TYPE_STRING:
        describe_string(config_setting_get_string(setting), out);
        return;
    case CONFIG_TYPE_GROUP:
        snprintf(out, VALUE, "a group { }");
        return;
    default: {
        int n = config_setting_length(setting);
        snprintf(out, VALUE,
                 n == 0   ? "an empty list"
                 : n == 1 ? "a list of one"
                          : "a list of %d",
                 n);
    }
    }
}

t5_status t5_config_fail_value(t5_config_reader *r, const config_setting_t *setting,
                               const char *path, const char *allowed) {
    char value[VALUE];
    describe_value(setting, value);
    return t5_config_fail(r, setting, path, "found %s, allowed: %s", value, allowed);
}

void t5_config_describe_allowed(const t5_config_key *key, char out[T5_CONFIG_ALLOWED]) {
    const char *type = "", *joint = " ";
    if (key->kind == T5_KEY_INTEGER || key->kind == T5_KEY_INTEGER64)
        type = "an integer";
    else if (key->kind == T5_KEY_NUMBER)
        type = "a number";
    else if (key->kind == T5_KEY_STRING && strcmp(key->allowed, "not empty") == 0)
        type = "a string,";
    else if (key->kind == T5_KEY_PATH)
        type = "the path of";
    if (!type[0])
        joint = "";
    else if (strchr("[(", key->allowed[0]))
        joint = " in ";
    snprintf(out, T5_CONFIG_ALLOWED, "%s%s%s", type, joint, key->allowed);
}

/* ---- did you mean ---- */

enum { LONGEST = 64 };

/* Levenshtein's distance; LONGEST where a word is too long to be a misspelt key. */
static int edit_distance(const char *a, size_t n_a, const char *b, size_t n_b) {
    int row[LONGEST + 1];
    if (n_a >= LONGEST || n_b >= LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= n_b; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n_a; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= n_b; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            row[j] = best;
        }
    }
    return row[n_b];
}

/* The member of the group `schema[0..prefix)` whose name is nearest to `name`, at most 2 edits away
 * (and fewer than the name is long); NULL if there is none. *n_nearest: its length. */
static const char *nearest_member(const char *schema, size_t prefix, const char *name,
                                  size_t *n_nearest) {
    const t5_config_key *keys;
    int n = t5_config_keys(&keys), least = 3;
    const char *nearest = NULL;
    for (int i = 0; i < n; i++) {
        if (strncmp(keys[i].path, schema, prefix) != 0)
            continue;
        const char *member = keys[i].path + prefix;
        size_t length = strcspn(member, ".[");
        int distance = edit_distance(name, strlen(name), member, length);
        if (distance < least && (size_t)distance < strlen(name)) {
            least = distance;
            nearest = member;
            *n_nearest = length;
        }
    }
    return nearest;
}

/* A key of another group with exactly this name; NULL if there is none. */
static const char *same_name_elsewhere(const char *name) {
    const t5_config_key *keys;
    int n = t5_config_keys(&keys);
    for (int i = 0; i < n; i++) {
        const char *dot = strrchr(keys[i].path, '.');
        if (dot && !t5_config_is_nested(&keys[i]) && strcmp(dot + 1, name) == 0)
            return keys[i].path;
    }
    return NULL;
}

t5_status t5_config_fail_unknown(t5_config_reader *r, const config_setting_t *setting,
                                 const char *shown, const char *schema) {
    const char *dot = strrchr(schema, '.');
    size_t prefix = dot ? (size_t)(dot - schema) + 1 : 0, length = 0;
    const char *nearest = nearest_member(schema, prefix, schema + prefix, &length);
    const char *elsewhere = nearest ? NULL : same_name_elsewhere(schema + prefix);
    if (nearest)
        return t5_config_fail(r, setting, shown, "there is no such key, did you mean %.*s?",
                              (int)length, nearest);
    if (elsewhere)
        return t5_config_fail(r, setting, shown, "there is no such key, did you mean %s?",
                              elsewhere);
    return t5_config_fail(r, setting, shown, "there is no such key (docs/config.md lists all)");
}
