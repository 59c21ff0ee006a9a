/* How fast a trial in training is written, next to `dd conv=fsync` of as many bytes in the same
 * folder: see README.md here. Not a test: it has no verdict. */
#include "base/clock.h"
#include "run/keeper.h"
#include "run/state_files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct round_times {
    double dd, all, wait, load; /* seconds: dd; begin to safe; begin and commit alone; reading */
} round_times;

/* Ends the job with what went wrong. */
static void need(t5_status status, const t5_error *err) {
    if (status == T5_OK)
        return;
    fprintf(stderr, "%s\n", err->text);
    t5_comm_abort(NULL, 1);
}

/* As dd writes: whole MiBs, then one fsync. */
static double time_dd(const char *folder, int64_t bytes) {
    char command[1200];
    snprintf(command, sizeof command,
             "dd if=/dev/zero of='%s/dd' bs=1M count=%lld conv=fsync status=none", folder,
             (long long)((bytes + (1 << 20) - 1) >> 20));
    double start = t5_seconds();
    int rc = system(command);
    double seconds = t5_seconds() - start;
    snprintf(command, sizeof command, "%s/dd", folder);
    unlink(command);
    if (rc != 0) {
        fputs("dd failed\n", stderr);
        t5_comm_abort(NULL, 1);
    }
    return seconds;
}

static void time_keeper(t5_comm *world, t5_keeper *k, int64_t step, round_times *t) {
    t5_error err = {0};
    t5_training_state state = {.step = step, .epoch = 1};
    need(t5_comm_barrier(world, &err), &err);
    double start = t5_seconds();
    need(t5_keeper_begin(k, NULL, &state, NULL, &err), &err);
    t->wait = t5_seconds() - start;
    while (!t5_keeper_done(k))
        usleep(1000);
    need(t5_comm_barrier(world, &err), &err);
    double commit = t5_seconds();
    need(t5_keeper_advance(k, &err), &err);
    t->wait += t5_seconds() - commit;
    need(t5_keeper_settle(k, &err), &err);
    t->all = t5_seconds() - start;
}

static void time_load(t5_comm *world, t5_keeper *k, round_times *t) {
    t5_error err = {0};
    t5_training_state state;
    t5_record record = {0};
    float *best = NULL;
    bool found = false;
    need(t5_comm_barrier(world, &err), &err);
    double start = t5_seconds();
    need(t5_keeper_load(k, &best, &state, &record, &found, &err), &err);
    t->load = t5_seconds() - start;
    free(best);
    if (!found)
        need(t5_fail(&err, T5_ERR_IO, "the checkpoint is not there"), &err);
}

static int by_ratio(const void *a, const void *b) {
    const round_times *x = a, *y = b;
    double p = x->dd / x->all, q = y->dd / y->all;
    return (p > q) - (p < q);
}

static void run(t5_comm *world, const char *folder, const t5_shape *shape, int rounds) {
    t5_error err = {0};
    t5_device *device = NULL;
    t5_model *model = NULL;
    t5_keeper *keeper = NULL;
    t5_keeper_spec spec = {.dir = folder, .trial = "bench", .keep = 1};
    round_times times[64];
    bool leader = t5_comm_rank(world) == 0;
    need(t5_device_open_cpu(1, &device, &err), &err);
    need(t5_model_create(device, shape, false, true, &model, &err), &err);
    need(t5_model_init_random(model, 1, &err), &err);
    need(t5_keeper_open(world, model, &spec, &keeper, &err), &err);
    int64_t bytes = 3 * t5_model_n_arena(model) * (int64_t)sizeof(float);
    for (int r = 0; r <= rounds; r++) { /* the first is for warming up: memory, the file system */
        round_times *t = &times[r ? r - 1 : 0];
        need(t5_comm_barrier(world, &err), &err);
        t->dd = leader ? time_dd(folder, bytes) : 0;
        time_keeper(world, keeper, r + 1, t);
        time_load(world, keeper, t);
        if (leader)
            printf("round %d: dd %.2f s, checkpoint %.2f s (%.2f of dd), training waits %.2f s, "
                   "reading %.2f s\n",
                   r, t->dd, t->all, t->dd / t->all, t->wait, t->load);
    }
    qsort(times, (size_t)rounds, sizeof *times, by_ratio);
    if (leader)
        printf("%.2f GB by %d ranks: median %.2f of dd conv=fsync (%.2f to %.2f)\n",
               (double)bytes * 1e-9, t5_comm_size(world),
               times[rounds / 2].dd / times[rounds / 2].all, times[0].dd / times[0].all,
               times[rounds - 1].dd / times[rounds - 1].all);
    t5_keeper_remove(keeper);
    t5_keeper_close(keeper);
    t5_model_destroy(model);
    t5_device_close(device);
}

int main(int argc, char **argv) {
    static const t5_shape small = {.vocab = 32128,
                                   .d_model = 512,
                                   .d_kv = 64,
                                   .d_ff = 2048,
                                   .heads = 8,
                                   .enc_layers = 6,
                                   .dec_layers = 6,
                                   .buckets = 32,
                                   .max_distance = 128,
                                   .tied = true,
                                   .eps = 1e-6F,
                                   .eos_id = 1};
    static const t5_shape base = {.vocab = 32128,
                                  .d_model = 768,
                                  .d_kv = 64,
                                  .d_ff = 3072,
                                  .heads = 12,
                                  .enc_layers = 12,
                                  .dec_layers = 12,
                                  .buckets = 32,
                                  .max_distance = 128,
                                  .tied = true,
                                  .eps = 1e-6F,
                                  .eos_id = 1};
    t5_error err = {0};
    t5_comm *world = NULL;
    need(t5_comm_start(&argc, &argv, &world, &err), &err);
    int rounds = argc > 3 ? atoi(argv[3]) : 5;
    bool known = argc > 2 && (strcmp(argv[2], "small") == 0 || strcmp(argv[2], "base") == 0);
    if (known && rounds >= 1 && rounds <= 64)
        run(world, argv[1], strcmp(argv[2], "base") == 0 ? &base : &small, rounds);
    else if (t5_comm_rank(world) == 0)
        fputs("usage: t5bench_checkpoint FOLDER small|base [ROUNDS]\n", stderr);
    t5_comm_finish(world);
    return known ? 0 : 2;
}
