#include "moment.h"
#include "base/clock.h"
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folders of a run, watched as they appear. */
typedef struct watch {
    int fd;
    char folders[32][256]; /* by the number of the watch */
    int seen;              /* files that count */
} watch;

static void add_folder(watch *w, const char *path) {
    struct stat about;
    DIR *dir;
    const struct dirent *entry;
    if (lstat(path, &about) != 0 || !S_ISDIR(about.st_mode))
        return;
    int id = inotify_add_watch(w->fd, path, IN_CREATE | IN_MOVED_TO);
    if (id < 0 || id >= 32 || !(dir = opendir(path)))
        return;
    snprintf(w->folders[id], sizeof w->folders[id], "%s", path);
    while ((entry = readdir(dir))) {
        char below[512];
        snprintf(below, sizeof below, "%s/%.200s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            add_folder(w, below);
    }
    closedir(dir);
}

static void take_events(watch *w, moment_kind kind) {
    union {
        struct inotify_event first;
        char bytes[8192];
    } buffer;
    ssize_t n = read(w->fd, buffer.bytes, sizeof buffer.bytes);
    for (ssize_t at = 0; at < n;) {
        struct inotify_event e;
        memcpy(&e, buffer.bytes + at, sizeof e);
        const char *name = e.len ? buffer.bytes + at + sizeof e : "";
        if (e.wd > 0 && e.wd < 32 && (e.mask & IN_ISDIR)) {
            char path[512];
            snprintf(path, sizeof path, "%s/%.200s", w->folders[e.wd], name);
            add_folder(w, path);
        }
        w->seen += kind == MOMENT_WRITING ? (e.mask & IN_CREATE) && strstr(name, ".tmp.")
                                          : (e.mask & IN_MOVED_TO) != 0;
        at += (ssize_t)(sizeof e + e.len);
    }
}

static bool wait_for_file(const moment *m, const char *output, process *p) {
    watch w = {.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (w.fd < 0)
        die("inotify: %s", strerror(errno));
    while (!process_over(p) && access(output, F_OK) != 0)
        sleep_seconds(0.001);
    add_folder(&w, output);
    while (w.seen < m->count && !process_over(p)) {
        struct pollfd ready = {.fd = w.fd, .events = POLLIN};
        if (poll(&ready, 1, 20) > 0)
            take_events(&w, m->kind);
    }
    close(w.fd);
    return w.seen >= m->count;
}

bool moment_wait(const moment *m, const char *output, process *p) {
    if (m->kind != MOMENT_TIME && !wait_for_file(m, output, p))
        return false;
    if (m->seconds < 0.05) {
        sleep_seconds(m->seconds);
        return !process_over(p);
    }
    return !process_wait(p, m->seconds);
}
