/* Training from a Hugging Face directory: wrong ones are explained before anything starts, and the
 * curves do not depend on how the ranks got the weights. */
#include "cli/curves.h"
#include <math.h>

static const char config[] =
    "model: { path = \"model\"; label_init = \"mean\"; };\n"
    "data: { path = \"data.jsonl\"; input = \"sns_text\"; target = \"emoji_string\"; };\n"
    "train: { epochs = 1; batch_size = 8; warmup_steps = 2; learning_rate = 1e-3; };\n"
    "sweep: { top_n = [0, 40]; };\n"
    "parallel: { threads = 1; };\n"
    "output: { dir = \"out\"; };\n";
enum { MAX_STEPS = 64 };

typedef struct bad {
    const char *how; /* a shell command that spoils the directory `bad` */
    const char *expected[2];
} bad;

static const bad table[] = {
    {"rm -r bad", {"model.path", "bad/config.json"}},
    {"rm bad/config.json", {"bad/config.json", "No such file"}},
    {"rm bad/model.safetensors", {"model.path", "bad"}},
    {"rm bad/spiece.model", {"bad/spiece.model", "No such file"}},
    {"truncate -s 60000 bad/model.safetensors", {"model.safetensors", ""}},
    {"truncate -s 4 bad/model.safetensors", {"model.safetensors", ""}},
    {": > bad/spiece.model", {"model.path", ""}},
    {"sed -i 's/\"t5\"/\"bart\"/' bad/config.json", {"model_type", "bart"}},
    {"sed -i 's/\"d_ff\": 20/\"d_ff\": 24/' bad/config.json", {"(16, 20)", "(16, 24)"}},
    {"sed -i 's/\"num_layers\": 1/\"num_layers\": 2/' bad/config.json", {"encoder.block.1", ""}},
    {"sed -i 's/\"vocab_size\": 320/\"vocab_size\": 240/' bad/config.json", {"(320, 16)", "240"}},
    {"sed -i 's/\"eos_token_id\": 1/\"eos_token_id\": 3/' bad/config.json", {"eos_token_id 3", ""}},
    {"sed -i 's/encoder.final_layer_norm/encoder.final_layer_nrom/' bad/model.safetensors",
     {"no tensor encoder.final_layer_norm.weight", ""}},
};

static void bad_directories_are_explained(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        run_result r = run("rm -rf bad && cp -r model bad && %s", table[i].how);
        expect_status(table[i].how, &r, 0);
        free(r.output);
        r = run("%s train.cfg --set model.path=bad", T5MPI);
        expect_status(table[i].how, &r, 2);
        expect_text(table[i].how, &r, table[i].expected[0]);
        expect_text(table[i].how, &r, table[i].expected[1]);
        if (access("out", F_OK) == 0)
            fail_msg("%s: left an output folder behind", table[i].how);
        free(r.output);
    }
}

typedef struct curves {
    int n;
    double loss[2 * MAX_STEPS];
} curves;

/* Training and validation losses of both trials. */
static curves train(int ranks, int per_trial, const char *output) {
    static const char *const names[] = {"all", "top40"};
    curves c = {0};
    char path[64];
    run_result r = run("%s -np %d %s train.cfg --set parallel.ranks_per_trial=%d --output %s",
                       T5MPI_MPIRUN, ranks, T5MPI, per_trial, output);
    expect_status(output, &r, 0);
    free(r.output);
    snprintf(path, sizeof path, "%s/results.h5", output);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    for (int t = 0; t < 2; t++) {
        snprintf(path, sizeof path, "/trials/%s", names[t]);
        hid_t group = H5Gopen2(file, path, H5P_DEFAULT);
        assert_true(group >= 0);
        c.n += read_column(group, "train", "loss", 2 * MAX_STEPS - c.n, c.loss + c.n);
        c.n += read_column(group, "eval", "loss", 2 * MAX_STEPS - c.n, c.loss + c.n);
        H5Gclose(group);
    }
    H5Fclose(file);
    return c;
}

/* Two groups: the second one's first rank gets its pieces from rank 0. */
static void rank_counts_agree(void **state) {
    static const int counts[][2] = {{2, 2}, {2, 1}, {4, 2}};
    (void)state;
    curves one = train(1, 1, "np1");
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char name[32];
        snprintf(name, sizeof name, "np%d-%d", counts[i][0], counts[i][1]);
        curves many = train(counts[i][0], counts[i][1], name);
        assert_int_equal(one.n, many.n);
        if (counts[i][1] == 1)
            assert_memory_equal(one.loss, many.loss, (size_t)one.n * sizeof *one.loss);
        for (int k = 0; k < one.n; k++)
            if (!(fabs(one.loss[k] - many.loss[k]) <= 1e-4 * one.loss[k]))
                fail_msg("%s: loss %d is %.8g, with one rank %.8g", name, k, many.loss[k],
                         one.loss[k]);
    }
}

/* The initial rows of the labels matter from the first step on, those of other tokens do not
 * change; each way is another curve. */
static void labels_begin_as_configured(void **state) {
    static const char *const ways[] = {"random", "mean", "describe"};
    double first[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        char path[64];
        run_result r = run("%s train.cfg --set model.label_init=%s --set sweep.top_n=0 --output %s",
                           T5MPI, ways[i], ways[i]);
        expect_status(ways[i], &r, 0);
        free(r.output);
        snprintf(path, sizeof path, "%s/results.h5", ways[i]);
        hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        assert_true(file >= 0);
        double loss[MAX_STEPS];
        hid_t trials = H5Gopen2(file, "/trials", H5P_DEFAULT);
        char name[64];
        assert_true(H5Lget_name_by_idx(trials, ".", H5_INDEX_NAME, H5_ITER_INC, 0, name,
                                       sizeof name, H5P_DEFAULT) > 0);
        hid_t group = H5Gopen2(trials, name, H5P_DEFAULT);
        assert_true(group >= 0);
        read_column(group, "train", "loss", MAX_STEPS, loss);
        first[i] = loss[0];
        H5Gclose(group);
        H5Gclose(trials);
        H5Fclose(file);
    }
    assert_true(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
}

/* Another place is fine, other weights or another tokeniser are not. */
static void a_run_goes_on_with_its_model(void **state) {
    static const struct {
        const char *how, *text; /* NULL: it goes on */
    } changes[] = {
        {"true", NULL},
        {"n=$(od -An -tu8 -N8 other/model.safetensors) && printf '\\021' | dd bs=1 conv=notrunc "
         "seek=$((8 + n)) of=other/model.safetensors 2>/dev/null",
         "the model of other is not what the run began with"},
        {"sed -i -e 's/\"extra_ids\": 4/\"extra_ids\": 3/' -e '/extra_id_3/d' "
         "-e 's/\"<extra_id_2>\",/\"<extra_id_2>\"/' other/tokenizer_config.json",
         "the tokeniser of other is not what the run began with"},
    };
    (void)state;
    run_result r = run("%s train.cfg --set sweep.top_n=0 --output kept", T5MPI);
    expect_status("kept", &r, 0);
    free(r.output);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        r = run("rm -rf other && cp -r model other && %s && %s train.cfg --set sweep.top_n=0 "
                "--output kept --resume --set model.path=other",
                changes[i].how, T5MPI);
        expect_status(changes[i].how, &r, changes[i].text ? 2 : 0);
        expect_text(changes[i].how, &r,
                    changes[i].text ? changes[i].text : "1 of 1 trial has ended already");
        free(r.output);
    }
}

static int prepare(void **state) {
    if (make_folder(state))
        return -1;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    write_text("train.cfg", config);
    run_result r = run("cp -r %s/tests/setup/fixtures/v1_0 model && head -n 160 "
                       "%s/configs/demo/v3like.jsonl > data.jsonl",
                       T5MPI_SOURCE_DIR, T5MPI_SOURCE_DIR);
    int status = r.status;
    free(r.output);
    return status;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_directories_are_explained),
        cmocka_unit_test(rank_counts_agree),
        cmocka_unit_test(labels_begin_as_configured),
        cmocka_unit_test(a_run_goes_on_with_its_model),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
