/* A trial's weights are kept, answered with and exported: bad input is explained and leaves nothing
 * behind; the run, the exported directory and the test split of results.h5 answer alike; training
 * goes on from an export. tests/oracle/check_export.py does the same with Transformers. */
#include "cli/program.h"
#include "io/store_read.h"
#include <math.h>

static const char config[] =
    "data: { path = \"data.jsonl\"; input = \"sns_text\"; target = \"emoji_string\"; };\n"
    "train: { epochs = 3; batch_size = 8; warmup_steps = 2; learning_rate = 1e-2; dropout = 0.0; "
    "};\n"
    "sweep: { top_n = [0, 40]; };\n"
    "parallel: { threads = 1; };\n"
    "eval: { max_length = 6; };\n";

/* Kinds of models: how they begin, and how their test split is answered. */
typedef struct kind {
    const char *name, *config, *shape;
} kind;
static const kind kinds[] = {
    {"random", "eval: { restrict_to_labels = true; decode = \"beam\"; beams = 4; };",
     "preset = \"tiny\"; tokenizer = \"spiece.model\";"},
    {"v1_0", "eval: { repetition_penalty = 1.2; };", "path = \"v1_0\";"},
    {"untied", "eval: { decode = \"sample\"; top_k = 5; restrict_to_labels = false; };",
     "preset = \"tiny\"; tokenizer = \"spiece.model\"; feed_forward_proj = \"gated-gelu\"; "
     "tie_word_embeddings = false;"},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static void train(const kind *k) {
    char path[64], eval[256];
    FILE *f;
    snprintf(path, sizeof path, "%s.cfg", k->name);
    /* one eval group: the kind's keys into the common one */
    const char *keys = strchr(k->config, '{');
    snprintf(eval, sizeof eval, "eval: { max_length = 6; %s", keys ? keys + 1 : "};");
    f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "model: { %s };\n%.*s%s\n", k->shape, (int)(strstr(config, "eval:") - config),
            config, eval);
    assert_int_equal(fclose(f), 0);
    run_result r = run("%s %s --output run_%s", T5MPI, path, k->name);
    expect_status(k->name, &r, 0);
    free(r.output);
}

static void expect_command(int status, const char *text, const char *command) {
    run_result r = run("%s", command);
    expect_status(command, &r, status);
    expect_text(command, &r, text);
    free(r.output);
}

/* ---- bad input ---- */

static void bad_input_is_explained(void **state) {
    static const struct {
        const char *command, *text;
    } bad[] = {
        {"export nowhere out", "nowhere: there is no such model"},
        {"export nowhere:all out", "nowhere:all: there is no such model"},
        {"export v1_0 out", "is a Hugging Face directory already"},
        {"export run_random:none out", "run_random/checkpoints/none/best.h5"},
        {"export run_random:all full", "full: a new or an empty folder was expected"},
        {"export run_random:all data.jsonl", "data.jsonl: a new or an empty folder was expected"},
        {"export damaged:all out", "damaged/checkpoints/all/best.h5"},
        {"export cut:all out", "cut/checkpoints/all/best.h5"},
        {"export unfinished out", "name one as unfinished:TRIAL (there are: all, top40)"},
        {"export no_results:all out", "no_results:all: there is no such model"},
        {"export bare:all out", "bare/results.h5: /trials/all has no attribute"},
        {"predict --model damaged:all data.jsonl", "damaged/checkpoints/all/best.h5"},
        {"predict --model run_random:none data.jsonl", "run_random/checkpoints/none/best.h5"},
        {"export run_random: out", "run_random has no weights of a trial \"\""},
        {"export run_random:../checkpoints/all out", "run_random has no weights of a trial"},
        {"export doubtful out",
         "the best trial is not known: doubtful/trials/top40.h5: is not a readable HDF5 file"},
        {"export run_random .", ".: a new or an empty folder was expected"},
        {"predict --model start data.jsonl",
         "start/generation_config.json: decoder_start_token_id is 48, the model has 48 tokens"},
        {"predict --model end data.jsonl", "end: the tokeniser's end token is 1"},
    };
    (void)state;
    run_result r =
        run("mkdir full && : > full/file && "
            "cp -r run_random damaged && printf X | dd of=damaged/checkpoints/all/best.h5 "
            "bs=1 seek=60000 conv=notrunc status=none && "
            "cp -r run_random cut && truncate -s -1 cut/checkpoints/all/best.h5 && "
            "cp -r run_random unfinished && rm unfinished/trials/* && "
            "cp -r run_random no_results && rm no_results/results.h5 && "
            "cp -r run_random bare && rm bare/trials/all.h5 && "
            "cp -r run_random doubtful && truncate -s 3000 doubtful/trials/top40.h5 && "
            "cp -r v1_1 start && echo '{\"decoder_start_token_id\": 48}' "
            "> start/generation_config.json && "
            "cp -r v1_0 end && echo '{\"eos_token_id\": 5}' > end/generation_config.json");
    expect_status("preparing", &r, 0);
    free(r.output);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char command[256];
        snprintf(command, sizeof command, "%s %s", T5MPI, bad[i].command);
        expect_command(2, bad[i].text, command);
        r = run("ls -d out*");
        if (r.status == 0)
            fail_msg("%s: left %s", bad[i].command, r.output);
        free(r.output);
    }
}

/* A disk without room for the checkpoint: the trial's results are kept. */
static void unwritable_weights_do_not_lose_results(void **state) {
    (void)state;
    run_result r = run("mkdir -p blocked && : > blocked/checkpoints && "
                       "%s random.cfg --output blocked",
                       T5MPI);
    expect_status("blocked", &r, 1);
    expect_text("blocked", &r, "completed: its weights are not kept, its results are: ");
    expect_text("blocked", &r, "all: its weights are not kept, its results are: ");
    free(r.output);
    expect_command(2, "blocked/checkpoints/all/best.h5", T5MPI " export blocked:all out");
}

static void weights_need_not_be_kept(void **state) {
    (void)state;
    run_result r = run("%s random.cfg --set output.save_weights=false --output without", T5MPI);
    expect_status("without", &r, 0);
    free(r.output);
    assert_int_equal(access("without/trials/all.h5", F_OK), 0);
    assert_int_not_equal(access("without/checkpoints", F_OK), 0);
}

/* ---- the same answers everywhere ---- */

/* Texts of the test split to texts.txt; returns the answers that results.h5 holds, a line each. */
static char *test_split(const char *kind_name, const char *trial) {
    char path[128], **texts = NULL, **answers = NULL;
    t5_error err = {0};
    t5_store_reader *r = NULL;
    int64_t n = 0;
    size_t bytes = 0;
    char *joined = NULL;
    snprintf(path, sizeof path, "run_%s/results.h5", kind_name);
    assert_int_equal(t5_store_open(path, &r, &err), T5_OK);
    snprintf(path, sizeof path, "/trials/%s/predictions", trial);
    assert_int_equal(t5_store_get_array(r, path, "text", T5_COLUMN_TEXT, (void **)&texts, &n, &err),
                     T5_OK);
    assert_int_equal(
        t5_store_get_array(r, path, "pred", T5_COLUMN_TEXT, (void **)&answers, &n, &err), T5_OK);
    assert_true(n > 5);
    FILE *f = fopen("texts.txt", "w"), *out = open_memstream(&joined, &bytes);
    assert_true(f && out);
    for (int64_t i = 0; i < n; i++) {
        fprintf(f, "%s\n", texts[i]);
        fprintf(out, "%s\n", answers[i]);
    }
    fclose(f);
    fclose(out);
    free(texts);
    free(answers);
    t5_store_close(r);
    return joined;
}

static char *predict(const char *model, const char *options) {
    run_result r = run("%s predict --threads 1 --model %s %s texts.txt", T5MPI, model, options);
    expect_status(model, &r, 0);
    return r.output;
}

static void expect_same(const char *what, const char *a, const char *b) {
    if (strcmp(a, b) != 0)
        fail_msg("%s: other answers:\n%s\nthan:\n%s", what, a, b);
}

static void answers_agree(void **state) {
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        static const char *const trials[] = {"all", "top40"};
        for (int t = 0; t < 2; t++) {
            char model[64], directory[64], what[128];
            snprintf(model, sizeof model, "run_%s:%s", kinds[k].name, trials[t]);
            snprintf(directory, sizeof directory, "export_%s_%s", kinds[k].name, trials[t]);
            run_result r = run("%s export %s %s/", T5MPI, model, directory);
            expect_status(model, &r, 0);
            expect_text(model, &r, "million parameters");
            free(r.output);

            char *of_test = test_split(kinds[k].name, trials[t]);
            char *of_run = predict(model, ""),
                 *of_export =
                     predict(directory, strstr(kinds[k].config, "sample") ? "--seed 42" : "");
            expect_same(model, of_run, of_test);
            snprintf(what, sizeof what, "%s, exported", model);
            expect_same(what, of_export, of_run);
            free(of_run);
            free(of_export);
            of_run = predict(model, "--beams 4");
            of_export = predict(directory, "--beams 4");
            expect_same(what, of_export, of_run);
            free(of_test);
            free(of_run);
            free(of_export);
        }
    }
}

/* Which trial a run alone means: that with the larger figure on the validation split. */
static void best_trial_is_meant(void **state) {
    t5_error err = {0};
    t5_store_reader *r = NULL;
    double all, top;
    (void)state;
    assert_int_equal(t5_store_open("run_v1_0/results.h5", &r, &err), T5_OK);
    assert_int_equal(t5_store_get_double(r, "/trials/all", "best_value", &all, &err), T5_OK);
    assert_int_equal(t5_store_get_double(r, "/trials/top40", "best_value", &top, &err), T5_OK);
    t5_store_close(r);
    assert_false(isnan(all) || isnan(top));
    run_result e = run("%s export run_v1_0 best", T5MPI);
    expect_status("export run_v1_0", &e, 0);
    expect_text("best", &e, top > all ? "run_v1_0:top40" : "run_v1_0:all");
    free(e.output);
}

/* A run's path may have colons, and a trial's name, too. */
static void colons_are_no_trouble(void **state) {
    (void)state;
    run_result r = run("cp -r run_random c:o && mv c:o/checkpoints/all c:o/checkpoints/l:o:n && "
                       "head -n 20 data.jsonl > texts.txt");
    expect_status("preparing", &r, 0);
    free(r.output);
    char *expected = predict("run_random:all", "");
    char *found = predict("c:o:l:o:n", "");
    expect_same("c:o:l:o:n", found, expected);
    free(found);
    found = predict("./c:o/:l:o:n", "");
    expect_same("./c:o/:l:o:n", found, expected);
    free(found);
    free(expected);
}

static void card_tells_how(void **state) {
    static const char *const texts[] = {"# top40\n",
                                        "| learning rate | 0.01 |",
                                        "no other than the 40 most frequent",
                                        "cross entropy, label smoothing",
                                        "| avg_jaccard | 0.",
                                        "| num_samples | ",
                                        "    sweep: { top_n = [0, 40]; };"};
    (void)state;
    run_result r = run("cat export_v1_0_top40/README.md");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_text("README.md", &r, texts[i]);
    free(r.output);
}

static void training_goes_on(void **state) {
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        run_result r = run("%s v1_0.cfg --set model.path=export_%s_all --set sweep.top_n=0 "
                           "--set train.epochs=1 --output on_%s",
                           T5MPI, kinds[k].name, kinds[k].name);
        expect_status(kinds[k].name, &r, 0);
        free(r.output);
    }
}

static int prepare(void **state) {
    if (make_folder(state))
        return -1;
    run_result r = run("cp -r %s/tests/setup/fixtures/* . && cp %s/configs/demo/spiece.model . && "

                       "head -n 400 %s/configs/demo/v3like.jsonl > data.jsonl",
                       T5MPI_SOURCE_DIR, T5MPI_SOURCE_DIR, T5MPI_SOURCE_DIR);
    int status = r.status;
    free(r.output);
    for (int k = 0; k < N_KINDS && status == 0; k++)
        train(&kinds[k]);
    return status;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input_is_explained),
        cmocka_unit_test(unwritable_weights_do_not_lose_results),
        cmocka_unit_test(weights_need_not_be_kept),
        cmocka_unit_test(answers_agree),
        cmocka_unit_test(best_trial_is_meant),
        cmocka_unit_test(colons_are_no_trouble),
        cmocka_unit_test(card_tells_how),
        cmocka_unit_test(training_goes_on),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
