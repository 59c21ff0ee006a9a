/* faults [--files 1] [--every K] [--from N] [--ranks R] [--errno E] [--scenario S]: runs a small
 * sweep with tests/torture/ interpose.c, failing each K-th of its writing and HDF5 calls (--files:
 * writing ones only) once. What comes out must be a success or an error message with its exit
 * status, never a crash or a hang; then --resume must end with the results of the undisturbed run,
 * and no other files. From an empty folder (1), and from one in which a trial is to be kept (2).
 * Status 1: a call for which it does not. */
#include "compare.h"
#include "sweep.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char once[] = "sweep.top_n=[40,80]";

static struct { int failed_runs, successes, without_weights; } counts;

static const struct scenario {
    const char *name, *before; /* the folder that is there, or NULL */
} scenarios[] = {{"an empty folder", NULL}, {"a folder to go on in", "half"}};

static void fault(long at, int reason) {
    char number[32], cause[32], folder[512];
    if (!getcwd(folder, sizeof folder - 4))
        die("no current folder");
    strcat(folder, "/out");
    snprintf(number, sizeof number, "%ld", at);
    snprintf(cause, sizeof cause, "%d", reason);
    setenv("LD_PRELOAD", T5MPI_INTERPOSE, 1);
    setenv("T5_FAULT_FOLDER", folder, 1);
    setenv("T5_FAULT_AT", number, 1);
    setenv("T5_FAULT_ERRNO", cause, 1);
    setenv("T5_FAULT_LOG", "calls", 1);
}

static void no_fault(void) {
    unsetenv("LD_PRELOAD");
    unsetenv("T5_FAULT_FOLDER");
    unsetenv("T5_FAULT_LOG");
}

static void begin_with(const struct scenario *s) {
    shell("rm -rf out log calls mpi/*");
    if (s->before)
        shell("cp -r %s out", s->before);
}

static bool log_has(const char *text) {
    char command[256];
    snprintf(command, sizeof command, "grep -q -e '%s' log", text);
    return system(command) == 0;
}

/* NULL, or what is wrong with how the run with a failing call ended. */
static const char *judge_end(int status) {
    if (status < 0)
        return "hangs";
    if (status >= 126)
        return "ended by a signal";
    bool lacking = log_has("its weights are not kept");
    if (status == 0 && lacking)
        return "weights are missing, and the status is 0";
    if (status != 0 && !lacking && !log_has("t5mpi: ") && !log_has("failed: "))
        return "no error message";
    counts.failed_runs += status != 0;
    counts.successes += status == 0;
    counts.without_weights += lacking;
    return NULL;
}

/* NULL, or what is wrong. */
static const char *one_fault(const struct scenario *s, sweep_shape shape, long at, int reason) {
    begin_with(s);
    fault(at, reason);
    int status = sweep_run(shape, "out", once, "log");
    no_fault();
    const char *wrong = judge_end(status);
    if (wrong)
        return wrong;
    if (s->before && system("cmp half/trials/top40.h5 out/trials/top40.h5 && "
                            "cmp half/checkpoints/top40/best.h5 out/checkpoints/top40/best.h5"))
        return "a trial that had ended is not what it was";
    shell("mv log first.log");
    status = sweep_run(shape, "out", once, "log");
    if (status != 0)
        return status < 0 ? "--resume hangs" : "--resume fails";
    compare_rules rules = {.out = stdout};
    return compare_runs("whole", "out", &rules) == COMPARE_SAME
               ? NULL
               : "the results are not those of the undisturbed run";
}

static long count_calls(const struct scenario *s, sweep_shape shape) {
    begin_with(s);
    fault(0, 0);
    int status = sweep_run(shape, "out", once, "log");
    no_fault();
    FILE *f = status == 0 ? fopen("calls", "r") : NULL;
    long n = 0;
    if (!f) {
        show_log("log");
        die("the run whose calls are counted failed");
    }
    for (int c; (c = fgetc(f)) != EOF;)
        n += c == '\n';
    fclose(f);
    return n;
}

static void show_call(void) {
    fflush(stdout);
    if (system("grep '^!' calls | sed 's/^/    /'") != 0)
        puts("    (no call failed)");
}

static int scenario_fails(const struct scenario *s, sweep_shape shape, long from, long every,
                          int reason) {
    long n = count_calls(s, shape), tried = 0;
    int bad = 0;
    for (long at = from; at <= n; at += every, tried++) {
        const char *wrong = one_fault(s, shape, at, reason ? reason : at % 2 ? ENOSPC : EIO);
        if (!wrong)
            continue;
        printf("%s, call %ld of %ld: %s\n", s->name, at, n, wrong);
        show_call();
        show_log(access("first.log", F_OK) == 0 ? "first.log" : "log");
        shell("rm -f first.log");
        bad++;
    }
    printf("%s: %ld calls, %ld of them failed once: %d not as it should be\n", s->name, n, tried,
           bad);
    return bad;
}

int main(int argc, char **argv) {
    long from = 1, every = 1;
    int reason = 0, bad = 0;
    size_t only = 0;
    sweep_shape shape = {0, 1, true};
    for (int i = 1; i + 1 < argc; i += 2) {
        long value = strtol(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--every") == 0)
            every = value;
        else if (strcmp(argv[i], "--from") == 0)
            from = value;
        else if (strcmp(argv[i], "--ranks") == 0)
            shape = (sweep_shape){(int)value, (int)value, true};
        else if (strcmp(argv[i], "--files") == 0)
            setenv("T5_FAULT_FILES", "1", 1);
        else if (strcmp(argv[i], "--errno") == 0)
            reason = (int)value;
        else if (strcmp(argv[i], "--scenario") == 0)
            only = (size_t)value;
        else
            die("%s: no such option", argv[i]);
    }
    if (every < 1 || from < 1 || argc % 2 == 0)
        die("usage: faults [--files 1] [--every K] [--from N] [--ranks R] [--errno E] "
            "[--scenario 1|2]");
    sweep_prepare(T5MPI, T5MPI_MPIRUN, T5MPI_SOURCE_DIR);
    if (sweep_run(shape, "whole", once, "log") != 0) {
        show_log("log");
        die("the undisturbed run failed");
    }
    shell("cp -r whole half && rm -r half/trials/top80.h5 half/checkpoints/top80");
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (only == 0 || only == i + 1)
            bad += scenario_fails(&scenarios[i], shape, from, every, reason);
    printf("%d runs ended with an error message, %d of them for want of a trial's weights only; %d "
           "went on to their end\n",
           counts.failed_runs, counts.without_weights, counts.successes);
    sweep_clean();
    return bad > 0;
}
