/* HDF5 files: groups, attributes, tables of columns, external links, written so that a half-written
 * file is never visible: a store is built under a temporary name in the same folder; t5_store_commit
 * flushes, fsyncs and renames it. The only folder that includes <hdf5.h>. Knows no trial and no
 * model: src/run/results.c says what goes where. Serial HDF5, one thread at a time. */
#ifndef T5_IO_STORE_H
#define T5_IO_STORE_H
#include "base/status.h"
#include <stdint.h>

typedef struct t5_store t5_store;

/* A new file that will replace `path` on commit. T5_ERR_IO. */
t5_status t5_store_create(const char *path, t5_store **store, t5_error *err);
/* Flush, fsync, rename over path, close, free. On failure the temporary file is removed and what
 * was at path is untouched. */
t5_status t5_store_commit(t5_store *store, t5_error *err);
/* Gives up: removes the temporary file. NULL is fine. */
void t5_store_abandon(t5_store *store);

/* Groups are named by absolute paths ("/trials/x"), parents are made. Errors stick to the store and
 * are returned by t5_store_commit, so calls need no checks of their own. */
void t5_store_group(t5_store *s, const char *group);
void t5_store_attr_int(t5_store *s, const char *object, const char *name, int64_t value);
void t5_store_attr_double(t5_store *s, const char *object, const char *name, double value);
void t5_store_attr_text(t5_store *s, const char *object, const char *name, const char *value);

typedef enum { T5_COLUMN_INT, T5_COLUMN_DOUBLE, T5_COLUMN_TEXT } t5_column_type;
typedef struct t5_column {
    const char *name;
    t5_column_type type;
    const void *data; /* int64_t[], double[] or const char *[] (UTF-8) */
} t5_column;
/* A one-dimensional data set of a compound type: h5py shows it as a structured array, h5dump as a
 * table. Text is variable-length UTF-8. */
void t5_store_table(t5_store *s, const char *path, const t5_column *columns, int n_columns,
                    int64_t n_rows);
/* path in this store shows `object` of `file` (relative to this file's folder). */
void t5_store_link(t5_store *s, const char *path, const char *file, const char *object);

/* "1.10.8": for --version */
const char *t5_store_library(void);

#endif
