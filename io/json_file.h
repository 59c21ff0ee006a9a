/* Small JSON files from elsewhere (config.json, an index), parsed by Jansson: an object, or an
 * error that names the file and the line. Includes <jansson.h>: for sources of this folder only. */
#ifndef T5_IO_JSON_FILE_H
#define T5_IO_JSON_FILE_H
#include "base/status.h"
#include <jansson.h>
#include <stddef.h>

/* The object in text (n bytes); *root is to be freed by json_decref. name: the file's, for
 * messages. T5_ERR_INPUT: not JSON, no object, a key twice, not UTF-8,
 * an integer beyond 64 bits. */
t5_status t5_json_parse(const char *name, const char *text, size_t n, json_t **root, t5_error *err);
/* The object in a file of at most `limit` bytes. T5_ERR_INPUT, T5_ERR_IO, T5_ERR_MEMORY. */
t5_status t5_json_read(const char *path, size_t limit, json_t **root, t5_error *err);
/* The same with every number as a real one, so that integers of any size are fine:
 * tokenizer_config.json says "no limit" as 1000000000000000019884624838656. */
t5_status t5_json_read_reals(const char *path, size_t limit, json_t **root, t5_error *err);
/* "a number", "an array", ...; "nothing" for NULL. */
const char *t5_json_type(const json_t *value);
/* Control characters, and bytes that are no UTF-8 (a name was cut), become "?": what an error
 * quotes from a file must not move a terminal's cursor. err may be NULL. */
void t5_json_tame(t5_error *err);

#endif
