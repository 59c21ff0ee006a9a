/* The fields of a JSON object by key: a value, or an error that names the file and the key. For
 * sources of this folder only. A field that is not there, or null, leaves *out as it is. */
#ifndef T5_IO_JSON_FIELDS_H
#define T5_IO_JSON_FIELDS_H
#include "base/status.h"
#include <jansson.h>
#include <stdbool.h>

typedef struct t5_json_fields {
    const char *name; /* the file's, for messages */
    const json_t *root;
    t5_error *err;
} t5_json_fields;

/* NULL: the file does not say, or says null. */
const json_t *t5_json_field(const t5_json_fields *f, const char *key);
/* T5_ERR_INPUT: "config.json: d_model is a string, expected an integer". */
t5_status t5_json_wrong_type(const t5_json_fields *f, const char *key, const json_t *value,
                             const char *expected);
/* T5_ERR_INPUT: of another type, or outside low .. high. */
t5_status t5_json_integer(const t5_json_fields *f, const char *key, int low, int high, int *out);
t5_status t5_json_real(const t5_json_fields *f, const char *key, double *out);
t5_status t5_json_flag(const t5_json_fields *f, const char *key, bool *out);
/* *out belongs to the object. */
t5_status t5_json_text(const t5_json_fields *f, const char *key, const char **out);

#endif
