/* Trials in training that are kept and read back: a model with known contents, a folder that all
 * ranks share, and what the leader says in the log. */
#ifndef T5_TESTS_RUN_KEEPER_CHECK_H
#define T5_TESTS_RUN_KEEPER_CHECK_H
#include "run/keeper.h"
#include "run/state_files.h"
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/mpi/ranks.h"

static t5_comm *world;
static t5_device *device;

/* ---------------------------------------------------------------- the folder */

static char scratch[512];

static inline void meet(void) {
    t5_error err = {0};
    CHECK_OK(t5_comm_barrier(world, &err), err);
}

/* The first and the last test of a program. */
static inline void prepare(void **state) {
    (void)state;
    t5_error err = {0};
    const char *base = getenv("TMPDIR");
    if (t5_comm_rank(world) == 0) {
        snprintf(scratch, sizeof scratch, "%s/t5mpi-test-XXXXXX", base && *base ? base : "/tmp");
        CHECK(mkdtemp(scratch));
    }
    CHECK_OK(t5_comm_bcast(world, 0, scratch, sizeof scratch, &err), err);
    CHECK(chdir(scratch) == 0);
    CHECK_OK(t5_device_open_cpu(1, &device, &err), err);
}

static inline void clean_up(void **state) {
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "rm -r '%s'", scratch);
    meet();
    CHECK(chdir("/") == 0);
    meet();
    if (t5_comm_rank(world) == 0)
        CHECK(system(command) == 0);
    t5_device_close(device);
}

/* A new folder of that name for a run. */
static inline void make_run(const char *name) {
    meet();
    if (t5_comm_rank(world) == 0)
        CHECK(mkdir(name, 0777) == 0);
    meet();
}

/* Everything in a folder; -1: there is none. */
static inline int count_files(const char *folder) {
    int n = 0;
    DIR *d = opendir(folder);
    if (!d)
        return -1;
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

static inline bool has_step(const char *run, int64_t step) {
    t5_state_folder folder;
    char path[T5_STATE_PATH + 64];
    CHECK(t5_state_folder_of(run, "trial", &folder, NULL) == T5_OK);
    t5_state_file(&folder, step, path);
    return access(path, F_OK) == 0;
}

/* ---------------------------------------------------------------- the log */

static int log_fd = -1;

static inline void catch_log(void) {
    fflush(stderr);
    log_fd = dup(2);
    int fd = open("log", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(log_fd >= 0 && fd >= 0 && dup2(fd, 2) == 2);
    close(fd);
}

/* Everything that was logged since; to be freed. */
static inline char *end_log(void) {
    char *text = calloc(1, 1 << 16);
    CHECK(text);
    CHECK(dup2(log_fd, 2) == 2);
    close(log_fd);
    int fd = open("log", O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, (1 << 16) - 1) >= 0);
    close(fd);
    unlink("log");
    return text;
}

/* On the leader the log has this text once, or (NULL) nothing at all. */
static inline void expect_log(const char *want) {
    if (t5_comm_rank(world) != 0)
        return;
    char *text = end_log();
    const char *found = want ? strstr(text, want) : NULL;
    if (want ? !found || strstr(found + 1, want) : text[0] != 0)
        check_failed(__FILE__, __LINE__, want ? want : "nothing", text);
    free(text);
}

static inline void expect_warnings(void) {
    if (t5_comm_rank(world) == 0)
        catch_log();
}

/* ---------------------------------------------------------------- the trial */

/* Four spans of an array and a bit. */
static const t5_shape shape = {.vocab = 16000,
                               .d_model = 64,
                               .d_kv = 16,
                               .d_ff = 64,
                               .heads = 4,
                               .enc_layers = 1,
                               .dec_layers = 1,
                               .buckets = 32,
                               .max_distance = 128,
                               .act = T5_ACTIVATION_RELU,
                               .tied = true,
                               .eps = 1e-6F,
                               .eos_id = 1};
enum { STEPS = 100, EVALS = 10 };

typedef struct trial {
    t5_model *model;
    t5_keeper *keeper;
    t5_training_state state;
    t5_record record;
    float *best;
} trial;

static inline t5_keeper_spec make_spec(const char *run) {
    return (t5_keeper_spec){
        .dir = run, .trial = "trial", .fingerprint = 0xfedcba9876543210, .seed = 42, .keep = 2};
}

static inline void open_trial_as(trial *t, t5_comm *group, const t5_keeper_spec *spec,
                                 const t5_shape *of) {
    t5_error err = {0};
    memset(t, 0, sizeof *t);
    CHECK_OK(t5_model_create(device, of, false, true, &t->model, &err), err);
    CHECK_OK(t5_keeper_open(group, t->model, spec, &t->keeper, &err), err);
    CHECK_OK(t5_record_reserve(&t->record, STEPS, EVALS, &err), err);
}

static inline void open_trial(trial *t, t5_comm *group, const char *run) {
    t5_keeper_spec spec = make_spec(run);
    open_trial_as(t, group, &spec, &shape);
}

static inline void close_trial(trial *t) {
    t5_keeper_close(t->keeper);
    t5_model_destroy(t->model);
    t5_record_free(&t->record);
    free(t->best);
}

/* Element i of array `which` after `step` steps. */
static inline float value_at(int which, int64_t step, int64_t i) {
    return (float)((i * 31 + which * 7 + step * 3) % 10007) - 0.5F;
}

static const t5_arena arenas[3] = {T5_ARENA_WEIGHT, T5_ARENA_M, T5_ARENA_V};

static inline float *values_of(const trial *t, int which, int64_t step) {
    int64_t n = t5_model_n_arena(t->model);
    float *data = malloc((size_t)n * sizeof *data);
    CHECK(data);
    for (int64_t i = 0; i < n; i++)
        data[i] = value_at(which, step, i);
    return data;
}

/* As if `step` steps had been made, and the best epoch been some time before. */
static inline void train_to(trial *t, int64_t step, bool other_best) {
    t5_error err = {0};
    for (int a = 0; a < 3; a++) {
        float *data = values_of(t, a, step);
        CHECK_OK(t5_model_write(t->model, arenas[a], 0, t5_model_n_arena(t->model), data, &err),
                 err);
        free(data);
    }
    free(t->best);
    t->best = other_best ? values_of(t, 3, step) : NULL;
    t->state = (t5_training_state){.step = step,
                                   .epoch = 3,
                                   .epoch_step = step % 7,
                                   .epoch_loss = 0.1 * (double)step,
                                   .epoch_rows = 12 * step,
                                   .best_loss = other_best ? 1.0 / 3 : INFINITY,
                                   .best_value = other_best ? 0.7 : NAN,
                                   .best_epoch = other_best ? 2 : 0,
                                   .restarts = 1};
    for (int i = 0; i < T5_N_ACTIVITIES; i++)
        t->state.spent.seconds[i] = 1e-3 + (double)(step + i);
    t->record.n_steps = t->record.n_evals = 0;
    for (int64_t i = 0; i < step && i < STEPS; i++)
        t5_record_step(&t->record, &(t5_step_row){.step = i + 1,
                                                  .epoch = 1 + i / 7,
                                                  .loss = 1.0 / (double)(i + 3),
                                                  .learning_rate = 1e-4 * (double)i,
                                                  .grad_norm = i == 4 ? INFINITY : 0.3,
                                                  .tokens = 1000 + i,
                                                  .seconds = 0.1 * (double)i});
    for (int64_t i = 0; i < step / 7 && i < EVALS; i++)
        t5_record_eval(&t->record, &(t5_eval_row){.epoch = i + 1,
                                                  .loss = 0.7 / (double)(i + 1),
                                                  .metrics = {.num_samples = 77,
                                                              .avg_jaccard = 0.1 * (double)i,
                                                              .micro_f1 = 1.0 / 3,
                                                              .diversity_top5_count = i}});
}

static inline void begin(trial *t) {
    t5_error err = {0};
    CHECK_OK(t5_keeper_begin(t->keeper, t->best, &t->state,
                             t5_comm_rank(world) == 0 ? &t->record : NULL, &err),
             err);
}

static inline void settle(trial *t) {
    t5_error err = {0};
    CHECK_OK(t5_keeper_settle(t->keeper, &err), err);
}

static inline void keep(trial *t, int64_t step, bool other_best) {
    train_to(t, step, other_best);
    begin(t);
    settle(t);
    CHECK(!t5_keeper_busy(t->keeper));
}

static inline bool load(trial *t) {
    t5_error err = {0};
    bool found = false;
    free(t->best);
    CHECK_OK(t5_keeper_load(t->keeper, &t->best, &t->state, &t->record, &found, &err), err);
    return found;
}

/* The trial is what train_to has made of it; all of it to the last bit. */
static inline void check_trial(const trial *t, int64_t step, bool other_best, bool leader) {
    t5_error err = {0};
    trial want;
    int64_t n = t5_model_n_arena(t->model);
    float *data = malloc((size_t)n * sizeof *data);
    CHECK(data);
    memset(&want, 0, sizeof want);
    want.model = t->model;
    for (int a = 0; a < 3; a++) {
        float *expected = values_of(t, a, step);
        CHECK_OK(t5_model_read(t->model, arenas[a], 0, n, data, &err), err);
        CHECK(memcmp(data, expected, (size_t)n * sizeof *data) == 0);
        free(expected);
    }
    free(data);
    CHECK_OK(t5_record_reserve(&want.record, STEPS, EVALS, &err), err);
    train_to(&want, step, other_best);
    CHECK(memcmp(&t->state, &want.state, sizeof want.state) == 0);
    CHECK(!t->best == !other_best);
    if (other_best)
        CHECK(memcmp(t->best, want.best, (size_t)n * sizeof *want.best) == 0);
    if (leader) {
        CHECK(t->record.n_steps == want.record.n_steps && t->record.n_evals == want.record.n_evals);
        CHECK(memcmp(t->record.steps, want.record.steps,
                     (size_t)want.record.n_steps * sizeof *want.record.steps) == 0);
        CHECK(memcmp(t->record.evals, want.record.evals,
                     (size_t)want.record.n_evals * sizeof *want.record.evals) == 0);
    }
    t5_record_free(&want.record);
    free(want.best);
}

static inline void flip_byte(const char *run, int64_t step, int64_t at) {
    t5_state_folder folder;
    char path[T5_STATE_PATH + 64], byte = 0;
    CHECK(t5_state_folder_of(run, "trial", &folder, NULL) == T5_OK);
    t5_state_file(&folder, step, path);
    int fd = open(path, O_RDWR);
    CHECK(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte = (char)~byte;
    CHECK(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

#endif
