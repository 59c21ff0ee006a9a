/* The files RUN/checkpoints/TRIAL/state-STEP.h5: their names, which are there, which go. Only
 * regular files of exactly such a name count; nothing else is touched. */
#ifndef T5_RUN_STATE_FILES_H
#define T5_RUN_STATE_FILES_H
#include "base/status.h"
#include <stdint.h>

enum { T5_STATE_PATH = 4480 };
typedef struct t5_state_folder {
    char path[T5_STATE_PATH]; /* RUN/checkpoints/TRIAL */
} t5_state_folder;

/* T5_ERR_INPUT if the path is too long. */
t5_status t5_state_folder_of(const char *dir, const char *trial, t5_state_folder *folder,
                             t5_error *err);
/* The file of a step, >= 0; path has room for T5_STATE_PATH + 64 bytes. */
void t5_state_file(const t5_state_folder *folder, int64_t step, char path[T5_STATE_PATH + 64]);

/* The steps of the files that are there, highest first; *steps malloc'd. No such folder: none.
 * T5_ERR_IO, T5_ERR_MEMORY. */
t5_status t5_state_list(const t5_state_folder *folder, int64_t **steps, int *n, t5_error *err);
/* After `step` was written: keeps the last `keep` up to it and removes the others, also those of
 * later steps, which are of a course that training has left. As far as that works. */
void t5_state_rotate(const t5_state_folder *folder, int64_t step, int keep);
/* Removes them all, what killed writers have left, and the folder if it is empty then. */
void t5_state_remove(const t5_state_folder *folder);

#endif
