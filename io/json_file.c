#include "io/json_file.h"
#include "base/utf8.h"
#include "io/file.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PARSE_FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY };

const char *t5_json_type(const json_t *value) {
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array",     [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer", [JSON_REAL] = "a real number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",        [JSON_NULL] = "null",
    };
    return value ? names[json_typeof(value)] : "nothing";
}

/* Bytes of the character that s begins with; 0: it is none. */
static size_t character(const char *s, size_t n) {
    for (size_t length = 1; length <= 4 && length <= n; length++) {
        if (t5_utf8_valid(s, length))
            return length;
    }
    return 0;
}

void t5_json_tame(t5_error *err) {
    char *s = err ? err->text : NULL;
    size_t n = s ? strlen(s) : 0;
    while (n > 0) {
        size_t length = character(s, n);
        if (length == 0 || (unsigned char)*s < 0x20 || *s == 0x7f) {
            *s = '?';
            length = 1;
        }
        s += length;
        n -= length;
    }
}

static t5_status parse(const char *name, const char *text, size_t n, size_t flags, json_t **root,
                       t5_error *err) {
    json_error_t error = {0};
    *root = json_loadb(text, n, PARSE_FLAGS | flags, &error);
    if (!*root) {
        t5_status status = T5_ERR_INPUT;
        if (!*error.text || json_error_code(&error) == json_error_out_of_memory)
            status = t5_fail(err, T5_ERR_MEMORY, "%s: out of memory reading JSON", name);
        else
            t5_fail(err, status, "%s:%d: not the JSON that is expected here: %s", name,
                    error.line > 0 ? error.line : 1, error.text);
        t5_json_tame(err);
        return status;
    }
    if (json_is_object(*root))
        return T5_OK;
    t5_fail(err, T5_ERR_INPUT, "%s: found %s, expected a JSON object", name, t5_json_type(*root));
    json_decref(*root);
    *root = NULL;
    return T5_ERR_INPUT;
}

t5_status t5_json_parse(const char *name, const char *text, size_t n, json_t **root,
                        t5_error *err) {
    return parse(name, text, n, 0, root, err);
}

static t5_status read_file(const char *path, size_t limit, size_t flags, json_t **root,
                           t5_error *err) {
    void *text = NULL;
    size_t n = 0;
    struct stat info;
    *root = NULL;
    if (stat(path, &info) == 0 && info.st_size > 0 && (uintmax_t)info.st_size > limit)
        return t5_fail(err, T5_ERR_INPUT, "%s: %lld bytes, expected at most %zu", path,
                       (long long)info.st_size, limit);
    t5_status status = t5_file_read(path, &text, &n, err);
    if (!status)
        status = parse(path, text, n, flags, root, err);
    free(text);
    return status;
}

t5_status t5_json_read(const char *path, size_t limit, json_t **root, t5_error *err) {
    return read_file(path, limit, 0, root, err);
}

t5_status t5_json_read_reals(const char *path, size_t limit, json_t **root, t5_error *err) {
    return read_file(path, limit, JSON_DECODE_INT_AS_REAL, root, err);
}
