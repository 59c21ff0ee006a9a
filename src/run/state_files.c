#include "run/state_files.h"
#include "io/file.h"
#include "io/folder.h"
#include "io/replace.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

t5_status t5_state_folder_of(const char *dir, const char *trial, t5_state_folder *folder,
                             t5_error *err) {
    int n = snprintf(folder->path, sizeof folder->path, "%s/checkpoints/%s", dir, trial);
    return n > 0 && n < T5_STATE_PATH
               ? T5_OK
               : t5_fail(err, T5_ERR_INPUT, "%s: the path of a checkpoint would be too long", dir);
}

static void name_of(int64_t step, char name[64]) {
    snprintf(name, 64, "state-%012" PRId64 ".h5", step);
}

void t5_state_file(const t5_state_folder *folder, int64_t step, char path[T5_STATE_PATH + 64]) {
    char name[64];
    name_of(step, name);
    snprintf(path, T5_STATE_PATH + 64, "%s/%s", folder->path, name);
}

/* The step of a file's name; -1: it is none. */
static int64_t step_of(const char *name) {
    int64_t step = -1;
    char again[64];
    if (sscanf(name, "state-%18" SCNd64 ".h5", &step) != 1 || step < 0)
        return -1;
    name_of(step, again);
    return strcmp(name, again) == 0 ? step : -1;
}

static int later_first(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* Room for a power of two of at least 64. */
static bool append(int64_t **steps, int *n, int64_t step) {
    if (*n == 0 || (*n >= 64 && (*n & (*n - 1)) == 0)) {
        size_t room = *n < 64 ? 64 : 2 * (size_t)*n;
        int64_t *grown = realloc(*steps, room * sizeof *grown);
        if (!grown)
            return false;
        *steps = grown;
    }
    (*steps)[(*n)++] = step;
    return true;
}

/* A folder that is one itself, not by a link out of the run's. */
static DIR *open_folder(const t5_state_folder *folder) {
    int fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

t5_status t5_state_list(const t5_state_folder *folder, int64_t **steps, int *n, t5_error *err) {
    t5_status status = T5_OK;
    const struct dirent *entry;
    *steps = NULL;
    *n = 0;
    DIR *dir = open_folder(folder);
    if (!dir && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return T5_OK; /* a link or a file: nothing of this program is in it */
    if (!dir)
        return t5_fail(err, T5_ERR_IO, "%s: cannot be read: %s", folder->path, strerror(errno));
    while (status == T5_OK && (errno = 0, entry = readdir(dir))) {
        struct stat info;
        int64_t step = step_of(entry->d_name);
        if (step < 0)
            continue;
        if (fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno != ENOENT)
                status = t5_fail(err, T5_ERR_IO, "%s/%s: cannot be looked at: %s", folder->path,
                                 entry->d_name, strerror(errno));
        } else if (S_ISREG(info.st_mode) && !append(steps, n, step))
            status = t5_fail(err, T5_ERR_MEMORY, "%s: out of memory for its list", folder->path);
    }
    if (status == T5_OK && errno != 0)
        status = t5_fail(err, T5_ERR_IO, "%s: cannot be read: %s", folder->path, strerror(errno));
    closedir(dir);
    if (status != T5_OK) {
        free(*steps);
        *steps = NULL;
        *n = 0;
    }
    if (*n > 0)
        qsort(*steps, (size_t)*n, sizeof **steps, later_first);
    return status;
}

static void remove_file(const t5_state_folder *folder, int64_t step) {
    char path[T5_STATE_PATH + 64];
    t5_state_file(folder, step, path);
    unlink(path);
}

void t5_state_rotate(const t5_state_folder *folder, int64_t step, int keep) {
    int64_t *steps = NULL;
    int n = 0, kept = 0;
    t5_state_list(folder, &steps, &n, NULL);
    for (int i = 0; i < n; i++) {
        if (steps[i] <= step && kept < keep)
            kept++;
        else
            remove_file(folder, steps[i]);
    }
    free(steps);
}

void t5_state_remove(const t5_state_folder *folder) {
    if (!t5_file_is_folder(folder->path))
        return;
    t5_state_rotate(folder, -1, 0);
    t5_file_remove_temporaries(folder->path);
    t5_folder_remove_empty(folder->path);
}
