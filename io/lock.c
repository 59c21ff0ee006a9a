#include "io/lock.h"
#include "io/lock_holder.h"
#include "io/replace.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    WAIT_MS =
        15000, /* for the other processes of a run whose first one is gone: mpirun ends them */
    POLL_MS = 50
};

struct t5_lock {
    char *path;
    int fd;     /* the file, with a shared lock */
    bool taken; /* the file is this process's own */
};

/* An open file description's own lock: another one of the same process is another holder, and
 * closing some other descriptor of the file does not drop it. false: held by others in a way that
 * excludes this, or no such locks here (*works then false). */
static bool lock_file(int fd, short type, bool *works) {
    struct flock all = {.l_type = type, .l_whence = SEEK_SET};
    int rc;
    do
        rc = fcntl(fd, F_OFD_SETLK, &all);
    while (rc != 0 && errno == EINTR);
    *works = rc == 0 || errno == EAGAIN || errno == EACCES;
    return rc == 0;
}

static t5_status fail_errno(t5_error *err, const char *path, const char *what) {
    return t5_fail(err, T5_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

/* ---------------------------------------------------------------- a lock that is there */

typedef enum state { FREE, LINGERS, HELD } state;

typedef struct found {
    int fd;
    ino_t inode;
    t5_lock_holder holder;
} found;

/* Opens the lock that is there; *there is false if there is none. */
static t5_status open_found(const char *path, found *f, bool *there, t5_error *err) {
    char text[1024];
    struct stat about;
    *there = true;
    f->fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (f->fd < 0 && errno == ENOENT) {
        *there = false;
        return T5_OK;
    }
    if (f->fd < 0)
        return t5_fail(
            err, T5_ERR_INPUT,
            "%s: cannot be opened: %s; it says which run goes on in this folder: if none "
            "does, remove it",
            path, strerror(errno));
    ssize_t n = fstat(f->fd, &about) == 0 ? pread(f->fd, text, sizeof text - 1, 0) : -1;
    text[n > 0 ? n : 0] = 0;
    f->inode = about.st_ino;
    if (n < 0 || !t5_lock_holder_parse(text, &f->holder))
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: does not say which run goes on in this folder: if none does, remove it",
                       path);
    return T5_OK;
}

/* Says who holds it, or that it is free to be taken over. */
static state judge(const char *path, found *f, const t5_lock_holder *self, t5_error *err) {
    const t5_lock_holder *h = &f->holder;
    bool works;
    t5_lock_trace trace = t5_lock_holder_trace(h, self);
    bool mine = lock_file(f->fd, F_WRLCK, &works); /* until the descriptor is closed */
    bool held = works && !mine;
    if (!held && trace == T5_LOCK_UNSEEN && works && h->locked)
        trace = T5_LOCK_GONE; /* its lock would be there */
    if (!held && trace == T5_LOCK_GONE)
        return FREE;
    if (held && trace == T5_LOCK_GONE) {
        t5_fail(err, T5_ERR_INPUT,
                "%s: process %ld on %s, which began a run here at %s, has ended, but other "
                "processes of that run have not: end them, then try again",
                path, h->pid, h->host, h->since);
        return LINGERS;
    }
    if (held || trace == T5_LOCK_RUNS)
        t5_fail(err, T5_ERR_INPUT,
                "%s: a run goes on in this folder: process %ld on %s, since %s; wait for its end, "
                "or give another folder with --output",
                path, h->pid, h->host, h->since);
    else
        t5_fail(err, T5_ERR_INPUT,
                "%s: process %ld on %s began a run in this folder at %s, and it cannot be seen "
                "from %s whether it goes on; if that run is over, remove the file %s",
                path, h->pid, h->host, h->since, self->host, path);
    return HELD;
}

t5_status t5_lock_check(const char *path, const char *job, t5_error *err) {
    t5_lock_holder self;
    found f = {.fd = -1};
    bool there;
    t5_error why = {0};
    t5_status status = open_found(path, &f, &there, err);
    if (status == T5_OK && there) {
        t5_lock_holder_self(job, &self);
        if (judge(path, &f, &self, &why) == HELD)
            status = t5_fail(err, why.status, "%s", why.text);
    }
    if (f.fd >= 0)
        close(f.fd);
    return status;
}

/* ---------------------------------------------------------------- taking it */

/* This process's file, whole and locked, under a name that no process of another machine or
 * container has (malloc'd). */
static t5_status make_own(const char *path, t5_lock_holder *self, t5_lock *lock, char **name,
                          t5_error *err) {
    char text[1024], *unique = NULL;
    if (asprintf(&unique, "%s.%s.%llu", path, self->host, self->started) < 0)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    t5_status status = t5_file_begin(unique, name, &lock->fd, err);
    free(unique);
    if (status != T5_OK)
        return status;
    lock_file(lock->fd, F_RDLCK, &self->locked);
    size_t n = t5_lock_holder_format(self, text, sizeof text);
    if (t5_file_write(lock->fd, text, n) != 0 || (fsync(lock->fd) != 0 && errno != EINVAL))
        return fail_errno(err, path, "cannot be written");
    return T5_OK;
}

/* link(2), or where a file system has no such thing an exclusive copy. 0, or -1 with errno. */
static int put_if_free(const char *own, const char *path, t5_lock *lock) {
    struct stat about;
    char text[1024];
    if (link(own, path) == 0 || (fstat(lock->fd, &about) == 0 && about.st_nlink == 2))
        return 0; /* an answer of a network file system may be lost, the link not */
    if (errno != EPERM && errno != ENOSYS && errno != EOPNOTSUPP && errno != EMLINK)
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    ssize_t n = fd >= 0 ? pread(lock->fd, text, sizeof text, 0) : -1;
    if (n < 0 || t5_file_write(fd, text, (size_t)n) != 0) {
        int cause = errno;
        if (fd >= 0) {
            close(fd);
            unlink(path);
        }
        errno = cause;
        return -1;
    }
    bool works;
    lock_file(fd, F_RDLCK, &works);
    close(lock->fd);
    lock->fd = fd;
    return 0;
}

static void sleep_ms(int ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* Puts the own file in the place of one whose run is over. *done: it is there. Otherwise somebody
 * was faster, or lingers: to be looked at again. */
static t5_status take_over(const char *own, const char *path, const t5_lock_holder *self,
                           int *waited, bool *done, t5_error *err) {
    found f = {.fd = -1};
    struct stat now;
    bool there;
    t5_error why = {0};
    t5_status status = open_found(path, &f, &there, err);
    if (status == T5_OK && !there && access(own, F_OK) != 0)
        status = fail_errno(err, own, "is gone, try again"); /* cleaned up by whoever was faster */
    if (status != T5_OK || !there)
        goto done;
    state s = judge(path, &f, self, &why);
    if (s == LINGERS && *waited < WAIT_MS) {
        sleep_ms(POLL_MS);
        *waited += POLL_MS;
    } else if (s != FREE) {
        status = t5_fail(err, why.status, "%s", why.text);
    } else if (lstat(path, &now) == 0 && now.st_ino == f.inode) {
        if (rename(own, path) != 0)
            status = fail_errno(err, path, "cannot be replaced");
        else
            *done = true;
    }
done:
    if (f.fd >= 0)
        close(f.fd);
    return status;
}

t5_status t5_lock_take(const char *path, const char *job, t5_lock **out, t5_error *err) {
    t5_lock_holder self;
    char *own = NULL;
    int waited = 0;
    t5_lock *lock = calloc(1, sizeof *lock);
    *out = NULL;
    if (lock)
        lock->fd = -1;
    if (!lock || !(lock->path = strdup(path))) {
        t5_lock_release(lock);
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    }
    t5_lock_holder_self(job, &self);
    t5_status status = make_own(path, &self, lock, &own, err);
    while (status == T5_OK && !lock->taken) {
        if (put_if_free(own, path, lock) == 0)
            lock->taken = true;
        else if (errno == EEXIST || errno == ENOENT)
            status = take_over(own, path, &self, &waited, &lock->taken, err);
        else
            status = fail_errno(err, path, "cannot be made");
    }
    if (own)
        unlink(own);
    free(own);
    if (status == T5_OK)
        *out = lock;
    else
        t5_lock_release(lock);
    return status;
}

t5_lock *t5_lock_join(const char *path) {
    bool works;
    t5_lock *lock = calloc(1, sizeof *lock);
    if (!lock)
        return NULL;
    lock->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (lock->fd >= 0 && lock_file(lock->fd, F_RDLCK, &works))
        return lock;
    t5_lock_release(lock);
    return NULL;
}

void t5_lock_release(t5_lock *lock) {
    struct stat mine, there;
    if (!lock)
        return;
    /* somebody may have removed the file by hand, and begun another run */
    if (lock->taken && fstat(lock->fd, &mine) == 0 && lstat(lock->path, &there) == 0 &&
        mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
        unlink(lock->path);
    if (lock->fd >= 0)
        close(lock->fd);
    free(lock->path);
    free(lock);
}
