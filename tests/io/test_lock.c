/* The lock of a folder: who is refused, what is taken over, and what is left. */
#include "io/lock.h"
#include "io/lock_holder.h"
#include "scratch.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static const char path[] = "run.lock";

static int count_files(const char *folder) {
    DIR *dir = opendir(folder);
    int n = 0;
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

static t5_lock *take(const char *job) {
    t5_error err = {0};
    t5_lock *lock = NULL;
    if (t5_lock_take(path, job, &lock, &err))
        fail_msg("%s", err.text);
    assert_non_null(lock);
    return lock;
}

static void expect_refusal(const char *job, const char *text) {
    t5_error err = {0};
    t5_lock *lock = NULL;
    assert_int_equal(t5_lock_take(path, job, &lock, &err), T5_ERR_INPUT);
    assert_null(lock);
    if (!strstr(err.text, text) || !strstr(err.text, path))
        fail_msg("\"%s\" is not in: %s", text, err.text);
    err = (t5_error){0};
    assert_int_equal(t5_lock_check(path, job, &err), T5_ERR_INPUT);
    assert_non_null(strstr(err.text, text));
}

static void expect_free(const char *job) {
    t5_error err = {0};
    if (t5_lock_check(path, job, &err))
        fail_msg("%s", err.text);
    t5_lock_release(take(job));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(count_files("."), 0);
}

/* A lock that no process holds, as a killed one leaves it, but for what is changed here. */
static t5_lock_holder dead(void) {
    t5_lock_holder h;
    t5_lock_holder_self("77.0", &h);
    h.locked = true;
    h.started++;
    return h;
}

static void put(const t5_lock_holder *h) {
    char text[1024];
    size_t n = t5_lock_holder_format(h, text, sizeof text);
    assert_true(n > 0);
    write_file(path, text, n);
}

static void what_is_no_lock(void **state) {
    static const char *const bad[] = {"",
                                      "x",
                                      "t5mpi runs in this folder",
                                      "t5mpi runs in this folder\nhost a\npid 1\n",
                                      "t5mpi runs in this folder\nhost a\nboot \nspace \njob \n"
                                      "pid 0\nstarted 1\nlocked 1\nsince x\n",
                                      "t5mpi runs in this folder\nhost a\nboot \nspace \njob \n"
                                      "pid 1\nstarted 1\nlocked 1\nsince x"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(path, bad[i], strlen(bad[i]));
        expect_refusal(NULL, "does not say which run");
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("elsewhere", path), 0);
    expect_refusal(NULL, "cannot be opened: Too many levels of symbolic links");
    assert_int_equal(access("elsewhere", F_OK), -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0777), 0);
    expect_refusal(NULL, "cannot be opened");
    assert_int_equal(rmdir(path), 0);
    t5_error err = {0};
    t5_lock *lock;
    assert_int_equal(t5_lock_take("nowhere/run.lock", NULL, &lock, &err), T5_ERR_IO);
    assert_null(lock);
}

static void who_goes_on(void **state) {
    char text[64];
    (void)state;
    t5_lock *lock = take(NULL);
    snprintf(text, sizeof text, "process %ld on ", (long)getpid());
    expect_refusal(NULL, text);
    expect_refusal(NULL, "a run goes on in this folder");
    expect_refusal(NULL, " UTC");
    t5_lock_release(lock);
    expect_free(NULL);
    /* without locks the process's number and start must do */
    t5_lock_holder h;
    t5_lock_holder_self(NULL, &h);
    put(&h);
    expect_refusal(NULL, "a run goes on");
    h.pid = getppid();
    h.started = 0;
    put(&h);
    expect_refusal(NULL, "a run goes on");
    assert_int_equal(unlink(path), 0);
}

static void who_is_gone(void **state) {
    (void)state;
    t5_lock_holder h = dead(); /* its number is this process's: only the start differs */
    put(&h);
    expect_free(NULL);
    h = dead();
    h.pid = 0x3ffffff; /* beyond the largest that Linux gives */
    put(&h);
    expect_free(NULL);
    h = dead();
    strcpy(h.boot, "another-start-of-this-machine");
    put(&h);
    expect_free(NULL);
    h = dead();
    strcpy(h.space, "pid:[1]"); /* another container, and no lock */
    put(&h);
    expect_free(NULL);
}

static void who_cannot_be_seen(void **state) {
    (void)state;
    t5_lock_holder h = dead();
    strcpy(h.space, "pid:[1]");
    h.locked = false;
    put(&h);
    expect_refusal(NULL, "if that run is over, remove the file run.lock");
    h = dead();
    strcpy(h.boot, "b");
    strcpy(h.host, "node17");
    put(&h);
    expect_refusal(NULL, "on node17 began a run in this folder at ");
    expect_refusal("78.1", "cannot be seen from ");
    expect_refusal("77.0", "cannot be seen from "); /* the same start of the job */
    expect_refusal("7.70", "cannot be seen from ");
    expect_free("77.1");
}

/* A child that takes the lock, and one more that has joined it, until they are killed. */
static pid_t start_run(bool joined, int ready) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    t5_error err = {0};
    t5_lock *lock = NULL;
    bool fine = joined ? (lock = t5_lock_join(path)) != NULL
                       : t5_lock_take(path, NULL, &lock, &err) == T5_OK;
    if (!fine || write(ready, "x", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void wait_until_ready(int ready) {
    char x;
    assert_int_equal(read(ready, &x, 1), 1);
}

static void end(pid_t pid) {
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void killed_runs_are_taken_over(void **state) {
    int ready[2];
    char text[64];
    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t first = start_run(false, ready[1]);
    wait_until_ready(ready[0]);
    snprintf(text, sizeof text, "process %ld on ", (long)first);
    expect_refusal(NULL, text);
    pid_t second = start_run(true, ready[1]);
    wait_until_ready(ready[0]);
    end(first);
    t5_error err = {0};
    assert_int_equal(t5_lock_check(path, NULL, &err), T5_OK); /* it will wait */
    pid_t killer = fork();
    if (killer == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
        _exit(write(ready[1], "k", 1) != 1 || kill(second, SIGKILL) != 0);
    }
    t5_lock *lock = take(NULL);
    struct pollfd killed = {.fd = ready[0], .events = POLLIN};
    assert_int_equal(poll(&killed, 1, 0), 1); /* not before it was gone */
    assert_int_equal(waitpid(second, NULL, 0), second);
    assert_int_equal(waitpid(killer, NULL, 0), killer);
    t5_lock_release(lock);
    assert_int_equal(count_files("."), 0);
    close(ready[0]);
    close(ready[1]);
}

/* Many take it from a dead one at once: one at a time has it. */
static void one_at_a_time(void **state) {
    enum { N = 6 };
    pid_t pids[N];
    (void)state;
    t5_lock_holder h = dead();
    put(&h);
    int go[2], got[2];
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(got), 0);
    for (int i = 0; i < N; i++)
        if ((pids[i] = fork()) == 0) {
            char x;
            t5_lock *lock;
            close(go[1]);
            bool began = read(go[0], &x, 1) == 0; /* all at once, when the other end closes */
            bool has = began && t5_lock_take(path, NULL, &lock, NULL) == T5_OK;
            _exit(write(got[1], has ? "1" : "0", 1) != 1 || (has && pause()));
        }
    close(go[0]);
    close(go[1]);
    int n = 0;
    for (int i = 0; i < N; i++) {
        char x;
        assert_int_equal(read(got[0], &x, 1), 1);
        n += x == '1';
    }
    assert_int_equal(n, 1);
    for (int i = 0; i < N; i++)
        end(pids[i]);
    expect_free(NULL);
    close(got[0]);
    close(got[1]);
}

/* A file that somebody else has put there is not removed. */
static void only_ones_own_is_removed(void **state) {
    (void)state;
    t5_lock *lock = take(NULL);
    assert_int_equal(unlink(path), 0);
    t5_lock *other = take(NULL);
    t5_lock_release(lock);
    assert_int_equal(access(path, F_OK), 0);
    t5_lock *joined = t5_lock_join(path);
    t5_lock_release(joined);
    assert_int_equal(access(path, F_OK), 0);
    t5_lock_release(other);
    assert_int_equal(access(path, F_OK), -1);
    assert_null(t5_lock_join(path));
    t5_lock_release(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_lock),
        cmocka_unit_test(who_goes_on),
        cmocka_unit_test(who_is_gone),
        cmocka_unit_test(who_cannot_be_seen),
        cmocka_unit_test(killed_runs_are_taken_over),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(only_ones_own_is_removed),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
