/* What becomes of trials: a failed one is recorded with its reason and the rest go on; a tree
 * leaves every trial with a status. */
#include "cli/program.h"
#include <hdf5.h>
#include <stdbool.h>

/* ulimit -v leaves no room for the sanitizer's own maps. */
#ifdef __SANITIZE_ADDRESS__
#define NEEDS_MEMORY_LIMIT() skip()
#else
#define NEEDS_MEMORY_LIMIT() ((void)0)
#endif

#define COMMON                                                                            \
    "model: { preset = \"tiny\"; tokenizer = \"spiece.model\"; }\n"                       \
    "data: { path = \"data.jsonl\"; input = \"sns_text\"; target = \"emoji_string\"; }\n" \
    "train: { epochs = 3; warmup_steps = 2; }\n"                                          \
    "parallel: { threads = 1; }\n"

static const char failing[] = COMMON "sweep: { learning_rate = [1e-3, 1e38]; top_n = [0, 1]; };\n";
static const char tree[] = COMMON "plan: ( { name = \"base\"; },\n"
                                  "        { name = \"a\"; set: { learning_rate = 1e-3; }; "
                                  "improved = \"b\"; otherwise = \"c\"; },\n"
                                  "        { name = \"b\"; set: { seed = 1; }; },\n"
                                  "        { name = \"c\"; set: { seed = 2; }; } );\n"
                                  "baseline: { trial = \"base\"; };\n";

/* An attribute of a trial as text, "" if it is empty; malloc'd. */
static char *attribute(const char *run_dir, const char *trial, const char *name) {
    char path[256], *text = NULL;
    snprintf(path, sizeof path, "%s/results.h5", run_dir);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    snprintf(path, sizeof path, "/trials/%s", trial);
    /* the group first: H5Aopen_by_name across an external link reads the other file's texts (1.10)
     */
    hid_t group = H5Gopen2(file, path, H5P_DEFAULT), attr = H5Aopen(group, name, H5P_DEFAULT);
    assert_true(attr >= 0);
    hid_t type = H5Aget_type(attr);
    assert_true(H5Aread(attr, type, &text) >= 0);
    char *copy = strdup(text ? text : "");
    H5free_memory(text);
    H5Tclose(type);
    H5Aclose(attr);
    H5Gclose(group);
    H5Fclose(file);
    assert_non_null(copy);
    return copy;
}

static void expect_attribute(const char *run_dir, const char *trial, const char *name,
                             const char *part) {
    char *text = attribute(run_dir, trial, name);
    if (!strstr(text, part))
        fail_msg("%s of %s in %s: expected \"%s\", found \"%s\"", name, trial, run_dir, part, text);
    free(text);
}

static void expect_tables(const char *run_dir, const char *trial, bool train, bool eval) {
    char path[256];
    snprintf(path, sizeof path, "%s/trials/%s.h5", run_dir, trial);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    assert_int_equal(H5Lexists(file, "train", H5P_DEFAULT), train);
    assert_int_equal(H5Lexists(file, "eval", H5P_DEFAULT), eval);
    H5Fclose(file);
}

static void trials_fail_alone(void **state) {
    (void)state;
    write_text("fail.cfg", failing);
    /* no row has only the most frequent label */
    write_text("rows", "{\"sns_text\": \"aaa\", \"emoji_string\": \"X Y\"}\n"
                       "{\"sns_text\": \"bbb\", \"emoji_string\": \"Z X\"}\n"
                       "{\"sns_text\": \"ccc\", \"emoji_string\": \"Y X Z\"}\n");
    run_result r = run("for i in 1 2 3 4 5 6 7 8 9 10; do cat rows; done > data.jsonl; "
                       "%s -np 2 %s fail.cfg --output fails",
                       T5MPI_MPIRUN, T5MPI);
    expect_status("a sweep with failing trials", &r, 1);
    expect_text("the report", &r, "failed");
    free(r.output);
    expect_attribute("fails", "lr1e-03_all", "status", "completed");
    expect_attribute("fails", "lr1e+38_all", "status", "failed");
    expect_attribute("fails", "lr1e+38_all", "reason", "not a number");
    expect_attribute("fails", "lr1e-03_top1", "status", "failed");
    expect_attribute("fails", "lr1e-03_top1", "reason", "top_n = 1");
    expect_tables("fails", "lr1e-03_all", true, true);
    expect_tables("fails", "lr1e-03_top1", false, false);
}

static void out_of_memory_is_a_trials_failure(void **state) {
    (void)state;
    NEEDS_MEMORY_LIMIT();
    write_text("one.cfg", COMMON "sweep: { seed = [1, 2]; };\n");
    write_text("data.jsonl", "");
    run_result r = run("for i in 1 2 3 4 5 6 7 8 9 10; do cat rows; done > data.jsonl; "
                       "ulimit -v 3000000; %s one.cfg --output oom --set model.preset=base",
                       T5MPI);
    expect_status("a model that does not fit", &r, 1);
    free(r.output);
    expect_attribute("oom", "seed1", "status", "failed");
    expect_attribute("oom", "seed1", "reason", "cannot allocate");
    expect_attribute("oom", "seed2", "status", "failed");
}

/* A limit on the size of files stands in for a full disk: the tables do not fit, the rest does. */
static void a_file_that_does_not_fit_is_a_trials_failure(void **state) {
    const size_t bytes = 16 << 20; /* ulimit counts in 512 or 1024 bytes */
    char *text = malloc(bytes + 1);
    (void)state;
    assert_non_null(text);
    memset(text, 'a', bytes);
    for (size_t i = 1; i < bytes; i += 2)
        text[i] = ' ';
    text[bytes] = 0;
    FILE *f = fopen("data.jsonl", "w");
    assert_non_null(f);
    for (int row = 0; row < 10; row++) /* row 1 is the test split */
        fprintf(f, "{\"sns_text\": \"%s\", \"emoji_string\": \"X\"}\n", row == 1 ? text : "aaa");
    assert_int_equal(fclose(f), 0);
    free(text);
    write_text("one.cfg", COMMON);
    run_result r = run("trap '' XFSZ; ulimit -f 12000; %s one.cfg --output full "
                       "--set data.max_input=8 --set train.epochs=1",
                       T5MPI);
    expect_status("a trial whose file does not fit", &r, 1);
    expect_text("the report", &r, "cannot be written");
    free(r.output);
    expect_attribute("full", "trial", "status", "failed");
    expect_attribute("full", "trial", "reason", "cannot be written");
}

/* Memory follows the rows that there are, not the most that a batch may have. */
static void large_settings_fit_few_rows(void **state) {
    (void)state;
    NEEDS_MEMORY_LIMIT();
    write_text("one.cfg", COMMON);
    run_result r = run("for i in 1 2 3 4 5 6 7 8 9 10; do cat rows; done > data.jsonl; "
                       "ulimit -v 6000000; %s one.cfg --output large --set train.epochs=1 "
                       "--set train.batch_size=1000000 --set eval.batch_size=1000000 "
                       "--set eval.max_length=3000",
                       T5MPI);
    expect_status("batches larger than the data", &r, 0);
    free(r.output);
    expect_attribute("large", "trial", "status", "completed");
}

static void a_report_that_nobody_gets_is_a_failure(void **state) {
    (void)state;
    write_text("one.cfg", COMMON);
    run_result r = run("for i in 1 2 3 4 5 6 7 8 9 10; do cat rows; done > data.jsonl; "
                       "{ %s one.cfg --output unseen --set train.epochs=1 > /dev/full; }",
                       T5MPI);
    expect_status("a run that cannot print", &r, 1);
    expect_text("its message", &r, "standard output");
    free(r.output);
    expect_attribute("unseen", "trial", "status", "completed");
}

static void every_trial_of_a_tree_has_a_status(void **state) {
    static const char *const modes[] = {"none", "idle", "all"};
    char name[32];
    (void)state;
    write_text("tree.cfg", tree);
    for (int ranks = 1; ranks <= 4; ranks += 3)
        for (size_t m = 0; m < 3; m++) {
            snprintf(name, sizeof name, "tree-%s-%d", modes[m], ranks);
            run_result r = run("%s -np %d %s tree.cfg --output %s --set parallel.speculative=%s",
                               T5MPI_MPIRUN, ranks, T5MPI, name, modes[m]);
            expect_status(name, &r, 0);
            free(r.output);
            expect_attribute(name, "base", "status", "completed");
            expect_attribute(name, "a", "status", "completed");
            char *b = attribute(name, "b", "status"), *c = attribute(name, "c", "status");
            const char *way[2] = {b, c};
            int reached = strcmp(b, "completed") == 0 ? 0 : 1;
            assert_string_equal(way[reached], "completed");
            assert_string_equal(way[!reached], "skipped");
            free(b);
            free(c);
        }
}

static int prepare(void **state) {
    if (make_folder(state))
        return -1;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    run_result r = run("cp %s/configs/demo/spiece.model .", T5MPI_SOURCE_DIR);
    int status = r.status;
    free(r.output);
    return status;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trials_fail_alone),
        cmocka_unit_test(out_of_memory_is_a_trials_failure),
        cmocka_unit_test(a_file_that_does_not_fit_is_a_trials_failure),
        cmocka_unit_test(large_settings_fit_few_rows),
        cmocka_unit_test(a_report_that_nobody_gets_is_a_failure),
        cmocka_unit_test(every_trial_of_a_tree_has_a_status),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
