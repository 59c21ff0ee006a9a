#include "io/lock_holder.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char mark[] = "t5mpi runs in this folder";

/* The first line of a small file; "" if it cannot be read. */
static void read_line(const char *path, char *line, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, size - 1) : -1;
    line[n > 0 ? n : 0] = 0;
    line[strcspn(line, "\n")] = 0;
    if (fd >= 0)
        close(fd);
}

/* State and start of a process, from /proc/PID/stat. false: it cannot be read, there is none. */
static bool process_start(long pid, char *state, unsigned long long *started) {
    enum { STATE = 3, STARTED = 22 }; /* numbers of the fields, as in proc(5) */
    char path[64], line[1024], *field;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    read_line(path, line, sizeof line);
    field = strrchr(line, ')'); /* the name, the second one, may hold anything */
    if (!field || field[1] != ' ')
        return false;
    field += 2;
    *state = *field;
    for (int i = STATE; i < STARTED && field; i++)
        if ((field = strchr(field, ' ')))
            field++;
    if (!field)
        return false;
    *started = strtoull(field, NULL, 10);
    return true;
}

void t5_lock_holder_self(const char *job, t5_lock_holder *self) {
    time_t now = time(NULL);
    struct tm utc;
    char state;
    memset(self, 0, sizeof *self);
    if (gethostname(self->host, sizeof self->host - 1) != 0 || !self->host[0])
        strcpy(self->host, "unknown");
    read_line("/proc/sys/kernel/random/boot_id", self->boot, sizeof self->boot);
    if (readlink("/proc/self/ns/pid", self->space, sizeof self->space - 1) < 0)
        self->space[0] = 0;
    if (job)
        snprintf(self->job, sizeof self->job, "%.*s", (int)strcspn(job, "\n"), job);
    if (gmtime_r(&now, &utc))
        strftime(self->since, sizeof self->since, "%Y-%m-%d %H:%M:%S UTC", &utc);
    self->pid = (long)getpid();
    process_start(self->pid, &state, &self->started);
}

size_t t5_lock_holder_format(const t5_lock_holder *h, char *text, size_t size) {
    int n =
        snprintf(text, size,
                 "%s\nhost %s\nboot %s\nspace %s\njob %s\npid %ld\nstarted %llu\nlocked %d\n"
                 "since %s\n",
                 mark, h->host, h->boot, h->space, h->job, h->pid, h->started, h->locked, h->since);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

/* The value of the line "KEY VALUE". false: there is no such whole line, or no room. */
static bool find_value(const char *text, const char *key, char *value, size_t size) {
    size_t n = strlen(key);
    for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        if (strncmp(line, key, n) != 0 || line[n] != ' ')
            continue;
        size_t length = (size_t)(end - line) - n - 1;
        if (length >= size)
            return false;
        memcpy(value, line + n + 1, length);
        value[length] = 0;
        return true;
    }
    return false;
}

bool t5_lock_holder_parse(const char *text, t5_lock_holder *h) {
    char pid[32], started[32], locked[8];
    memset(h, 0, sizeof *h);
    if (strncmp(text, mark, strlen(mark)) != 0 ||
        !find_value(text, "host", h->host, sizeof h->host) ||
        !find_value(text, "boot", h->boot, sizeof h->boot) ||
        !find_value(text, "space", h->space, sizeof h->space) ||
        !find_value(text, "job", h->job, sizeof h->job) ||
        !find_value(text, "pid", pid, sizeof pid) ||
        !find_value(text, "started", started, sizeof started) ||
        !find_value(text, "locked", locked, sizeof locked) ||
        !find_value(text, "since", h->since, sizeof h->since))
        return false;
    h->pid = strtol(pid, NULL, 10);
    h->started = strtoull(started, NULL, 10);
    h->locked = strcmp(locked, "1") == 0;
    return h->pid > 0 && h->host[0];
}

/* NUMBER.START with the same number and another start: the batch system began the job again, which
 * it does when the former start is over on all its hosts. */
static bool is_later_start(const char *was, const char *is) {
    const char *a = strrchr(was, '.'), *b = strrchr(is, '.');
    return a && b && a - was == b - is && memcmp(was, is, (size_t)(a - was)) == 0 &&
           strcmp(a, b) != 0;
}

static t5_lock_trace look_for_process(const t5_lock_holder *h) {
    char state = 0;
    unsigned long long started = 0;
    if (process_start(h->pid, &state, &started)) {
        bool dead = state == 'Z' || state == 'X'; /* nobody has asked for its status yet */
        return !dead && (h->started == 0 || h->started == started) ? T5_LOCK_RUNS : T5_LOCK_GONE;
    }
    return kill((pid_t)h->pid, 0) == 0 || errno == EPERM ? T5_LOCK_RUNS : T5_LOCK_GONE;
}

t5_lock_trace t5_lock_holder_trace(const t5_lock_holder *h, const t5_lock_holder *self) {
    bool boots = h->boot[0] && self->boot[0];
    bool same_boot = boots && strcmp(h->boot, self->boot) == 0;
    bool same_host = strcmp(h->host, self->host) == 0;
    if (is_later_start(h->job, self->job))
        return T5_LOCK_GONE;
    if (boots && !same_boot && same_host)
        return T5_LOCK_GONE; /* the machine was started anew */
    if (!same_boot && !same_host)
        return T5_LOCK_ELSEWHERE;
    return strcmp(h->space, self->space) == 0 ? look_for_process(h) : T5_LOCK_UNSEEN;
}
