#include "io/replace.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Length of the folder part of path, the last slash included; 0: the current folder. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static t5_status fail_errno(t5_error *err, const char *path, const char *what) {
    return t5_fail(err, T5_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

/* malloc'd "FOLDER/" or "." */
static char *folder_of(const char *path) {
    size_t n = folder_length(path);
    return n ? strndup(path, n) : strdup(".");
}

/* malloc'd "FOLDER/.NAME.tmp.PID" */
static char *temporary_name(const char *path) {
    size_t n = folder_length(path);
    char *name = NULL;
    if (asprintf(&name, "%.*s.%s.tmp.%ld", (int)n, path, path + n, (long)getpid()) < 0)
        return NULL;
    return name;
}

int t5_file_write(int fd, const void *all, size_t bytes) {
    const char *data = all;
    while (bytes > 0) {
        ssize_t n = write(fd, data, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        bytes -= (size_t)n;
    }
    return 0;
}

/* Some file systems cannot fsync (EINVAL): then there is nothing more to be had. */
int t5_file_sync(int fd) {
    return fsync(fd) == 0 || errno == EINVAL ? 0 : -1;
}

static int sync_folder(const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = t5_file_sync(fd);
    int cause = errno;
    close(fd);
    errno = cause;
    return rc;
}

t5_status t5_file_begin(const char *path, char **temporary, int *fd, t5_error *err) {
    *fd = -1;
    *temporary = temporary_name(path);
    if (!*temporary)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    *fd = open(*temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (*fd >= 0)
        return T5_OK;
    t5_status status = fail_errno(err, path, "cannot be written");
    free(*temporary);
    *temporary = NULL;
    return status;
}

t5_status t5_file_finish(const char *path, const char *temporary, int fd, t5_error *err) {
    t5_status status = T5_OK;
    char *folder = folder_of(path);
    if (!folder)
        status = t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    if (status == T5_OK && t5_file_sync(fd))
        status = fail_errno(err, path, "cannot be written");
    if (close(fd) && status == T5_OK)
        status = fail_errno(err, path, "cannot be written");
    if (status == T5_OK && rename(temporary, path))
        status = fail_errno(err, path, "cannot be replaced");
    if (status != T5_OK)
        unlink(temporary);
    else if (sync_folder(folder))
        status =
            fail_errno(err, path, "is written, but may be lost in a crash, its folder's fsync");
    free(folder);
    return status;
}

t5_status t5_file_replace(const char *path, const void *data, size_t bytes, t5_error *err) {
    char *temporary = NULL;
    int fd = -1;
    t5_status status = t5_file_begin(path, &temporary, &fd, err);
    if (status != T5_OK)
        return status;
    if (t5_file_write(fd, data, bytes)) {
        status = fail_errno(err, path, "cannot be written");
        close(fd);
        unlink(temporary);
    } else {
        status = t5_file_finish(path, temporary, fd, err);
    }
    free(temporary);
    return status;
}

/* ".NAME.tmp.PID" */
static bool is_temporary(const char *name) {
    const char *tmp = strstr(name, ".tmp.");
    return name[0] == '.' && tmp > name && tmp[5] && tmp[5 + strspn(tmp + 5, "0123456789")] == 0;
}

void t5_file_remove_temporaries(const char *folder) {
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    if (!dir)
        return;
    while ((entry = readdir(dir)))
        if (is_temporary(entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

int t5_file_sync_folder(const char *path) {
    char *folder = folder_of(path);
    int rc = folder ? sync_folder(folder) : -1;
    int cause = folder ? errno : ENOMEM;
    free(folder);
    errno = cause;
    return rc;
}

t5_status t5_file_check_folder(const char *path, t5_error *err) {
    char *folder = folder_of(path);
    if (!folder)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    t5_status status = T5_OK;
    if (access(folder, W_OK | X_OK))
        status = fail_errno(err, path, "its folder cannot be written to");
    free(folder);
    return status;
}
