#include "process.h"
#include "base/clock.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

void process_settings(const char *folder) {
    static const char *const variables[] = {"OMPI_MCA_orte_tmpdir_base",
                                            "OMPI_MCA_btl_vader_backing_directory", "TMPDIR"};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/mpi", folder);
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        die("%s: %s", path, strerror(errno));
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        setenv(variables[i], path, 1);
    /* as in tests/mpirun.sh, for runs without mpirun */
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
}

process process_start(const char *const *argv, const char *log) {
    process p = {.pid = fork(), .log = log};
    if (p.pid < 0)
        die("fork: %s", strerror(errno));
    if (p.pid > 0)
        return p;
    char *const *args = (char *const *)(uintptr_t)argv;
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666), in = open("/dev/null", O_RDONLY);
    if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    close(in);
    close(out);
    execvp(args[0], args);
    _exit(127);
}

bool process_over(process *p) {
    int status;
    if (p->ended || waitpid(p->pid, &status, WNOHANG) != p->pid)
        return p->ended;
    p->ended = true;
    p->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

void sleep_seconds(double seconds) {
    struct timespec t = {.tv_sec = (time_t)seconds};
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
}

bool process_wait(process *p, double seconds) {
    double end = t5_seconds() + seconds;
    while (!process_over(p)) {
        if (t5_seconds() > end)
            return false;
        sleep_seconds(0.005);
    }
    return true;
}

/* From /proc/PID/stat; false: there is no such process. */
static bool look(pid_t pid, char *name, size_t size, char *state, pid_t *parent) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    bool read = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    char *open = read ? strchr(line, '(') : NULL, *close = read ? strrchr(line, ')') : NULL;
    if (!open || !close)
        return false;
    *close = 0;
    snprintf(name, size, "%s", open + 1);
    *state = close[2];
    *parent = (pid_t)strtol(close + 4, NULL, 10);
    return true;
}

int process_children(const process *p, const char *name, pid_t children[MAX_RANKS]) {
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    char its[256], state;
    pid_t parent;
    int n = 0;
    if (!proc)
        die("/proc: %s", strerror(errno));
    while ((entry = readdir(proc)) && n < MAX_RANKS) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && look(pid, its, sizeof its, &state, &parent) && parent == p->pid &&
            strcmp(its, name) == 0)
            children[n++] = pid;
    }
    closedir(proc);
    return n;
}

bool process_lives(pid_t pid) {
    char name[256], state;
    pid_t parent;
    return look(pid, name, sizeof name, &state, &parent) && state != 'Z' && state != 'X';
}
