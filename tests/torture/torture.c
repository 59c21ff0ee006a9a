/* torture [--seed S] [ROUNDS]: kills ranks of a sweep, or mpirun, at random moments and goes on
 * with
 * --resume, until the sweep is complete: it must have the results of one that nobody disturbed, bit
 * for bit, and no other files. Round i of a seed is round 0 of seed + i. Status 1: a round failed
 * (its seed and its folder are printed). */
#include "base/clock.h"
#include "base/rng.h"
#include "compare.h"
#include "moment.h"
#include "sweep.h"
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct dice {
    uint64_t seed;
    uint32_t rolls;
} dice;

/* Uniform in (0, 1). */
static double roll(dice *d) {
    uint32_t out[4], counter[4] = {d->rolls++, 0, 0, 0};
    uint32_t key[2] = {(uint32_t)d->seed, (uint32_t)(d->seed >> 32)};
    t5_philox(counter, key, out);
    return t5_uniform(out[0]);
}

static int pick(dice *d, int n) {
    return (int)(roll(d) * n);
}

/* Starts of a run alternate at random between two shapes. The same number of ranks a trial gives
 * the same bits; another one the same but for rounding. */
static const struct mode {
    const char *name;
    sweep_shape shapes[2];
    bool other_ranks;
    double within;
} modes[] = {
    {"one rank", {{0, 1, false}, {0, 1, false}}, false, 0},
    {"two ranks", {{2, 1, false}, {2, 1, false}}, false, 0},
    {"two ranks a trial", {{2, 2, false}, {2, 2, false}}, false, 0},
    {"one rank or two", {{0, 1, false}, {2, 1, false}}, true, 0},
    {"one rank or two a trial", {{0, 1, false}, {2, 2, false}}, true, 1e-5},
};
enum { N_MODES = sizeof modes / sizeof *modes, MAX_KILLS = 4, MAX_TRACKED = 64 };

static struct { int kills, early, ranks, mpiruns, writing, refused; } counts;

/* Processes of runs that were killed: in the end none may be left. */
typedef struct tracked {
    pid_t pids[MAX_TRACKED];
    int n;
} tracked;

static void track(tracked *t, const pid_t *pids, int n) {
    for (int i = 0; i < n && t->n < MAX_TRACKED; i++)
        t->pids[t->n++] = pids[i];
}

static bool all_gone(const tracked *t, double seconds) {
    for (; seconds > 0; seconds -= 0.05) {
        int alive = 0;
        for (int i = 0; i < t->n; i++)
            alive += process_lives(t->pids[i]);
        if (alive == 0)
            return true;
        sleep_seconds(0.05);
    }
    return false;
}

/* A run that has got far has few left to write. */
static int some_files(dice *d) {
    double x = roll(d);
    return 1 + (int)(x * x * 14);
}

static moment choose_moment(dice *d, double whole) {
    moment m = {MOMENT_TIME, 0, 0};
    switch (pick(d, 4)) {
    case 0:
        m.seconds = roll(d) * whole * 0.8;
        break;
    case 1: /* when something is put in its place, or soon after */
        m = (moment){MOMENT_RENAMED, some_files(d), roll(d) * 0.002};
        break;
    default: /* while something is being written */
        m = (moment){MOMENT_WRITING, some_files(d), roll(d) * roll(d) * 0.004};
    }
    return m;
}

/* Kills one rank, mpirun, or all of them. */
static void kill_some(dice *d, process *p, tracked *t, bool mpirun) {
    pid_t ranks[MAX_RANKS];
    int n = process_children(p, mpirun ? sweep_process() : "orted", ranks);
    int whom = pick(d, 4), which = n > 0 ? pick(d, n) : 0;
    track(t, ranks, n);
    counts.kills++;
    if (mpirun && n > 0 && whom < 2) {
        kill(ranks[which], SIGKILL);
        counts.ranks++;
        return;
    }
    kill(p->pid, SIGKILL);
    counts.mpiruns++;
    for (int i = 0; i < n && whom == 3; i++)
        kill(ranks[i], SIGKILL);
}

static bool has_temporary(const char *output) {
    char command[128];
    snprintf(command, sizeof command, "find %s -name '.*.tmp.*' 2>/dev/null | grep -q .", output);
    return system(command) == 0;
}

/* Rightly so while ranks have not noticed yet that mpirun was killed. */
static bool was_refused(int status) {
    if (status != 2 || system("tail -n 14 log | grep -q 'a run goes on in this folder'") != 0)
        return false;
    counts.refused++;
    return true;
}

/* One start of the run that is killed; *over: it had ended before. NULL: as it should be; otherwise
 * what is wrong. */
static const char *disturb(dice *d, sweep_shape shape, double whole, tracked *t, bool *over) {
    moment m = choose_moment(d, whole);
    process p = sweep_start(shape, "out", NULL, "log");
    if (!moment_wait(&m, "out", &p)) {
        if (process_wait(&p, SWEEP_LIMIT) && was_refused(p.status))
            return all_gone(t, 60) ? NULL : "a rank goes on though mpirun was killed a minute ago";
        counts.early++;
        *over = true;
        return p.ended && p.status == 0 ? NULL : "a start failed by itself";
    }
    kill_some(d, &p, t, shape.ranks > 0);
    if (!process_wait(&p, 60)) {
        kill(p.pid, SIGKILL);
        return "mpirun goes on though a rank was killed a minute ago";
    }
    counts.writing += has_temporary("out");
    if (pick(d, 2) == 0 && !all_gone(t, 60))
        return "a rank goes on though mpirun was killed a minute ago";
    return NULL;
}

static void reference_of(const struct mode *m, char name[64]) {
    snprintf(name, 64, "whole.%d.%d", m->shapes[0].ranks, m->shapes[0].ranks_per_trial);
}

static double make_reference(const struct mode *m) {
    char name[64];
    double start = t5_seconds();
    reference_of(m, name);
    if (access(name, F_OK) != 0 && sweep_run(m->shapes[0], name, NULL, "log") != 0) {
        show_log("log");
        die("the undisturbed run failed");
    }
    return t5_seconds() - start;
}

/* NULL, or what is wrong. */
static const char *run_round(dice *d, const struct mode *mode, double whole) {
    tracked t = {.n = 0};
    char name[64];
    const char *wrong = NULL;
    bool over = false;
    int kills = 1 + pick(d, MAX_KILLS);
    for (int k = 0; k < kills && !wrong && !over; k++)
        wrong = disturb(d, mode->shapes[pick(d, 2)], whole, &t, &over);
    if (!wrong) {
        sweep_shape last = mode->shapes[pick(d, 2)];
        int status = sweep_run(last, "out", NULL, "log");
        if (was_refused(status) && all_gone(&t, 60))
            status = sweep_run(last, "out", NULL, "log");
        wrong = status == 0 ? NULL : status < 0 ? "the last start hangs" : "the last start failed";
    }
    if (!all_gone(&t, 60) && !wrong)
        wrong = "a process of a killed run goes on";
    reference_of(mode, name);
    compare_rules rules = {mode->other_ranks, mode->within, SWEEP_RATE, stdout};
    if (mode->within <= 0)
        rules.weights_within = 0;
    if (!wrong && compare_runs(name, "out", &rules) != COMPARE_SAME)
        wrong = "the results are not those of the undisturbed run";
    return wrong;
}

static int all_rounds(uint64_t seed, int rounds) {
    double whole[N_MODES];
    for (int m = 0; m < N_MODES; m++)
        whole[m] = make_reference(&modes[m]);
    for (int m = N_MODES - 1; m > 0; m--) /* references that were there took no time */
        whole[m] = whole[m] < 0.1 ? whole[0] : whole[m];
    for (int i = 0; i < rounds; i++) {
        dice d = {.seed = seed + (uint64_t)i};
        int m = pick(&d, N_MODES);
        shell("rm -rf out log mpi/*");
        const char *wrong = run_round(&d, &modes[m], whole[m]);
        if (wrong) {
            printf("round %d (--seed %" PRIu64 ", %s): %s\n", i, seed + (uint64_t)i, modes[m].name,
                   wrong);
            show_log("log");
            printf("kept in %s\n", getcwd((char[256]){0}, 256));
            return 1;
        }
    }
    printf("%d rounds: %d starts killed (%d times one rank, %d times mpirun or the only process), "
           "%d of them left a half-written file; %d starts were refused because ranks of a killed "
           "mpirun were still there, %d ended before\n",
           rounds, counts.kills, counts.ranks, counts.mpiruns, counts.writing, counts.refused,
           counts.early);
    return 0;
}

int main(int argc, char **argv) {
    uint64_t seed = 1;
    int i = 1, rounds = 3;
    if (argc > 2 && strcmp(argv[1], "--seed") == 0) {
        seed = strtoull(argv[2], NULL, 10);
        i = 3;
    }
    if (i < argc && (rounds = atoi(argv[i])) < 1)
        die("usage: torture [--seed S] [ROUNDS]");
    sweep_prepare(T5MPI, T5MPI_MPIRUN, T5MPI_SOURCE_DIR);
    int status = all_rounds(seed, rounds);
    if (status == 0)
        sweep_clean();
    return status;
}
