#include "io/json_write.h"
#include "io/replace.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int t5_json_put(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value); /* NULL is fine for both */
}

/* 1e-6 instead of 9.9999999999999995e-07: as few digits as give every number back. */
static char *text_of(const json_t *root) {
    enum { DIGITS_OF_DOUBLE = 17 };
    for (size_t digits = 1; digits <= DIGITS_OF_DOUBLE; digits++) {
        char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(digits));
        json_t *back = text ? json_loads(text, 0, NULL) : NULL;
        int same = json_equal(root, back);
        json_decref(back);
        if (same || digits == DIGITS_OF_DOUBLE)
            return text;
        free(text);
    }
    return NULL;
}

t5_status t5_json_write(const char *directory, const char *name, const json_t *root,
                        t5_error *err) {
    char *path = NULL, *text = root ? text_of(root) : NULL;
    t5_status status;
    if (!text || asprintf(&path, "%s/%s", directory, name) < 0) {
        free(text);
        return t5_fail(err, T5_ERR_MEMORY, "out of memory writing %s/%s", directory, name);
    }
    size_t n = strlen(text);
    text[n] = '\n'; /* in place of the NUL: Transformers ends its files so, too */
    status = t5_file_replace(path, text, n + 1, err);
    free(path);
    free(text);
    return status;
}
