#include "io/folder.h"
#include "io/replace.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_self_or_parent(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

t5_status t5_folder_check_new(const char *path, t5_error *err) {
    DIR *dir = opendir(path);
    const struct dirent *entry;
    if (!dir && errno == ENOENT)
        return T5_OK;
    if (!dir)
        return t5_fail(err, T5_ERR_INPUT, "%s: a new or an empty folder was expected: %s", path,
                       strerror(errno));
    do
        entry = readdir(dir);
    while (entry && is_self_or_parent(entry->d_name));
    if (entry)
        t5_fail(err, T5_ERR_INPUT,
                "%s: a new or an empty folder was expected; there is something in it (%s)", path,
                entry->d_name);
    closedir(dir);
    return err->status;
}

t5_status t5_folder_put_in_place(const char *temporary, const char *path, t5_error *err) {
    if (rename(temporary, path) != 0) {
        bool fixed = errno == EBUSY || errno == EXDEV || errno == EINVAL;
        bool occupied = errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR;
        if (fixed)
            return t5_fail(err, T5_ERR_INPUT,
                           "%s: cannot be replaced (\".\", or a disk is mounted there): name a new "
                           "folder in it",
                           path);
        return t5_fail(err, occupied ? T5_ERR_INPUT : T5_ERR_IO,
                       "%s: a new or an empty folder was expected: %s", path, strerror(errno));
    }
    if (t5_file_sync_folder(path) != 0)
        return t5_fail(err, T5_ERR_IO,
                       "%s: is written, but may be lost in a crash, its folder's fsync: %s", path,
                       strerror(errno));
    return T5_OK;
}

t5_status t5_folder_make_new(const char *path, t5_error *err) {
    return mkdir(path, 0777) == 0
               ? T5_OK
               : t5_fail(err, T5_ERR_IO, "%s: cannot make this folder: %s", path, strerror(errno));
}

t5_status t5_folder_each(const char *path, bool (*visit)(void *user, const char *name), void *user,
                         t5_error *err) {
    DIR *dir = opendir(path);
    const struct dirent *entry;
    if (!dir)
        return t5_fail(err, T5_ERR_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    while ((entry = readdir(dir)) &&
           (is_self_or_parent(entry->d_name) || visit(user, entry->d_name)))
        continue;
    closedir(dir);
    return T5_OK;
}

void t5_folder_remove(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    if (!dir && fd >= 0)
        close(fd);
    if (!dir)
        return;
    while ((entry = readdir(dir)))
        if (!is_self_or_parent(entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(path);
}

void t5_folder_remove_empty(const char *path) {
    rmdir(path);
}
