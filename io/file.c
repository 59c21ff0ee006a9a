#include "io/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

/* Is the name wrong, or can it not be opened now (too many open files, an error of the disk)? */
static t5_status status_of(int reason) {
    static const int of_the_name[] = {ENOENT, ENOTDIR, EACCES, EPERM,  ELOOP,
                                      EISDIR, ENXIO,   ENODEV, EINVAL, ENAMETOOLONG};
    for (size_t i = 0; i < sizeof of_the_name / sizeof *of_the_name; i++)
        if (reason == of_the_name[i])
            return T5_ERR_INPUT;
    return T5_ERR_IO;
}

/* Without O_NONBLOCK a named pipe would wait for its writer. */
t5_status t5_file_open(const char *path, int *fd, size_t *size, t5_error *err) {
    struct stat info;
    t5_status status = T5_OK;
    *fd = -1;
    if (!*path)
        return t5_fail(err, T5_ERR_INPUT, "the name of a file is empty");
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 || fstat(*fd, &info) != 0)
        status = t5_fail(err, status_of(errno), "%s: cannot be opened: %s", path, strerror(errno));
    else if (S_ISDIR(info.st_mode))
        status = t5_fail(err, T5_ERR_INPUT, "%s: is a folder, expected a file", path);
    else if (!S_ISREG(info.st_mode))
        status = t5_fail(err, T5_ERR_INPUT, "%s: is not a regular file", path);
    else
        *size = info.st_size > 0 ? (size_t)info.st_size : 0;
    if (status && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return status;
}

/* Reads to the end, whatever the size was said to be: a file may grow or shrink meanwhile, and
 * those of /proc have size 0. */
static t5_status read_all(const char *path, int fd, size_t size, char **data, size_t *bytes,
                          t5_error *err) {
    char *buffer = NULL;
    size_t cap = 0, n = 0;
    for (;;) {
        if (cap - n < 2) { /* one byte to read, one for the NUL */
            size_t more = cap == 0 ? size + 2 : cap + CHUNK;
            char *grown = realloc(buffer, more);
            if (!grown) {
                free(buffer);
                return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory for a file of %zu bytes",
                               path, size);
            }
            buffer = grown;
            cap = more;
        }
        ssize_t got = read(fd, buffer + n, cap - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int reason = errno;
            free(buffer);
            return t5_fail(err, T5_ERR_IO, "%s: cannot be read: %s", path, strerror(reason));
        }
        if (got == 0)
            break;
        n += (size_t)got;
    }
    buffer[n] = '\0';
    *data = buffer;
    *bytes = n;
    return T5_OK;
}

t5_status t5_file_read(const char *path, void **data, size_t *bytes, t5_error *err) {
    int fd = -1;
    size_t size = 0;
    char *text = NULL;
    t5_status status = t5_file_open(path, &fd, &size, err);
    if (!status)
        status = read_all(path, fd, size, &text, bytes, err);
    if (!status)
        *data = text;
    if (fd >= 0)
        close(fd);
    return status;
}

static t5_status make_one(const char *path, t5_error *err) {
    struct stat info;
    if (mkdir(path, 0777) == 0)
        return T5_OK;
    int reason = errno;
    /* whatever mkdir says about a folder that is there (it may be EROFS or EACCES) */
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return T5_OK;
        reason = ENOTDIR;
    }
    return t5_fail(err, T5_ERR_IO, "%s: cannot make this folder: %s", path, strerror(reason));
}

t5_status t5_file_make_folder(const char *path, t5_error *err) {
    if (!*path)
        return t5_fail(err, T5_ERR_IO, "the name of a folder is empty");
    char *part = strdup(path);
    if (!part)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory making this folder", path);
    t5_status status = T5_OK;
    for (char *slash = part + 1; !status && (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        status = make_one(part, err);
        *slash = '/';
    }
    if (!status)
        status = make_one(path, err);
    free(part);
    return status;
}

/* What is there already, or the error number that mkdir gave. */
static t5_status make_one_below(const char *path, t5_error *err) {
    struct stat info;
    if (mkdir(path, 0777) == 0)
        return T5_OK;
    int reason = errno;
    if (lstat(path, &info) != 0)
        return t5_fail(err, T5_ERR_IO, "%s: cannot make this folder: %s", path, strerror(reason));
    if (S_ISDIR(info.st_mode))
        return T5_OK;
    return t5_fail(err, T5_ERR_INPUT, "%s: is %s, where a folder was expected: remove it", path,
                   S_ISLNK(info.st_mode) ? "a symbolic link" : "a file");
}

t5_status t5_file_make_folder_below(const char *base, const char *below, t5_error *err) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", base, below) < 0)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory making a folder in it", base);
    t5_status status = T5_OK;
    for (char *slash = path + strlen(base) + 1; !status && (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        status = make_one_below(path, err);
        *slash = '/';
    }
    if (!status)
        status = make_one_below(path, err);
    free(path);
    return status;
}

int t5_file_is_folder(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int t5_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}
