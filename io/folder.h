/* A folder of files that appears whole or not at all. */
#ifndef T5_IO_FOLDER_H
#define T5_IO_FOLDER_H
#include "base/status.h"
#include <stdbool.h>

/* T5_ERR_INPUT unless there is nothing of that name, or an empty folder. */
t5_status t5_folder_check_new(const char *path, t5_error *err);
/* Renames the folder `temporary`, beside `path`, to `path`, where nothing or an empty folder may be
 * that is not "." and has no disk mounted on it (else T5_ERR_INPUT), and fsyncs the one above.
 * T5_ERR_IO. */
t5_status t5_folder_put_in_place(const char *temporary, const char *path, t5_error *err);
/* Makes a folder where nothing is, its parents being there: not even a link to a folder. T5_ERR_IO.
 */
t5_status t5_folder_make_new(const char *path, t5_error *err);
/* Calls visit with the name of everything in a folder, in no order, until it returns false.
 * T5_ERR_INPUT with the reason: it cannot be read. */
t5_status t5_folder_each(const char *path, bool (*visit)(void *user, const char *name), void *user,
                         t5_error *err);
/* Removes a folder and the files in it, as far as that works; folders in it stay, and so does it
 * then. A link to a folder stays as it is. */
void t5_folder_remove(const char *path);
/* Removes a folder that is empty; else does nothing. */
void t5_folder_remove_empty(const char *path);

#endif
