#include "sweep.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char config[] =
    "model: { preset = \"tiny\"; tokenizer = \"spiece.model\"; };\n"
    "data: { path = \"data.jsonl\"; input = \"sns_text\"; target = \"emoji_string\"; };\n"
    "train: { epochs = 3; batch_size = 8; warmup_steps = 4; learning_rate = 1e-3;\n"
    "         checkpoint_every = \"3 steps\"; };\n"
    "sweep: { top_n = [0, 40, 80]; };\n"
    "parallel: { threads = 1; timeout_s = 120; };\n"
    "output: { dir = \"out\"; };\n";

static struct {
    const char *program, *mpirun;
    char folder[64];
} here = {.folder = "/tmp/t5mpi-torture-XXXXXX"};

void shell(const char *format, ...) {
    char command[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(command, sizeof command, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof command || system(command) != 0)
        die("failed: %s", command);
}

void sweep_prepare(const char *program, const char *mpirun, const char *source) {
    here.program = getenv("T5MPI") ? getenv("T5MPI") : program;
    here.mpirun = mpirun;
    if (!mkdtemp(here.folder) || chdir(here.folder) != 0)
        die("%s: cannot be made", here.folder);
    shell("cp '%s/configs/demo/spiece.model' . && head -n 200 '%s/configs/demo/v3like.jsonl' "
          ">data.jsonl",
          source, source);
    FILE *f = fopen("c.cfg", "w");
    if (!f || fputs(config, f) < 0 || fclose(f) != 0)
        die("%s/c.cfg: cannot be written", here.folder);
    process_settings(here.folder);
}

const char *sweep_process(void) {
    const char *slash = strrchr(here.program, '/');
    return slash ? slash + 1 : here.program;
}

void sweep_clean(void) {
    if (chdir("/") == 0)
        shell("rm -rf '%s'", here.folder);
}

process sweep_start(sweep_shape shape, const char *output, const char *set, const char *log) {
    char ranks[16], per_trial[48];
    const char *argv[MAX_ARGS];
    int n = 0;
    snprintf(ranks, sizeof ranks, "%d", shape.ranks);
    snprintf(per_trial, sizeof per_trial, "parallel.ranks_per_trial=%d", shape.ranks_per_trial);
    if (shape.ranks > 0) {
        argv[n++] = here.mpirun;
        argv[n++] = "-np";
        argv[n++] = ranks;
    }
    argv[n++] = here.program;
    argv[n++] = "c.cfg";
    argv[n++] = "--resume";
    argv[n++] = "--output";
    argv[n++] = output;
    argv[n++] = "--set";
    argv[n++] = per_trial;
    if (set) {
        argv[n++] = "--set";
        argv[n++] = set;
    }
    if (shape.retry_failed)
        argv[n++] = "--retry-failed";
    argv[n] = NULL;
    return process_start(argv, log);
}

int sweep_run(sweep_shape shape, const char *output, const char *set, const char *log) {
    process p = sweep_start(shape, output, set, log);
    if (process_wait(&p, SWEEP_LIMIT))
        return p.status;
    kill(p.pid, SIGKILL);
    process_wait(&p, 10);
    return -1;
}

void show_log(const char *log) {
    char command[256];
    snprintf(command, sizeof command, "tail -n 30 '%s' 2>/dev/null | sed 's/^/    /'", log);
    fflush(stdout);
    if (system(command) != 0)
        puts("    (no log)");
}
