/* Preloaded into the program: fails one of its calls that write files, or of HDF5, with ENOSPC or
 * EIO, and counts them. Only files below one folder count. Settings, in the environment:
 *   T5_FAULT_FOLDER  the folder's absolute path
 *   T5_FAULT_AT      the number of the call that fails, from 1; 0: none
 *   T5_FAULT_ERRNO   with what
 *   T5_FAULT_RANK    of the rank that mpirun gave this number; without: everywhere
 *   T5_FAULT_FILES   calls of HDF5 do not count
 *   T5_FAULT_LOG     every call is a line there, "NUMBER NAME FILE"; the failed one begins with '!'
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long n_calls;
static _Thread_local bool inside; /* calls of the functions below do not count */

static const char *setting(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value ? value : otherwise;
}

static bool is_this_rank(void) {
    const char *rank = getenv("T5_FAULT_RANK");
    return !rank || strcmp(rank, setting("OMPI_COMM_WORLD_RANK", "0")) == 0;
}

static void note(long number, bool fails, const char *name, const char *file) {
    char line[PATH_MAX + 128];
    const char *path = getenv("T5_FAULT_LOG");
    int n = snprintf(line, sizeof line, "%s%ld %s %s\n", fails ? "!" : "", number, name, file);
    long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (fd < 0)
        return;
    syscall(SYS_write, (int)fd, line, (size_t)n);
    syscall(SYS_close, (int)fd);
}

/* Counts a call; true: this is the one that fails, errno says how. */
static bool fails(const char *name, const char *file) {
    if (!is_this_rank())
        return false;
    long number = atomic_fetch_add(&n_calls, 1) + 1;
    bool this = number == strtol(setting("T5_FAULT_AT", "0"), NULL, 10);
    note(number, this, name, file);
    if (this)
        errno = (int)strtol(setting("T5_FAULT_ERRNO", "28"), NULL, 10);
    return this;
}

static bool is_below(const char *path) {
    const char *folder = getenv("T5_FAULT_FOLDER");
    size_t n = folder ? strlen(folder) : 0;
    return n > 0 && strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static bool path_fails(const char *name, int folder, const char *path) {
    char whole[2 * PATH_MAX], link[64], base[PATH_MAX];
    int saved = errno;
    bool result = false;
    if (inside)
        return false;
    inside = true;
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        ssize_t n;
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d",
                 folder);
        n = readlink(link, base, sizeof base - 1);
        base[n > 0 ? n : 0] = 0;
        snprintf(whole, sizeof whole, "%s/%s", base, path);
    }
    errno = saved;
    if (is_below(whole))
        result = fails(name, path);
    inside = false;
    return result;
}

static bool file_fails(const char *name, int fd) {
    char link[64], path[PATH_MAX];
    int saved = errno;
    bool result = false;
    if (inside)
        return false;
    inside = true;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    errno = saved;
    if (is_below(path))
        result = fails(name, path + strlen(getenv("T5_FAULT_FOLDER")));
    inside = false;
    return result;
}

static bool library_fails(const char *name) {
    if (inside)
        return false;
    inside = true;
    bool result = getenv("T5_FAULT_FOLDER") && !getenv("T5_FAULT_FILES") && fails(name, "-");
    inside = false;
    return result;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define VISIBLE __attribute__((visibility("default")))

/* ---- files ---- */

#define MODE_OF(flags, mode)         \
    mode_t mode = 0;                 \
    if ((flags)&O_CREAT) {           \
        va_list args;                \
        va_start(args, flags);       \
        mode = va_arg(args, mode_t); \
        va_end(args);                \
    }
#define WRITES(flags) (((flags) & (O_CREAT | O_WRONLY | O_RDWR | O_DIRECTORY)) != 0)

#define INTERPOSE_OPEN(name)                                    \
    VISIBLE int name(const char *path, int flags, ...) {        \
        MODE_OF(flags, mode)                                    \
        if (WRITES(flags) && path_fails(#name, AT_FDCWD, path)) \
            return -1;                                          \
        return REAL(name)(path, flags, mode);                   \
    }
INTERPOSE_OPEN(open)
INTERPOSE_OPEN(open64)

#define INTERPOSE_OPENAT(name)                                       \
    VISIBLE int name(int folder, const char *path, int flags, ...) { \
        MODE_OF(flags, mode)                                         \
        if (WRITES(flags) && path_fails(#name, folder, path))        \
            return -1;                                               \
        return REAL(name)(folder, path, flags, mode);                \
    }
INTERPOSE_OPENAT(openat)
INTERPOSE_OPENAT(openat64)

#define ON_FILE(type, name, failure, parameters, arguments) \
    VISIBLE type name parameters {                          \
        if (file_fails(#name, fd))                          \
            return failure;                                 \
        return REAL(name) arguments;                        \
    }
ON_FILE(ssize_t, write, -1, (int fd, const void *data, size_t n), (fd, data, n))
ON_FILE(ssize_t, pwrite, -1, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at))
ON_FILE(ssize_t, pwrite64, -1, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at))
ON_FILE(int, fsync, -1, (int fd), (fd))
ON_FILE(int, fdatasync, -1, (int fd), (fd))
ON_FILE(int, ftruncate, -1, (int fd, off_t n), (fd, n))
ON_FILE(int, ftruncate64, -1, (int fd, off64_t n), (fd, n))
ON_FILE(int, posix_fallocate, errno, (int fd, off_t at, off_t n), (fd, at, n))
ON_FILE(int, posix_fallocate64, errno, (int fd, off64_t at, off64_t n), (fd, at, n))

/* The descriptor is gone all the same, as on Linux. Where nothing was written there is nothing that
 * could be lost. */
VISIBLE int close(int fd) {
    int flags = fcntl(fd, F_GETFL);
    bool this = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && file_fails("close", fd);
    int reason = errno, rc = REAL(close)(fd);
    if (!this)
        return rc;
    errno = reason;
    return -1;
}

#define ON_PATH(name, folder, path, parameters, arguments) \
    VISIBLE int name parameters {                          \
        if (path_fails(#name, folder, path))               \
            return -1;                                     \
        return REAL(name) arguments;                       \
    }
ON_PATH(rename, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PATH(link, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PATH(unlink, AT_FDCWD, path, (const char *path), (path))
ON_PATH(rmdir, AT_FDCWD, path, (const char *path), (path))
ON_PATH(mkdir, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
ON_PATH(unlinkat, folder, path, (int folder, const char *path, int flags), (folder, path, flags))
ON_PATH(mkdirat, folder, path, (int folder, const char *path, mode_t mode), (folder, path, mode))

/* ---- HDF5: the calls of io/, but for those that only ask ---- */

#define ON_HDF5(type, name, parameters, arguments) \
    VISIBLE type name parameters {                 \
        if (library_fails(#name))                  \
            return (type)-1;                       \
        return REAL(name) arguments;               \
    }
/* Closed all the same: what failed is the writing that it implies. */
#define ON_CLOSE(name)                    \
    VISIBLE herr_t name(hid_t id) {       \
        bool this = library_fails(#name); \
        herr_t rc = REAL(name)(id);       \
        return this ? -1 : rc;            \
    }
ON_HDF5(hid_t, H5Fcreate, (const char *path, unsigned flags, hid_t create, hid_t access),
        (path, flags, create, access))
ON_HDF5(hid_t, H5Fopen, (const char *path, unsigned flags, hid_t access), (path, flags, access))
ON_HDF5(herr_t, H5Fflush, (hid_t file, H5F_scope_t scope), (file, scope))
ON_HDF5(ssize_t, H5Fget_file_image, (hid_t file, void *to, size_t n), (file, to, n))
ON_HDF5(hid_t, H5Gcreate2, (hid_t at, const char *name, hid_t l, hid_t c, hid_t a),
        (at, name, l, c, a))
ON_HDF5(hid_t, H5Gopen2, (hid_t at, const char *name, hid_t a), (at, name, a))
ON_HDF5(hid_t, H5Dcreate2,
        (hid_t at, const char *name, hid_t type, hid_t space, hid_t l, hid_t c, hid_t a),
        (at, name, type, space, l, c, a))
ON_HDF5(hid_t, H5Dopen2, (hid_t at, const char *name, hid_t a), (at, name, a))
ON_HDF5(herr_t, H5Dwrite,
        (hid_t set, hid_t type, hid_t memory, hid_t space, hid_t how, const void *data),
        (set, type, memory, space, how, data))
ON_HDF5(herr_t, H5Dread, (hid_t set, hid_t type, hid_t memory, hid_t space, hid_t how, void *data),
        (set, type, memory, space, how, data))
ON_HDF5(haddr_t, H5Dget_offset, (hid_t set), (set))
ON_HDF5(hid_t, H5Acreate2, (hid_t at, const char *name, hid_t type, hid_t space, hid_t c, hid_t a),
        (at, name, type, space, c, a))
ON_HDF5(hid_t, H5Aopen, (hid_t at, const char *name, hid_t a), (at, name, a))
ON_HDF5(herr_t, H5Awrite, (hid_t attribute, hid_t type, const void *data), (attribute, type, data))
ON_HDF5(herr_t, H5Aread, (hid_t attribute, hid_t type, void *data), (attribute, type, data))
ON_HDF5(hid_t, H5Oopen, (hid_t at, const char *name, hid_t a), (at, name, a))
ON_HDF5(herr_t, H5Lcreate_external,
        (const char *file, const char *object, hid_t at, const char *name, hid_t l, hid_t a),
        (file, object, at, name, l, a))
ON_HDF5(hid_t, H5Pcreate, (hid_t class), (class))
ON_HDF5(hid_t, H5Tcopy, (hid_t type), (type))
ON_HDF5(hid_t, H5Screate, (H5S_class_t class), (class))
ON_HDF5(hid_t, H5Screate_simple, (int n, const hsize_t *dims, const hsize_t *most), (n, dims, most))
ON_CLOSE(H5Fclose)
ON_CLOSE(H5Dclose)
ON_CLOSE(H5Gclose)
ON_CLOSE(H5Aclose)
ON_CLOSE(H5Oclose)
