/* A JSON file from values. Includes <jansson.h>: for sources of this folder only. */
#ifndef T5_IO_JSON_WRITE_H
#define T5_IO_JSON_WRITE_H
#include "base/status.h"
#include <jansson.h>

/* The object as DIRECTORY/NAME, indented, keys in their order, numbers as short as they can be read
 * back exactly, whole or not at all (io/replace.h). root may be NULL, where its maker ran out of
 * memory: T5_ERR_MEMORY. T5_ERR_IO. */
t5_status t5_json_write(const char *directory, const char *name, const json_t *root, t5_error *err);
/* object[key] = value, which is taken over. 0, or -1: out of memory, or value is NULL (json_string
 * of what is no UTF-8), or object is. */
int t5_json_put(json_t *object, const char *key, json_t *value);

#endif
