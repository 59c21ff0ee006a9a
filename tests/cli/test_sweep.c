/* Whole sweeps with different numbers of ranks: the same trials, curves within rounding, and the
 * same bits when repeated with the same counts. */
#include "cli/curves.h"
#include <math.h>

static const char config[] =
    "model: { preset = \"tiny\"; tokenizer = \"spiece.model\"; }\n"
    "data: { path = \"data.jsonl\"; input = \"sns_text\"; target = \"emoji_string\"; }\n"
    "train: { epochs = 2; batch_size = 16; warmup_steps = 5; dropout = 0.1; }\n"
    "sweep: { learning_rate = [3e-3, 1e-3]; top_n = [0, 20];\n"
    "         loss = ( { type = \"cross_entropy\"; label_smoothing = 0.1; },\n"
    "                  { type = \"focal\"; gamma = 2.0; } ); }\n"
    "parallel: { threads = 1; }\n"
    "output: { dir = \"out\"; }\n";
enum { N_TRIALS = 8, MAX_STEPS = 256 };

typedef struct trial {
    char name[64], status[32];
    int n_steps, n_evals;
    double loss[MAX_STEPS], val_loss[MAX_STEPS];
    double jaccard;
} trial;

typedef struct sweep {
    int n;
    trial trials[N_TRIALS + 1];
} sweep;

static void read_status(hid_t group, char *status, size_t size) {
    char *text = NULL;
    hid_t attr = H5Aopen(group, "status", H5P_DEFAULT), type = H5Aget_type(attr);
    assert_true(H5Aread(attr, type, &text) >= 0);
    snprintf(status, size, "%s", text);
    H5free_memory(text);
    H5Tclose(type);
    H5Aclose(attr);
}

static herr_t read_trial(hid_t trials, const char *name, const H5L_info_t *info, void *user) {
    sweep *s = user;
    (void)info;
    assert_true(s->n < N_TRIALS);
    trial *t = &s->trials[s->n++];
    hid_t group = H5Gopen2(trials, name, H5P_DEFAULT), test;
    assert_true(group >= 0);
    snprintf(t->name, sizeof t->name, "%s", name);
    read_status(group, t->status, sizeof t->status);
    t->n_steps = read_column(group, "train", "loss", MAX_STEPS, t->loss);
    t->n_evals = read_column(group, "eval", "loss", MAX_STEPS, t->val_loss);
    test = H5Gopen2(group, "test", H5P_DEFAULT);
    hid_t attr = H5Aopen(test, "avg_jaccard", H5P_DEFAULT);
    assert_true(H5Aread(attr, H5T_NATIVE_DOUBLE, &t->jaccard) >= 0);
    H5Aclose(attr);
    H5Gclose(test);
    H5Gclose(group);
    return 0;
}

static sweep *run_sweep(int ranks, int per_trial, const char *name) {
    char path[128];
    run_result r = run("%s -np %d %s sweep.cfg --set parallel.ranks_per_trial=%d --output %s",
                       T5MPI_MPIRUN, ranks, T5MPI, per_trial, name);
    expect_status(name, &r, 0);
    free(r.output);
    sweep *s = calloc(1, sizeof *s);
    assert_non_null(s);
    snprintf(path, sizeof path, "%s/results.h5", name);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    hid_t trials = H5Gopen2(file, "/trials", H5P_DEFAULT);
    H5Literate(trials, H5_INDEX_NAME, H5_ITER_INC, NULL, read_trial, s);
    H5Gclose(trials);
    H5Fclose(file);
    assert_int_equal(s->n, N_TRIALS);
    return s;
}

/* Largest relative difference of the training and validation losses. */
static double curve_difference(const sweep *a, const sweep *b) {
    double worst = 0;
    for (int i = 0; i < N_TRIALS; i++) {
        const trial *x = &a->trials[i], *y = &b->trials[i];
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->status, "completed");
        assert_string_equal(y->status, "completed");
        assert_int_equal(x->n_steps, y->n_steps);
        assert_int_equal(x->n_evals, y->n_evals);
        for (int k = 0; k < x->n_steps; k++)
            worst = fmax(worst, fabs(x->loss[k] - y->loss[k]) / fabs(x->loss[k]));
        for (int k = 0; k < x->n_evals; k++)
            worst = fmax(worst, fabs(x->val_loss[k] - y->val_loss[k]) / fabs(x->val_loss[k]));
    }
    return worst;
}

static void expect_same_bits(const sweep *a, const sweep *b) {
    for (int i = 0; i < N_TRIALS; i++) {
        const trial *x = &a->trials[i], *y = &b->trials[i];
        assert_memory_equal(x->loss, y->loss, (size_t)x->n_steps * sizeof *x->loss);
        assert_memory_equal(x->val_loss, y->val_loss, (size_t)x->n_evals * sizeof *x->val_loss);
        assert_memory_equal(&x->jaccard, &y->jaccard, sizeof x->jaccard);
    }
}

static void rank_counts_agree(void **state) {
    static const int counts[][2] = {{2, 1}, {4, 1}, {2, 2}, {4, 2}, {4, 4}};
    char name[32];
    (void)state;
    sweep *one = run_sweep(1, 1, "np1");
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int ranks = counts[i][0], per_trial = counts[i][1];
        snprintf(name, sizeof name, "np%d-rpt%d", ranks, per_trial);
        sweep *many = run_sweep(ranks, per_trial, name);
        double difference = curve_difference(one, many);
        if (!(difference <= 1e-4))
            fail_msg("%s: loss curves differ by %.2e relative", name, difference);
        if (per_trial == 1)
            expect_same_bits(one, many); /* the group has the same size: exactly the same */
        strcat(name, "-again");
        sweep *again = run_sweep(ranks, per_trial, name);
        expect_same_bits(many, again);
        free(many);
        free(again);
    }
    free(one);
}

static int prepare(void **state) {
    if (make_folder(state))
        return -1;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    write_text("sweep.cfg", config);
    run_result r = run("cp %s/configs/demo/spiece.model . && head -n 400 "
                       "%s/configs/demo/v3like.jsonl > data.jsonl",
                       T5MPI_SOURCE_DIR, T5MPI_SOURCE_DIR);
    int status = r.status;
    free(r.output);
    return status;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rank_counts_agree)};
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
