/* The text of a configuration before libconfig sees it: @include lines replaced by the files they
 * name, and numbers and brackets written so that libconfig's fine distinctions do not matter:
 * `[1, 2.5]` becomes a list (an array takes one type only), an integer beyond 32 bits gets its L
 * (libconfig 1.5 wraps it around silently). The includes are not left to libconfig because 1.5 ends
 * the process when the name is a directory's. Line breaks stay, so line numbers can be mapped back.
 */
#ifndef T5_BASE_CONFIG_SOURCE_H
#define T5_BASE_CONFIG_SOURCE_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct t5_buffer {
    char *s; /* NUL-terminated once anything was appended */
    size_t n, capacity;
} t5_buffer;

/* Appends n bytes. T5_ERR_MEMORY. */
t5_status t5_buffer_append(t5_buffer *b, const char *s, size_t n, t5_error *err);

typedef struct t5_source_line {
    int file, line; /* index into files, line number from 1 */
} t5_source_line;

typedef struct t5_config_source {
    t5_buffer text; /* as written, includes in place */
    t5_buffer code; /* what libconfig gets: the same lines */
    t5_source_line *lines;
    int n_lines, cap_lines;
    char **files; /* 0: the configuration itself */
    int n_files;
} t5_config_source;

/* Reads file and what it includes. T5_ERR_INPUT, T5_ERR_MEMORY. The source is always to be freed.
 */
t5_status t5_config_source_read(t5_config_source *source, const char *file, t5_error *err);
/* From a text instead of a file, without includes; errors have no place in front. */
t5_status t5_config_source_string(t5_config_source *source, const char *text, t5_error *err);
void t5_config_source_free(t5_config_source *source);
/* Where line `line` (from 1) of the code comes from: *file is "" for a string. */
void t5_config_source_where(const t5_config_source *source, int line, const char **file,
                            int *file_line);
/* path as seen from the directory of `file`, malloc'd; NULL if out of memory. */
char *t5_path_beside(const char *file, const char *path);

#endif
