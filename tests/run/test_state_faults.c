/* Keeping and reading back a trial in training with the first, second, third ... call of the system
 * or allocation failing: an error says so, nothing of it stays behind, and the checkpoint before it
 * is as it was. Only calls of the code under test fail, not those of MPI and HDF5; HDF5's where it
 * reads. */
#include "base/log.h"
#include "keeper_check.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(SANITIZED)
#define CAN_FAIL
#endif

#ifdef CAN_FAIL

typedef enum { NOTHING, SYSTEM, MEMORY, READING } kind;
static _Atomic kind armed; /* the keeper's threads call, too */
static _Atomic int countdown, failures;

/* The code under test is linked into this executable; the libraries are not. */
extern char __executable_start, etext;
static bool fails(kind what, const void *caller) {
    bool ours = armed == what && (what == READING || ((const char *)caller >= &__executable_start &&
                                                      (const char *)caller < &etext));
    if (!ours || countdown-- != 0)
        return false;
    failures++;
    return true;
}

#define CALLER __builtin_return_address(0)
#define FAILS_WITH(reason) (fails(SYSTEM, CALLER) && (errno = (reason), true))
#define FAILS_TO_READ(reason) (fails(READING, NULL) && (errno = (reason), true))
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t n);

void *malloc(size_t n) {
    return fails(MEMORY, CALLER) ? NULL : __libc_malloc(n);
}
void *calloc(size_t n, size_t size) {
    return fails(MEMORY, CALLER) ? NULL : __libc_calloc(n, size);
}
void *realloc(void *block, size_t n) {
    return fails(MEMORY, CALLER) ? NULL : __libc_realloc(block, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    return FAILS_WITH(ENOSPC) ? -1 : REAL(pwrite)(fd, data, n, at);
}
ssize_t pread(int fd, void *data, size_t n, off_t at) {
    return FAILS_WITH(EIO) || FAILS_TO_READ(EIO) ? -1 : REAL(pread)(fd, data, n, at);
}
ssize_t pread64(int fd, void *data, size_t n, off64_t at) {
    return FAILS_TO_READ(EIO) ? -1 : REAL(pread64)(fd, data, n, at);
}
static mode_t mode_of(int flags, va_list more) {
    return flags & O_CREAT ? va_arg(more, mode_t) : 0;
}
int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return FAILS_TO_READ(EMFILE) ? -1 : REAL(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return FAILS_TO_READ(EMFILE) ? -1 : REAL(open64)(path, flags, mode);
}
int fstat(int fd, struct stat *info) {
    return FAILS_TO_READ(EIO) ? -1 : REAL(fstat)(fd, info);
}
int fstatat(int fd, const char *path, struct stat *info, int flags) {
    return FAILS_TO_READ(EIO) ? -1 : REAL(fstatat)(fd, path, info, flags);
}
DIR *fdopendir(int fd) {
    return FAILS_TO_READ(ENOMEM) ? NULL : REAL(fdopendir)(fd);
}
struct dirent *readdir(DIR *folder) {
    return FAILS_TO_READ(EIO) ? NULL : REAL(readdir)(folder);
}
int posix_fallocate(int fd, off_t at, off_t n) {
    return fails(SYSTEM, CALLER) ? ENOSPC : REAL(posix_fallocate)(fd, at, n);
}
int fsync(int fd) {
    return FAILS_WITH(EIO) ? -1 : REAL(fsync)(fd);
}
int rename(const char *from, const char *to) {
    return FAILS_WITH(EIO) ? -1 : REAL(rename)(from, to);
}
int mkdir(const char *path, mode_t mode) {
    return FAILS_WITH(ENOSPC) ? -1 : REAL(mkdir)(path, mode);
}
/* A thread that cannot be had is no failure: the work is done without it. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*work)(void *),
                   void *user) {
    return fails(SYSTEM, CALLER) ? EAGAIN : REAL(pthread_create)(thread, attr, work, user);
}

static int open_files(void) {
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static bool has_temporaries(const char *folder) {
    bool found = false;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        found = found || strstr(e->d_name, ".tmp.");
    if (d)
        closedir(d);
    return found;
}

/* Call number `call` of a kind fails while a checkpoint is made. Returns whether there is such a
 * call. */
static bool keep_with_failure(trial *t, kind what, int call) {
    t5_error err = {0};
    int open_before = open_files();
    int64_t step = t->state.step + 1;
    train_to(t, step, true);
    countdown = call;
    failures = 0;
    armed = what;
    t5_status status = t5_keeper_begin(t->keeper, t->best, &t->state, &t->record, &err);
    if (status == T5_OK)
        status = t5_keeper_settle(t->keeper, &err);
    armed = NOTHING;
    bool failed = failures > 0;
    bool there = has_step("run", step);
    CHECK(open_files() == open_before);
    CHECK(failed || status == T5_OK);
    CHECK(status != T5_OK || there);
    CHECK((status != T5_OK) == (err.text[0] != 0));
    /* but for the very last step, the folder's fsync, which leaves a good file */
    CHECK(status == T5_OK || !there || strstr(err.text, "may be lost in a crash"));
    /* the oldest ones may stay until the next time */
    CHECK(failed || count_files("run/checkpoints/trial") == 2);
    CHECK(!has_temporaries("run/checkpoints/trial"));
    CHECK(load(t));
    check_trial(t, there ? step : t->state.step, true, true);
    return failed;
}

static void keeping(kind what, int at_least) {
    trial t;
    int calls = 0;
    t5_log_setup(T5_LOG_ERROR, -1); /* the warnings are looked at elsewhere */
    open_trial(&t, world, "run");
    if (!load(&t))
        keep(&t, 1, true);
    while (keep_with_failure(&t, what, calls))
        CHECK(++calls < 200);
    CHECK(calls >= at_least);
    close_trial(&t);
    t5_log_setup(T5_LOG_WARNING, -1);
}

static void every_call_of_the_system_may_fail(void **state) {
    (void)state;
    make_run("run");
    keeping(SYSTEM, 25);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    keeping(MEMORY, 10);
}

/* Reading: an error, or no error and the newest checkpoint; never the one before it. */
static void reading_may_fail(void **state) {
    (void)state;
    t5_log_setup(T5_LOG_ERROR, -1);
    trial newest;
    open_trial(&newest, world, "run");
    CHECK(load(&newest));
    keep(&newest, newest.state.step + 1, true);
    CHECK(count_files("run/checkpoints/trial") == 2);
    for (kind what = SYSTEM; what <= READING; what++) {
        bool failed = true;
        int calls = 0;
        for (; failed; calls += failed) {
            t5_error err = {0};
            bool found = false;
            trial t;
            open_trial(&t, world, "run");
            int open_before = open_files();
            countdown = calls;
            failures = 0;
            armed = what;
            t5_keeper_load(t.keeper, &t.best, &t.state, &t.record, &found, &err);
            armed = NOTHING;
            failed = failures > 0;
            CHECK(open_files() == open_before);
            CHECK(failed || found);
            CHECK(found == (err.status == T5_OK));
            CHECK(!strchr(err.text, '\n'));
            CHECK(count_files("run/checkpoints/trial") == 2);
            if (found)
                check_trial(&t, newest.state.step, true, true);
            close_trial(&t);
            CHECK(calls < 200);
        }
        CHECK(calls > 10);
    }
    close_trial(&newest);
    t5_log_setup(T5_LOG_WARNING, -1);
}

#else

static void every_call_of_the_system_may_fail(void **state) {
    (void)state;
    print_message("a sanitizer owns malloc, or the library is not glibc\n");
    skip();
}
#define every_allocation_may_fail every_call_of_the_system_may_fail
#define reading_may_fail every_call_of_the_system_may_fail

#endif

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepare),
        cmocka_unit_test(every_call_of_the_system_may_fail),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(reading_may_fail),
        cmocka_unit_test(clean_up),
    };
    return run_on_ranks("state_faults", tests, sizeof tests / sizeof *tests, &world, &argc, &argv);
}
