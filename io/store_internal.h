/* What the store's files share. Not for others. */
#ifndef T5_IO_STORE_INTERNAL_H
#define T5_IO_STORE_INTERNAL_H
#include "io/store_read.h"
#include <hdf5.h>

struct t5_store {
    char *path;
    hid_t file, text_type, link_plist, group_plist;
    t5_error err; /* the first error; later calls do nothing */
};

struct t5_store_reader {
    char *path;
    hid_t file, text_type;
};

/* Starts HDF5, and takes from it the habit of printing its errors: they go into ours. */
void t5_store_quiet(void);
typedef struct t5_store_reason {
    char text[256];
} t5_store_reason;
/* HDF5's innermost reason, one line. To be called right after the call that failed: the next HDF5
 * call forgets it. */
t5_store_reason t5_store_cause(void);
/* "cannot WHAT WHERE" with that reason. */
void t5_store_fail(t5_store *s, const char *what, const char *where);
/* Variable-length UTF-8; -1: failed. The caller's to close. */
hid_t t5_store_text_type(void);
/* The type of a value of a column; text_type for text. Nothing to be closed. */
hid_t t5_store_column_type(hid_t text_type, t5_column_type type);
/* The file's bytes, malloc'd. The file in memory is closed then; the store is still to be
 * abandoned. Returns the first error of any call on this store. */
t5_status t5_store_image(t5_store *s, void **image, size_t *bytes, t5_error *err);
/* Makes the groups above path. */
void t5_store_parents(t5_store *s, const char *path);

#endif
