/* What the store's files share. Not for others. */
#ifndef T5_IO_STORE_INTERNAL_H
#define T5_IO_STORE_INTERNAL_H
#include "io/store.h"
#include <hdf5.h>

struct t5_store {
    char *path;
    hid_t file, text_type, link_plist, group_plist;
    t5_error err; /* the first error; later calls do nothing */
};

/* "cannot WHAT WHERE" with HDF5's innermost reason. To be called right after the call that failed:
 * the next HDF5 call forgets the reason. */
void t5_store_fail(t5_store *s, const char *what, const char *where);
/* Makes the groups above path. */
void t5_store_parents(t5_store *s, const char *path);

#endif
