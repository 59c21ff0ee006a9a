/* Reading the HDF5 files that io/store.h writes: attributes, arrays, columns of tables. One thread
 * at a time. Every function but close returns T5_ERR_INPUT, naming the file and the object, if what
 * was asked for is not there or of another type, and T5_ERR_MEMORY. */
#ifndef T5_IO_STORE_READ_H
#define T5_IO_STORE_READ_H
#include "io/store.h"
#include <stdbool.h>

typedef struct t5_store_reader t5_store_reader;

/* T5_ERR_INPUT: no such file, or none that HDF5 can read. */
t5_status t5_store_open(const char *path, t5_store_reader **reader, t5_error *err);
void t5_store_close(t5_store_reader *reader); /* NULL is fine */

/* Is there a group or data set of this path? Links to other files, relative to this one's folder,
 * are followed; one to a file that does not exist leads nowhere. What is there and cannot be opened
 * is T5_ERR_INPUT, never a no: whoever takes results for missing makes them again. */
t5_status t5_store_find(t5_store_reader *reader, const char *path, bool *found, t5_error *err);

/* The names in a group, in the order in which they were made: *names is one malloc'd block, the
 * texts behind the pointers. */
t5_status t5_store_list(t5_store_reader *reader, const char *group, char ***names, int *n,
                        t5_error *err);

t5_status t5_store_get_int(t5_store_reader *reader, const char *object, const char *name,
                           int64_t *value, t5_error *err);
t5_status t5_store_get_double(t5_store_reader *reader, const char *object, const char *name,
                              double *value, t5_error *err);
/* *value is malloc'd. */
t5_status t5_store_get_text(t5_store_reader *reader, const char *object, const char *name,
                            char **value, t5_error *err);

/* A whole one-dimensional data set, or one column of a table (column NULL: a data set of plain
 * values). *data is one malloc'd block: int64_t[], double[], uint8_t[], or char *[] with the texts
 * behind the pointers. */
t5_status t5_store_get_array(t5_store_reader *reader, const char *path, const char *column,
                             t5_column_type type, void **data, int64_t *n, t5_error *err);

#endif
