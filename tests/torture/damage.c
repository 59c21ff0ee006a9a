/* damage [--seed S]: flips a bit of every one of the first 4096 bytes, and of 2000 random ones of
 * the rest, of a small run's checkpoints, one at a time: each must be found. Then checkpoints of a
 * trial in training are damaged, and --resume must name them and end with the results of the
 * undisturbed run. Status 1: something was not found, or used. */
#include "base/rng.h"
#include "compare.h"
#include "io/checkpoint.h"
#include "moment.h"
#include "sweep.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST = 4096, RANDOM = 2000, TRIES = 6 };
static const sweep_shape shape = {0, 1, false};

static uint32_t draw(uint64_t seed, uint32_t i) {
    uint32_t out[4], counter[4] = {i, 0, 0, 0};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    t5_philox(counter, key, out);
    return out[0];
}

static off_t size_of(const char *path) {
    struct stat about;
    if (stat(path, &about) != 0)
        die("%s: is not there", path);
    return about.st_size;
}

static void flip(const char *path, off_t at, int bit) {
    unsigned char byte;
    int fd = open(path, O_RDWR);
    if (fd < 0 || pread(fd, &byte, 1, at) != 1)
        die("%s: cannot be read", path);
    byte ^= (unsigned char)(1 << bit);
    if (pwrite(fd, &byte, 1, at) != 1 || close(fd) != 0)
        die("%s: cannot be written", path);
}

static bool opens(const char *path) {
    t5_error err = {0};
    t5_checkpoint *c = NULL;
    t5_checkpoint_open(path, &c, &err);
    t5_checkpoint_close(c);
    return err.status == T5_OK;
}

/* Returns how many flipped bits were not found. */
static int flip_all(const char *path, uint64_t seed) {
    off_t size = size_of(path);
    int missed = 0;
    if (!opens(path))
        die("%s: does not open as it is", path);
    for (uint32_t i = 0; i < FIRST + RANDOM; i++) {
        off_t at = i < FIRST ? (off_t)i : FIRST + (off_t)(draw(seed, 2 * i) % (size - FIRST));
        int bit = (int)(draw(seed, 2 * i + 1) % 8);
        flip(path, at, bit);
        if (opens(path)) {
            printf("%s: bit %d of byte %lld (--seed %" PRIu64 ") is not found\n", path, bit,
                   (long long)at, seed);
            missed++;
        }
        flip(path, at, bit);
    }
    if (!opens(path))
        die("%s: does not open any more", path);
    printf("%s: %d bytes of %lld, one bit each: %d not found\n", path, FIRST + RANDOM,
           (long long)size, missed);
    return missed;
}

/* The names of checkpoints of a trial in training, newest first. */
static int list_states(const char *folder, char names[8][300]) {
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, NULL, versionsort), found = 0;
    for (int i = n - 1; i >= 0; i--) {
        if (strncmp(entries[i]->d_name, "state-", 6) == 0 && found < 8)
            snprintf(names[found++], 300, "%s", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return found;
}

/* A run that was killed while its first trial had at least two checkpoints. false: it never had. */
static bool make_broken_off(char names[8][300]) {
    process p = sweep_start(shape, "broken", NULL, "log");
    bool there = false;
    while (!there && !process_over(&p)) {
        there = list_states("broken/checkpoints/all", names) >= 2;
        sleep_seconds(0.0005);
    }
    kill(p.pid, SIGKILL);
    if (!process_wait(&p, 10))
        die("a killed process goes on");
    return there && list_states("broken/checkpoints/all", names) >= 2;
}

static void cut(const char *path, off_t at) {
    if (truncate(path, at) != 0)
        die("%s: cannot be cut", path);
}

/* NULL, or what is wrong. */
static const char *resume_with(int n_damaged, const char names[8][300], uint64_t seed, int try) {
    shell("rm -rf out log && cp -r broken out");
    for (int i = 0; i < n_damaged; i++) {
        char path[512];
        snprintf(path, sizeof path, "out/checkpoints/all/%.255s", names[i]);
        off_t at = (off_t)(draw(seed, (uint32_t)(100000 + try * 8 + i)) % size_of(path));
        if (try % 3 == 2)
            cut(path, at);
        else
            flip(path, at, try % 8);
    }
    if (sweep_run(shape, "out", NULL, "log") != 0)
        return "--resume fails";
    for (int i = 0; i < n_damaged; i++) {
        char command[400];
        snprintf(command, sizeof command, "grep -q '%.255s' log", names[i]);
        if (system(command) != 0)
            return "--resume does not name the damaged file";
    }
    compare_rules rules = {.out = stdout};
    return compare_runs("whole", "out", &rules) == COMPARE_SAME
               ? NULL
               : "the results are not those of the undisturbed run";
}

static int damage_states(uint64_t seed) {
    char names[8][300], path[400];
    int bad = 0, n;
    if (!make_broken_off(names)) {
        puts("no checkpoints of a trial in training were seen: not damaged");
        return 0;
    }
    n = list_states("broken/checkpoints/all", names);
    snprintf(path, sizeof path, "copy-of-%s", names[0]);
    shell("cp 'broken/checkpoints/all/%s' '%s'", names[0], path);
    bad += flip_all(path, seed);
    for (int try = 0; try < TRIES; try++) {
        int damaged = try % 2 == 0 ? 1 : n; /* the newest, or all: the trial begins anew */
        const char *wrong = resume_with(damaged, (const char(*)[300])names, seed, try);
        if (!wrong)
            continue;
        printf("%d of %d checkpoints damaged, try %d: %s\n", damaged, n, try, wrong);
        show_log("log");
        bad++;
    }
    printf("%d runs went on from damaged checkpoints: %d not as they should\n", TRIES, bad);
    return bad;
}

int main(int argc, char **argv) {
    uint64_t seed = argc > 2 && strcmp(argv[1], "--seed") == 0 ? strtoull(argv[2], NULL, 10) : 1;
    sweep_prepare(T5MPI, T5MPI_MPIRUN, T5MPI_SOURCE_DIR);
    if (sweep_run(shape, "whole", NULL, "log") != 0) {
        show_log("log");
        die("the undisturbed run failed");
    }
    shell("cp whole/checkpoints/all/best.h5 best.h5");
    int bad = flip_all("best.h5", seed);
    bad += damage_states(seed);
    sweep_clean();
    return bad > 0;
}
