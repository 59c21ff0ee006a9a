#include "results/claim.h"
#include "io/file.h"
#include <stdbool.h>
#include <stdio.h>

enum { MAX_PATH = 4352 };

static bool lock_path(char path[MAX_PATH], const char *dir) {
    int n = snprintf(path, MAX_PATH, "%s/run.lock", dir);
    return n > 0 && n < MAX_PATH;
}

t5_status t5_claim_check(const char *dir, const char *job, t5_error *err) {
    char path[MAX_PATH];
    if (!lock_path(path, dir))
        return t5_fail(err, T5_ERR_INPUT, "%s: too long for a folder's path", dir);
    return t5_file_exists(dir) ? t5_lock_check(path, job, err) : T5_OK;
}

t5_status t5_claim_take(const char *dir, const char *job, t5_lock **lock, t5_error *err) {
    char path[MAX_PATH];
    *lock = NULL;
    if (!lock_path(path, dir))
        return t5_fail(err, T5_ERR_INPUT, "%s: too long for a folder's path", dir);
    if (t5_file_make_folder(dir, err) == T5_OK && t5_lock_take(path, job, lock, err) == T5_OK &&
        t5_file_make_folder_below(dir, "trials", err) != T5_OK) {
        t5_lock_release(*lock);
        *lock = NULL;
    }
    return err->status;
}

t5_lock *t5_claim_join(const char *dir) {
    char path[MAX_PATH];
    return lock_path(path, dir) ? t5_lock_join(path) : NULL;
}
