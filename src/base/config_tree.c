/* From text to libconfig's tree: parsing, and --set arguments put over it. */
#include "base/config_reader.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

/* libconfig says little more than "syntax error", so the line is shown. */
static t5_status fail_parse(t5_config_reader *r) {
    int line = config_error_line(&r->tree), file_line;
    const char *file, *text = r->source.text.s, *what = config_error_text(&r->tree);
    t5_config_source_where(&r->source, line, &file, &file_line);
    if (line > r->source.n_lines)
        return t5_fail(r->err, T5_ERR_INPUT,
                       "%s:%d: %s at the end of the file; is a bracket or a value missing?", file,
                       file_line, what);
    for (int i = 1; i < line && text; i++)
        text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
    if (!text)
        return t5_fail(r->err, T5_ERR_INPUT, "%s:%d: %s", file, file_line, what);
    text += strspn(text, " \t");
    size_t n = strcspn(text, "\r\n"), keep = n > 60 ? t5_utf8_cut(text, 60) : n;
    char quoted[64] = "";
    strncat(quoted, text, keep);
    t5_config_make_printable(quoted);
    /* libconfig calls every name that it refuses a duplicate. */
    const char *hint = strstr(what, "duplicate") ? "each key once, and a group's keys in its braces"
                                                 : "KEY = VALUE; with strings in quotes";
    return t5_fail(r->err, T5_ERR_INPUT, "%s:%d: %s at or before: %s%s (%s)", file, file_line, what,
                   quoted, keep < n ? "..." : "", hint);
}

t5_status t5_config_parse_value(const char *text, config_t *tree, config_setting_t **value,
                                t5_error *err) {
    t5_config_source source = {0};
    config_init(tree);
    *value = NULL;
    t5_buffer code = {0};
    t5_status status = t5_config_source_string(&source, text, err);
    /* The line end keeps a comment in the text from hiding the semicolon. */
    const char *parts[3] = {"v = ", source.code.s ? source.code.s : "", "\n;"};
    for (int i = 0; i < 3 && status == T5_OK; i++)
        status = t5_buffer_append(&code, parts[i], strlen(parts[i]), err);
    if (status == T5_OK && (!config_read_string(tree, code.s) ||
                            config_setting_length(config_root_setting(tree)) != 1))
        status = t5_fail(err, T5_ERR_INPUT, "not one value in libconfig syntax");
    if (status == T5_OK)
        *value = config_setting_get_elem(config_root_setting(tree), 0);
    free(code.s);
    t5_config_source_free(&source);
    return status;
}

/* Copies `from` with all below it to a new member (or element, name NULL) of `parent`. */
static bool copy_setting(config_setting_t *parent, const char *name, const config_setting_t *from,
                         const char *set) {
    config_setting_t *to = config_setting_add(parent, name, config_setting_type(from));
    if (!to)
        return false;
    config_setting_set_hook(to, (void *)(uintptr_t)set);
    switch (config_setting_type(from)) {
    case CONFIG_TYPE_INT:
        return config_setting_set_int(to, config_setting_get_int(from));
    case CONFIG_TYPE_INT64:
        return config_setting_set_int64(to, config_setting_get_int64(from));
    case CONFIG_TYPE_FLOAT:
        return config_setting_set_float(to, config_setting_get_float(from));
    case CONFIG_TYPE_BOOL:
        return config_setting_set_bool(to, config_setting_get_bool(from));
    case CONFIG_TYPE_STRING:
        return config_setting_set_string(to, config_setting_get_string(from));
    default:
        break;
    }
    for (int i = 0; i < config_setting_length(from); i++) {
        const config_setting_t *child = config_setting_get_elem(from, (unsigned)i);
        if (!copy_setting(to, config_setting_name(child), child, set))
            return false;
    }
    return true;
}

static t5_status fail_set(t5_config_reader *r, const char *set, const char *what) {
    char place[T5_CONFIG_PLACE];
    t5_config_describe_set(set, place);
    return t5_fail(r->err, T5_ERR_INPUT, "%s: %s", place, what);
}

/* Puts `value` at the dotted path (which is cut into pieces), groups being made as needed. */
static t5_status put(t5_config_reader *r, const char *set, char *path,
                     const config_setting_t *value) {
    config_setting_t *group = config_root_setting(&r->tree);
    for (char *name = path, *dot; name; name = dot ? dot + 1 : NULL) {
        dot = strchr(name, '.');
        if (dot)
            *dot = '\0';
        if (!config_setting_is_group(group))
            return fail_set(r, set,
                            config_setting_is_list(group)
                                ? "a list can only be set as a whole, not one element"
                                : "the path goes through a key that is no group");
        if (name[0] == '\0')
            return fail_set(r, set, "a part of the path is empty, allowed: GROUP.KEY=VALUE");
        config_setting_t *member = config_setting_get_member(group, name);
        if (!dot) {
            if (member)
                config_setting_remove(group, name);
            return copy_setting(group, name, value, set)
                       ? T5_OK
                       : fail_set(r, set, "the path is no name of a key");
        }
        if (!member) {
            member = config_setting_add(group, name, CONFIG_TYPE_GROUP);
            if (!member)
                return fail_set(r, set, "the path is no name of a key");
            config_setting_set_hook(member, (void *)(uintptr_t)set);
        }
        group = member;
    }
    return T5_OK;
}

/* What is no libconfig value is a bare word, unless it was meant to be something with an end. */
static t5_status parse_set_value(t5_config_reader *r, const char *set, const char *text,
                                 config_t *tree, config_setting_t **value) {
    t5_error err = {0};
    t5_status status = t5_config_parse_value(text, tree, value, &err);
    if (status == T5_OK)
        return T5_OK;
    if (status == T5_ERR_MEMORY)
        return t5_config_fail_memory(r);
    if (strchr("\"[({", text[0]))
        return fail_set(r, set, "the value is not valid libconfig syntax");
    config_destroy(tree);
    config_init(tree);
    *value = config_setting_add(config_root_setting(tree), "v", CONFIG_TYPE_STRING);
    if (!*value || !config_setting_set_string(*value, text))
        return t5_config_fail_memory(r);
    return T5_OK;
}

static t5_status apply_set(t5_config_reader *r, const char *set) {
    const char *equals = strchr(set, '=');
    if (!equals)
        return fail_set(r, set, "found no =, allowed: PATH=VALUE");
    const char *text = equals + 1 + strspn(equals + 1, " \t");
    if (text[0] == '\0')
        return fail_set(r, set, "found no value, allowed: PATH=VALUE");
    t5_buffer path = {0};
    const char *start = set + strspn(set, " \t");
    size_t n = start < equals ? (size_t)(equals - start) : 0;
    while (n > 0 && (start[n - 1] == ' ' || start[n - 1] == '\t'))
        n--;
    t5_status status = t5_buffer_append(&path, start, n, r->err);
    if (status != T5_OK)
        return status;
    config_t tree;
    config_setting_t *value;
    status = parse_set_value(r, set, text, &tree, &value);
    if (status == T5_OK)
        status = put(r, set, path.s, value);
    config_destroy(&tree);
    free(path.s);
    return status;
}

t5_status t5_config_tree_read(t5_config_reader *r, const char *const *sets, int n_sets) {
    if (!config_read_string(&r->tree, r->source.code.s))
        return fail_parse(r);
    for (int i = 0; i < n_sets; i++) {
        t5_status status = apply_set(r, sets[i]);
        if (status != T5_OK)
            return status;
    }
    return T5_OK;
}
