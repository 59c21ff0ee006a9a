#include "results/run_folder.h"
#include "io/file.h"
#include "io/store_read.h"
#include "plan/part.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which part the trial is in; count 0: none. */
static t5_part find_part(t5_store_reader *r, const char *trial, t5_error *err) {
    t5_part part = {0};
    t5_error old = {0}; /* versions before parts did not merge */
    int64_t count, n = 0;
    char **names = NULL;
    if (t5_store_get_int(r, "/", "merged_of", &count, &old) != T5_OK || count < 1 ||
        count > T5_PARTS_MOST)
        return part;
    if (t5_store_get_array(r, "/plan", "trial", T5_COLUMN_TEXT, (void **)&names, &n, err) == T5_OK)
        for (int64_t t = 0; t < n; t++)
            if (strcmp(names[t], trial) == 0)
                part = (t5_part){(int)(t % count) + 1, (int)count};
    free(names);
    return part;
}

char *t5_run_folder(const char *run, const char *trial, t5_error *err) {
    char path[4352], *folder;
    t5_part part = {0};
    t5_store_reader *r = NULL;
    int length = snprintf(path, sizeof path, "%s/results.h5", run);
    if (length > 0 && (size_t)length < sizeof path && t5_file_exists(path)) {
        if (t5_store_open(path, &r, err) == T5_OK)
            part = find_part(r, trial, err);
        t5_store_close(r);
        if (err->status != T5_OK)
            return NULL;
    }
    folder = t5_part_folder(run, part);
    if (!folder)
        t5_fail(err, T5_ERR_MEMORY, "%s: out of memory for its path", run);
    return folder;
}
