/* HDF5 files: groups, attributes, tables of columns, external links, written so that a half-written
 * file is never visible: a store is built in memory; t5_store_commit writes it under a temporary
 * name in the same folder, fsyncs and renames it (io/replace.h). The only folder that includes
 * <hdf5.h>. Knows no trial and no model: src/results/results.c says what goes where. Serial HDF5,
 * one thread at a time; nothing here is collective. Where MPI is in use, stores are over before
 * MPI_Finalize, which closes an HDF5 library built with MPI.
 *
 * In memory, because HDF5's own file driver cannot let go of a file that it could not write: with
 * 1.10.8 a full disk ended in a crash while closing. So a store costs about twice its size in
 * memory: it is meant for tables of megabytes, not for a model's weights. */
#ifndef T5_IO_STORE_H
#define T5_IO_STORE_H
#include "base/status.h"
#include <stdint.h>

typedef struct t5_store t5_store;

/* A new file that will replace `path` on commit. T5_ERR_IO if the folder is not there or not
 * writable, T5_ERR_MEMORY. */
t5_status t5_store_create(const char *path, t5_store **store, t5_error *err);
/* The file at `path` as it is, to be changed and, on commit, replaced. T5_ERR_IO if it is not a
 * readable HDF5 file. */
t5_status t5_store_modify(const char *path, t5_store **store, t5_error *err);
/* Writes, fsyncs, renames over path, closes, frees (in any case). On failure nothing new is left
 * behind and what was at path is untouched. Returns the first error of any call on this store. */
t5_status t5_store_commit(t5_store *store, t5_error *err);
/* Gives up; nothing was written. NULL is fine. */
void t5_store_abandon(t5_store *store);

/* Groups are named by absolute paths ("/trials/x"), parents are made, order is kept. Errors stick
 * to the store and are returned by t5_store_commit, so calls need no checks of their own. */
void t5_store_group(t5_store *s, const char *group);
/* An attribute of a group (made if missing) or a table. One that exists is replaced. text: UTF-8.
 */
void t5_store_attr_int(t5_store *s, const char *object, const char *name, int64_t value);
void t5_store_attr_double(t5_store *s, const char *object, const char *name, double value);
void t5_store_attr_text(t5_store *s, const char *object, const char *name, const char *value);

typedef enum { T5_COLUMN_INT, T5_COLUMN_DOUBLE, T5_COLUMN_TEXT, T5_COLUMN_BYTE } t5_column_type;
typedef struct t5_column {
    const char *name;
    t5_column_type type;
    /* int64_t[], double[], const char *[] (UTF-8, NULL: "") or uint8_t[]; may be NULL for no rows
     */
    const void *data;
} t5_column;
/* A one-dimensional data set of a compound type: h5py shows it as a structured array, h5dump as a
 * table. Text is variable-length UTF-8. n_columns >= 1, n_rows >= 0. Nothing is kept of the
 * columns. */
void t5_store_table(t5_store *s, const char *path, const t5_column *columns, int n_columns,
                    int64_t n_rows);
/* A one-dimensional data set of plain values, as t5_column has them. */
void t5_store_array(t5_store *s, const char *path, t5_column_type type, const void *data,
                    int64_t n);
/* path in this store shows `object` of `file` (relative to this file's folder). Neither need exist
 * yet. */
void t5_store_link(t5_store *s, const char *path, const char *file, const char *object);

/* "1.10.8": for --version. HDF5 refuses to run with another version than it was compiled with. */
const char *t5_store_library(void);

#endif
