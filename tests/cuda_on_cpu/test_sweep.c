/* The whole program on emulated GPUs: a sweep with 1, 2 and 4 ranks a trial, gradients summed by
 * NCCL, has the curves and the answers that the CPU backend has; and what is said when GPUs, or
 * their memory, do not suffice. */
#include "cli/program.h"
#include "io/store_read.h"
#include <math.h>

static const char config[] =
    "model: { preset = \"tiny\"; tokenizer = \"spiece.model\"; d_model = 32; d_ff = 64;\n"
    "         num_layers = 1; num_decoder_layers = 1; num_heads = 2; d_kv = 16; };\n"
    "data: { path = \"data.jsonl\"; input = \"sns_text\"; target = \"emoji_string\"; };\n"
    "train: { epochs = 2; batch_size = 8; warmup_steps = 2; learning_rate = 1e-2; dropout = 0.1;\n"
    "         precision = \"fp32\"; };\n"
    "sweep: { loss = ( { type = \"cross_entropy\"; label_smoothing = 0.1; },\n"
    "                  { type = \"focal\"; gamma = 2.0; } ); };\n"
    "eval: { max_length = 4; decode = \"beam\"; beams = 2; };\n";

/* ---- what is said ---- */

static void what_is_missing(void **state) {
    static const struct {
        int status, ranks;
        const char *devices, *options, *text;
    } cases[] = {
        {2, 4, "EMU_DEVICES=2", "", "has 4 ranks, and they see 2 GPUs each"},
        {2, 2, "EMU_DEVICES=1", "", "parallel.share_gpu = true"},
        {2, 1, "EMU_DEVICES=0", "--device cuda", "--device cuda: no GPU"},
        {2, 1, "EMU_CAPABILITY=75", "--set train.precision=bf16", "has no bfloat16 products"},
        {2, 1, "EMU_CAPABILITY=70", "--device cuda", "the least is 7.5"},
        {0, 1, "EMU_CAPABILITY=75", "--set train.precision=auto", "precision \"auto\" is \"fp32\""},
        {0, 1, "EMU_CAPABILITY=70", "", "computing on the CPU: GPU 0"},
        {0, 1, "EMU_DEVICES=0", "", "device   CPU, oneDNN"},
        {0, 1, "EMU_DEVICES=1", "", "device   CUDA on CPU"},
        {0, 1, "EMU_DEVICES=1", "--device cpu", "device   CPU, oneDNN"},
        {0, 2, "EMU_DEVICES=1", "--set parallel.share_gpu=true", "device   CUDA on CPU"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_result r =
            run("rm -rf said; %s -np %d env %s %s q.cfg %s --set train.epochs=1 "
                "--output said",
                T5MPI_MPIRUN, cases[i].ranks, cases[i].devices, T5MPI_EMULATED, cases[i].options);
        expect_status(cases[i].text, &r, cases[i].status);
        expect_text("said", &r, cases[i].text);
        free(r.output);
    }
}

/* A GPU whose memory does not suffice, for the model, for its work, for answers: each trial fails
 * with the reason, on one rank or where one of two has less, and the group takes the next. */
static void trials_that_do_not_fit(void **state) {
    static const struct {
        int mebibytes;
        const char *others, *text; /* the command of the rank before it, if any */
    } cases[] = {
        {33, "", "failed: the model's gradients: GPU 0 cannot allocate"},
        {36, "", "failed: generation: GPU 0 cannot allocate"},
        {33, "-np 1 env EMU_DEVICES=2", "failed: the model's gradients: GPU 1 cannot allocate"},
        {35, "-np 1 env EMU_DEVICES=2", "failed: work memory of a batch of"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *others = cases[i].others;
        char command[512], trial[128];
        snprintf(command, sizeof command,
                 "%s q.cfg --device cuda --set train.epochs=1 --set parallel.ranks_per_trial=%d "
                 "--output small",
                 T5MPI_EMULATED, *others ? 2 : 1);
        run_result r =
            run("rm -rf small; %s %s %s %s -np 1 env EMU_DEVICES=2 EMU_MEMORY=%d %s", T5MPI_MPIRUN,
                others, *others ? command : "", *others ? ":" : "", cases[i].mebibytes, command);
        expect_status(cases[i].text, &r, 1);
        for (int t = 0; t < 2; t++) {
            snprintf(trial, sizeof trial, "%s  %s", t ? "focal2" : "ce0.1 ", cases[i].text);
            expect_text("small", &r, trial);
        }
        free(r.output);
    }
}

/* ---- the same as on the CPU ---- */

enum { MOST = 64 };
typedef struct outcome {
    int64_t n_loss, n_answers;
    double *loss;
    char **answers;
} outcome;

static outcome read_outcome(const char *output, const char *trial) {
    char path[96];
    outcome o;
    t5_store_reader *r = NULL;
    t5_error err = {0};
    snprintf(path, sizeof path, "%s/results.h5", output);
    assert_int_equal(t5_store_open(path, &r, &err), T5_OK);
    snprintf(path, sizeof path, "/trials/%s/train", trial);
    if (t5_store_get_array(r, path, "loss", T5_COLUMN_DOUBLE, (void **)&o.loss, &o.n_loss, &err))
        fail_msg("%s", err.text);
    snprintf(path, sizeof path, "/trials/%s/predictions", trial);
    if (t5_store_get_array(r, path, "pred", T5_COLUMN_TEXT, (void **)&o.answers, &o.n_answers,
                           &err))
        fail_msg("%s", err.text);
    t5_store_close(r);
    return o;
}

static void free_outcome(outcome *o) {
    free(o->loss);
    free(o->answers);
}

static void compare(const char *what, const char *output) {
    static const char *const trials[] = {"ce0.1", "focal2"};
    for (int t = 0; t < 2; t++) {
        outcome cpu = read_outcome("cpu", trials[t]), gpu = read_outcome(output, trials[t]);
        assert_int_equal(cpu.n_loss, gpu.n_loss);
        assert_int_equal(cpu.n_answers, gpu.n_answers);
        assert_in_range(cpu.n_loss, 10, MOST);
        for (int64_t i = 0; i < cpu.n_loss; i++)
            if (!(fabs(cpu.loss[i] - gpu.loss[i]) <= 1e-4 * cpu.loss[i]))
                fail_msg("%s, %s, step %d: loss %.8g, on the CPU %.8g", what, trials[t], (int)i + 1,
                         gpu.loss[i], cpu.loss[i]);
        for (int64_t i = 0; i < cpu.n_answers; i++)
            assert_string_equal(cpu.answers[i], gpu.answers[i]);
        free_outcome(&cpu);
        free_outcome(&gpu);
    }
}

static void sweeps_agree(void **state) {
    (void)state;
    for (int ranks = 1; ranks <= 4; ranks *= 2) {
        char output[16];
        snprintf(output, sizeof output, "gpu%d", ranks);
        run_result r = run("%s -np 4 env EMU_DEVICES=4 %s q.cfg --device cuda "
                           "--set parallel.ranks_per_trial=%d --output %s",
                           T5MPI_MPIRUN, T5MPI_EMULATED, ranks, output);
        expect_status(output, &r, 0);
        free(r.output);
        compare(output, output);
    }
}

/* parallel.reduce = "bf16": another curve, by no more than the rounding of gradients. */
static void gradients_may_travel_as_bfloat16(void **state) {
    (void)state;
    run_result r = run("%s -np 2 env EMU_DEVICES=2 %s q.cfg --device cuda "
                       "--set parallel.ranks_per_trial=2 --set parallel.reduce=bf16 --output half",
                       T5MPI_MPIRUN, T5MPI_EMULATED);
    expect_status("half", &r, 0);
    free(r.output);
    outcome cpu = read_outcome("cpu", "ce0.1"), half = read_outcome("half", "ce0.1");
    double largest = 0;
    assert_int_equal(cpu.n_loss, half.n_loss);
    for (int64_t i = 0; i < cpu.n_loss; i++)
        largest = fmax(largest, fabs(cpu.loss[i] - half.loss[i]) / cpu.loss[i]);
    if (!(largest > 1e-6 && largest < 1e-2))
        fail_msg("with gradients in bfloat16 losses differ by %g", largest);
    free_outcome(&cpu);
    free_outcome(&half);
}

/* Again the same bits. */
static void repeats_are_equal(void **state) {
    (void)state;
    run_result r = run("%s -np 2 env EMU_DEVICES=2 %s q.cfg --set parallel.ranks_per_trial=2 "
                       "--output again1 && %s -np 2 env EMU_DEVICES=2 EMU_ORDER=7 %s q.cfg "
                       "--set parallel.ranks_per_trial=2 --output again2",
                       T5MPI_MPIRUN, T5MPI_EMULATED, T5MPI_MPIRUN, T5MPI_EMULATED);
    expect_status("again", &r, 0);
    free(r.output);
    outcome a = read_outcome("again1", "ce0.1"), b = read_outcome("again2", "ce0.1");
    assert_int_equal(a.n_loss, b.n_loss);
    assert_memory_equal(a.loss, b.loss, (size_t)a.n_loss * sizeof *a.loss);
    free_outcome(&a);
    free_outcome(&b);
}

static int prepare(void **state) {
    if (make_folder(state))
        return -1;
    write_text("q.cfg", config);
    run_result r =
        run("cp %s/configs/demo/spiece.model . && head -n 60 %s/configs/demo/v3like.jsonl "
            "> data.jsonl && %s q.cfg --device cpu --output cpu",
            T5MPI_SOURCE_DIR, T5MPI_SOURCE_DIR, T5MPI_EMULATED);
    if (r.status)
        print_error("%s", r.output);
    int status = r.status;
    free(r.output);
    return status;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing),   cmocka_unit_test(trials_that_do_not_fit),
        cmocka_unit_test(sweeps_agree),      cmocka_unit_test(gradients_may_travel_as_bfloat16),
        cmocka_unit_test(repeats_are_equal),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
