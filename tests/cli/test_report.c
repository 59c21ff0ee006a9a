/* `t5mpi report`: bad input is explained; the tables are those that the run itself printed, also of
 * a sweep that was run in parts, and of a run that goes on or was broken off; plots are pictures,
 * and nobody's names are commands. */
#include "cli/program.h"
#include "io/store_read.h"
#include <sys/stat.h>
#include <time.h>

static const char common[] =
    "model: { preset = \"tiny\"; tokenizer = \"spiece.model\"; };\n"
    "data: { path = \"data.jsonl\"; input = \"sns_text\"; target = \"emoji_string\"; };\n"
    "train: { epochs = 2; batch_size = 8; warmup_steps = 2; learning_rate = 1e-2; dropout = 0.0; "
    "};\n"
    "parallel: { threads = 1; };\n"
    "goals: { avg_jaccard = 0.001; micro_f1 = 0.9; };\n";
/* 1e30: those trials fail. 30 labels: others' filters have answers without a model, too. */
static const char sweep[] = "sweep: { learning_rate = [1e-2, 1e30]; top_n = [0, 40, 30]; };\n"
                            "baseline: { trial = \"lr1e-02_all\"; };\n";
static const char figures[] = "sweep: { top_n = [0, 40]; };\n"
                              "baseline: { micro_f1 = 0.02; metric = \"micro_f1\"; };\n";
static const char tree[] =
    "plan: ( { name = \"base\"; set: { seed = 7; }; },\n"
    "        { name = \"one\"; set: { learning_rate = 3e-3; }; improved = \"two\"; "
    "otherwise = \"three\"; },\n"
    "        { name = \"two\"; set: { top_n = 40; }; }, { name = \"three\"; } );\n"
    "baseline: { trial = \"base\"; };\n";
static const char odd[] =
    "plan: ( { name = \"`touch pwned`\"; }, { name = \"it's\"; }, { name = \"a\\\\\"; },\n"
    "        { name = \"$(touch pwned)\"; }, { name = \"|touch pwned\"; },\n"
    "        { name = \"\\\"x\\\" {b} _y^2 @z %s\"; }, { name = \"\xe6\x97\xa5\xe6\x9c\xac "
    "\xf0\x9f\x8e\xb5\"; } );\n";

static void expect_command(int status, const char *text, const char *command) {
    run_result r = run("%s", command);
    expect_status(command, &r, status);
    expect_text(command, &r, text);
    free(r.output);
}

static void expect_nothing(const char *patterns) {
    run_result r = run("{ ls -d %s 2>/dev/null; }", patterns);
    if (*r.output)
        fail_msg("there is %s", r.output);
    free(r.output);
}

/* ---- bad input ---- */

static void set_int(const char *path, const char *object, const char *name, int64_t value) {
    t5_store *s = NULL;
    t5_error err = {0};
    assert_int_equal(t5_store_modify(path, &s, &err), T5_OK);
    t5_store_attr_int(s, object, name, value);
    if (t5_store_commit(s, &err) != T5_OK)
        fail_msg("%s", err.text);
}

static void prepare_bad_runs(void) {
    run_result r = run(
        "mkdir empty nonsense && echo x > nonsense/results.h5 && cp -r whole schema && "
        "cp -r whole missing && rm missing/trials/lr1e-02_top40.h5 && "
        "cp -r whole damaged && truncate -s 3000 damaged/trials/lr1e-02_all.h5 && "
        "cp -r whole cut && truncate -s -100 cut/results.h5 && "
        "mkdir mixed named alone others settings metric data && "
        "cp -r array/part-1-of-2 mixed && cp -r mixed/part-1-of-2 mixed/part-1-of-3 && "
        "cp -r array/part-1-of-2 named/part-2-of-2 && "
        "cp -r array/* alone && %s report alone >/dev/null && rm -r alone/part-* alone/plots && "
        "for d in others settings metric data; do cp -r array/part-1-of-2 $d; done && "
        "head -n 150 data.jsonl > other.jsonl && "
        "part='--part 2/2 --set train.batch_size=4 --set sweep.learning_rate=[1e-2,1e30]' && "
        "%s s.cfg --part 2/2 --set sweep.top_n=[0,40] --output others; "
        "%s s.cfg $part --output settings; "
        "%s s.cfg --part 2/2 --set baseline.metric=micro_f1 --output metric; "
        "%s s.cfg --part 2/2 --set data.path=other.jsonl --output data",
        T5MPI, T5MPI, T5MPI, T5MPI, T5MPI);
    expect_status("preparing", &r, 1); /* as the trials with 1e30 fail */
    free(r.output);
    set_int("schema/results.h5", "/", "schema_version", 7);
    set_int("damaged/results.h5", "/", "ranks", 1);
}

static void bad_input_is_explained(void **state) {
    static const struct {
        const char *arguments, *text;
    } bad[] = {
        {"report", "report: a run's folder"},
        {"report whole array", "one argument too many: array"},
        {"report whole --resume", "an option that this command does not have: --resume"},
        {"report whole --plots", "an option without its value: --plots"},
        {"report whole --plots=", "--plots: a folder was expected"},
        {"report ''", "no path of a run's folder"},
        {"report nowhere", "nowhere: cannot be read: No such file or directory"},
        {"report data.jsonl", "data.jsonl: cannot be read: Not a directory"},
        {"report empty", "empty/results.h5: there is no such file, nor a part-I-of-N/results.h5"},
        {"report nonsense", "nonsense/results.h5: is not a readable HDF5 file"},
        {"report cut", "cut/results.h5: is not a readable HDF5 file"},
        {"report schema", "schema/results.h5: schema_version is 7, this t5mpi reads 1"},
        {"report old", "old/results.h5: has no table /plan: an older t5mpi wrote it"},
        {"report missing", "missing/trials/lr1e-02_top40.h5: is not there"},
        {"report damaged", "damaged/trials/lr1e-02_all.h5: is not a readable HDF5 file"},
        {"report mixed", "mixed: holds parts of "},
        {"report named", "named/part-2-of-2/results.h5: says that it is part 1 of 2"},
        {"report alone", "alone/results.h5: was put together of parts, and none of their folders"},
        {"report others", "others/part-2-of-2/results.h5: does not belong to the parts before it: "
                          "its sweep has other trials"},
        {"report settings", "it has train.batch_size = 4, they have train.batch_size = 8"},
        {"report metric", "its baseline.metric is micro_f1, theirs avg_jaccard"},
        {"report data", "it was trained with other rows, another tokeniser or another model"},
        {"s.cfg --part", "an option without its value: --part"},
        {"s.cfg --part 0/2 --output no", "--part: found \"0/2\", expected I/N"},
        {"s.cfg --part 3/2 --output no", "--part: found \"3/2\", expected I/N"},
        {"s.cfg --part 1/2/3 --output no", "--part: found \"1/2/3\""},
        {"s.cfg --part +1/2 --output no", "--part: found \"+1/2\""},
        {"s.cfg --part 1/99999999999 --output no", "1 <= I <= N <= 10000"},
        {"s.cfg --part 7/7 --output no", "--part 7/7: the sweep has 6 trials only"},
        {"t.cfg --part 1/2 --output no", "--part 1/2: an experiment tree cannot be run in parts"},
        {"plan t.cfg --part 1/2", "an experiment tree cannot be run in parts"},
        {"score data.jsonl --part 1/2", "an option that this command does not have"},
        {"s.cfg --part 1/2 --output array", "array/part-1-of-2/results.h5 is there already"},
        {"s.cfg --resume --output array/part-1-of-2", "go on with --part 1/2"},
        {"s.cfg --resume --output alone", "alone/results.h5: is put together of 2 parts"},
        {"s.cfg --resume --part 1/2 --output of_whole", "is no part of a sweep, but a whole one"},
    };
    (void)state;
    prepare_bad_runs();
    run_result r = run("mkdir of_whole && cp -r whole of_whole/part-1-of-2");
    free(r.output);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char command[256];
        snprintf(command, sizeof command, "%s %s", T5MPI, bad[i].arguments);
        expect_command(2, bad[i].text, command);
    }
    expect_nothing(
        "no */plots mixed/results.h5 named/results.h5 others/results.h5 settings/results.h5");
    r = run("%s -np 2 %s report whole", T5MPI_MPIRUN, T5MPI);
    expect_status("mpirun", &r, 2);
    expect_text("mpirun", &r, "start it without mpirun");
    free(r.output);
}

/* ---- the same tables ---- */

/* From the tables on. */
static char *tables_of(const run_result *r) {
    char *tables = strstr(r->output, "\nResults on the test rows");
    if (!tables)
        fail_msg("no tables in:\n%s", r->output);
    return tables;
}

/* Does a report begin with what the run printed at its end? */
static void expect_same_tables(const char *what, const run_result *report, const char *expected) {
    const char *found = tables_of(report);
    assert_ptr_equal(found, report->output);
    if (strncmp(found, expected, strlen(expected)) != 0)
        fail_msg("%s: expected:\n%s\nfound:\n%s", what, expected, found);
}

static void reports_equal_the_runs_own(void **state) {
    static const struct {
        const char *name;
        int status;
    } runs[] = {{"figures", 0}, {"tree", 0}, {"whole", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        run_result own = run("cat %s.out", runs[i].name);
        run_result r = run("PATH= %s report %s/", T5MPI, runs[i].name);
        expect_status(runs[i].name, &r, 0);
        expect_same_tables(runs[i].name, &r, tables_of(&own));
        expect_text(runs[i].name, &r, "\nNo plots: gnuplot is not installed");
        assert_null(strchr(r.output, '\x1b'));
        if (runs[i].status)
            expect_text(runs[i].name, &r, ": failed: ");
        free(own.output);
        free(r.output);
    }
    expect_nothing("whole/plots figures/plots tree/plots");
}

static const char *const trials[] = {"lr1e-02_all",   "lr1e+30_all",   "lr1e-02_top40",
                                     "lr1e+30_top40", "lr1e-02_top30", "lr1e+30_top30"};
enum { N_TRIALS = 6 };
static const char *const times[] = {"seconds_start", "seconds_training", "seconds_validation",
                                    "seconds_test", "seconds_checkpoints"};

static void set_seconds(bool parts) {
    for (int t = 0; t < N_TRIALS; t++) {
        char path[128];
        t5_store *s = NULL;
        t5_error err = {0};
        if (parts)
            snprintf(path, sizeof path, "parts/part-%d-of-2/trials/%s.h5", t % 2 + 1, trials[t]);
        else
            snprintf(path, sizeof path, "timed/trials/%s.h5", trials[t]);
        if (t5_store_modify(path, &s, &err) != T5_OK)
            fail_msg("%s", err.text);
        for (size_t i = 0; i < sizeof times / sizeof *times; i++)
            t5_store_attr_double(s, "/", times[i], 1.5 + (double)i);
        assert_int_equal(t5_store_commit(s, &err), T5_OK);
    }
}

/* The same text with another folder's name, which is as long. */
static void rename_in(char *text, const char *from, const char *to) {
    assert_int_equal(strlen(from), strlen(to));
    while ((text = strstr(text, from)))
        memcpy(text, to, strlen(to));
}

static void parts_equal_the_whole(void **state) {
    (void)state;
    run_result r = run("cp -r array parts && cp -r whole timed");
    free(r.output);
    set_seconds(true);
    set_seconds(false);
    run_result whole = run("PATH= %s report timed", T5MPI);
    r = run("PATH= %s report parts", T5MPI);
    expect_status("parts", &r, 0);
    rename_in(whole.output, "timed/", "parts/");
    assert_string_equal(r.output, whole.output);
    expect_text("times", &r,
                "time of all trials: 1m45s, start 9%, training 14%, validation 20%, "
                "test 26%, checkpoints 31%");
    free(whole.output);
    free(r.output);
    /* again, over the results.h5 that is there now */
    expect_command(0, "Everything is in parts/results.h5", "PATH= " T5MPI " report parts");
}

/* parts/results.h5, through which all is seen. */
static void merged_results_are_whole(void **state) {
    t5_error err = {0};
    t5_store_reader *r = NULL;
    char **names = NULL, **a = NULL, **b = NULL;
    int n;
    int64_t n_rows, n_other;
    (void)state;
    assert_int_equal(t5_store_open("parts/results.h5", &r, &err), T5_OK);
    assert_int_equal(t5_store_list(r, "/trials", &names, &n, &err), T5_OK);
    assert_int_equal(n, N_TRIALS);
    for (int t = 0; t < n; t++)
        assert_string_equal(names[t], trials[t]);
    if (t5_store_get_array(r, "/trials/lr1e-02_top40/predictions", "text", T5_COLUMN_TEXT,
                           (void **)&a, &n_rows, &err))
        fail_msg("%s", err.text);
    t5_store_close(r);
    assert_int_equal(t5_store_open("whole/results.h5", &r, &err), T5_OK);
    assert_int_equal(t5_store_get_array(r, "/trials/lr1e-02_top40/predictions", "text",
                                        T5_COLUMN_TEXT, (void **)&b, &n_other, &err),
                     T5_OK);
    t5_store_close(r);
    assert_int_equal(n_rows, n_other);
    for (int64_t i = 0; i < n_rows; i++)
        assert_string_equal(a[i], b[i]);
    free(names);
    free(a);
    free(b);
}

static void parts_answer_and_are_exported(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *const what = i ? "" : ":lr1e-02_top40";
        run_result a = run("head -n 9 data.jsonl | %s predict --model parts%s", T5MPI, what);
        run_result b = run("head -n 9 data.jsonl | %s predict --model whole%s", T5MPI, what);
        expect_status("parts", &a, 0);
        expect_status("whole", &b, 0);
        assert_string_equal(a.output, b.output);
        free(a.output);
        free(b.output);
    }
    expect_command(0, "parts:lr1e-02_top30", T5MPI " export parts:lr1e-02_top30 exported");
    expect_command(2, "parts has no weights of a trial \"none\"",
                   T5MPI " export parts:none exported2");
}

static void parts_are_planned_and_gone_on_with(void **state) {
    (void)state;
    run_result r = run("%s plan s.cfg --part 2/4 --output there", T5MPI);
    expect_status("plan", &r, 0);
    expect_text("plan", &r, "part 2 of 4: 2 of 6 trials");
    expect_text("plan", &r, "results  there/part-2-of-4");
    expect_text("plan", &r, "   1  lr1e+30_all ");
    expect_text("plan", &r, "   2  lr1e+30_top30 ");
    assert_null(strstr(r.output, "lr1e-02"));
    free(r.output);
    expect_nothing("there");
    r = run("%s s.cfg --part 1/2 --resume --output parts", T5MPI);
    expect_status("part 1", &r, 0);
    expect_text("part 1", &r, "3 of 3 trials have ended already and are kept");
    free(r.output);
}

/* ---- what has not ended ---- */

static void missing_parts_are_named(void **state) {
    (void)state;
    run_result r = run("mkdir half && cp -r array/part-1-of-2 half && PATH= %s report half", T5MPI);
    expect_status("half", &r, 0);
    expect_text("half", &r, "lr1e+30_top40  pending    1e+30    40 CE 0.1\n");
    expect_text("half", &r, "lr1e-02_top40  completed");
    expect_text("half", &r,
                "Part 2 of 2 is missing, with 3 trials: there is no "
                "half/part-2-of-2/results.h5\n");
    free(r.output);
    /* the other one comes later */
    r = run("cp -r array/part-2-of-2 half && PATH= %s report half", T5MPI);
    expect_status("half", &r, 0);
    assert_null(strstr(r.output, "missing"));
    assert_null(strstr(r.output, "pending"));
    free(r.output);
}

static void wait_for(const char *path) {
    for (int i = 0; i < 12000 && access(path, F_OK) != 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(access(path, F_OK), 0);
}

static void runs_need_not_have_ended(void **state) {
    static const char *const folders[] = {"broken", "parted/part-1-of-2"};
    static const char *const what[] = {"Unfinished", "Part 1 of 2"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char path[64], run_folder[16], text[128];
        snprintf(path, sizeof path, "%s/results.h5", folders[i]);
        snprintf(run_folder, sizeof run_folder, "%.6s", folders[i]);
        run_result r = run("%s s.cfg --set train.epochs=2000 --output %s %s >/dev/null 2>&1 & "
                           "echo $! > pid",
                           T5MPI, run_folder, i ? "--part 1/2" : "");
        expect_status("starting", &r, 0);
        free(r.output);
        wait_for(path);
        r = run("PATH= %s report %s", T5MPI, run_folder);
        expect_status(what[i], &r, 0);
        snprintf(text, sizeof text, "%s: %d of %d trials have not ended; the run goes on\n",
                 what[i], i ? 3 : 6, i ? 3 : 6);
        expect_text(what[i], &r, text);
        free(r.output);
        r = run("kill -9 $(cat pid); while kill -0 $(cat pid); do sleep 0.01; done");
        free(r.output);
        r = run("%s report %s", T5MPI, run_folder);
        expect_status(what[i], &r, 0);
        snprintf(text, sizeof text,
                 "%s: %d of %d trials have not ended; nobody is at work: --resume goes on", what[i],
                 i ? 3 : 6, i ? 3 : 6);
        expect_text(what[i], &r, text);
        expect_text(what[i], &r, "lr1e-02_all    pending");
        expect_text(what[i], &r, "No plots: no trial has a curve yet");
        free(r.output);
    }
}

/* ---- plots ---- */

static void expect_pictures(const char *where) {
    static const char *const names[] = {"train_loss.png", "val_loss.png", "avg_jaccard.png"};
    for (int i = 0; i < 3; i++) {
        static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
        unsigned char head[8] = {0};
        char path[128];
        snprintf(path, sizeof path, "%s/%s", where, names[i]);
        FILE *f = fopen(path, "r");
        if (!f)
            fail_msg("there is no %s", path);
        assert_int_equal(fread(head, 1, sizeof head, f), sizeof head);
        assert_memory_equal(head, signature, sizeof head);
        assert_int_equal(fseek(f, 0, SEEK_END), 0);
        assert_true(ftell(f) > 2000);
        fclose(f);
    }
}

static void plots_are_pictures(void **state) {
    (void)state;
    run_result r = run("gnuplot --version");
    free(r.output);
    if (r.status != 0) {
        print_message("gnuplot is not installed\n");
        skip();
    }
    expect_command(0, "Plots in figures/plots: train_loss.png, val_loss.png, micro_f1.png\n",
                   T5MPI " report figures");
    expect_command(0, "Plots in here/p: train_loss.png, val_loss.png, avg_jaccard.png\n",
                   T5MPI " report parts --plots here/p");
    expect_pictures("here/p");
    expect_nothing("parts/plots");
    /* names that a shell, or gnuplot, would take for something else */
    r = run("%s o.cfg --output \"q'|\\`touch pwned\\`\"", T5MPI);
    expect_status("odd", &r, 0);
    free(r.output);
    expect_command(0, "Plots in q'|`touch pwned`/plots", T5MPI " report \"q'|\\`touch pwned\\`\"");
    expect_pictures("q'|`touch pwned`/plots");
    expect_nothing("pwned */pwned */*/pwned");
}

/* A program of that name that is not gnuplot, or fails. */
static void plots_may_fail(void **state) {
    static const struct {
        const char *script, *text;
    } bad[] = {
        {"#!/bin/sh\necho 'line 0: no terminal' >&2\nexit 3\n",
         "gnuplot failed with status 3: line 0: no terminal"},
        {"#!/bin/sh\nkill -9 $$\n", "gnuplot was ended by signal 9"},
        {"#!/bin/sh\necho GIF89a\n", "train_loss.png: gnuplot made no PNG picture"},
        {"#!/nowhere/sh\n", "No plots: gnuplot is not installed"},
    };
    (void)state;
    run_result r = run("mkdir bin");
    free(r.output);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text("bin/gnuplot", bad[i].script);
        assert_int_equal(chmod("bin/gnuplot", 0755), 0);
        r = run("PATH=\"$PWD/bin\" %s report whole", T5MPI);
        expect_status(bad[i].text, &r, i < 3);
        expect_text(bad[i].text, &r, bad[i].text);
        tables_of(&r);
        free(r.output);
        expect_nothing("whole/plots");
    }
}

static void nothing_is_written_through_a_link(void **state) {
    (void)state;
    run_result r = run("gnuplot --version");
    free(r.output);
    if (r.status != 0) {
        print_message("gnuplot is not installed\n");
        skip();
    }
    r = run("cp -r whole linked && mkdir elsewhere && ln -s ../elsewhere linked/plots");
    free(r.output);
    expect_command(2, "linked/plots", T5MPI " report linked");
    expect_nothing("elsewhere/*");
}

static void merged_results_may_be_unwritable(void **state) {
    (void)state;
    run_result r = run("cp -r array unwritable && mkdir unwritable/results.h5");
    free(r.output);
    expect_command(2, "unwritable/results.h5: ", T5MPI " report unwritable");
}

/* ---- */

static void write_config(const char *name, const char *rest) {
    char text[4096];
    snprintf(text, sizeof text, "%s%s", common, rest);
    write_text(name, text);
}

static int prepare(void **state) {
    if (make_folder(state))
        return -1;
    write_config("s.cfg", sweep);
    write_config("f.cfg", figures);
    write_config("t.cfg", tree);
    write_config("o.cfg", odd);
    run_result r = run("cp %s/configs/demo/spiece.model . && head -n 200 "
                       "%s/configs/demo/v3like.jsonl > data.jsonl && %s f.cfg --output figures "
                       "> figures.out && %s -np 2 %s t.cfg --output tree > tree.out",
                       T5MPI_SOURCE_DIR, T5MPI_SOURCE_DIR, T5MPI, T5MPI_MPIRUN, T5MPI);
    int status = r.status;
    free(r.output);
    r = run("%s s.cfg --output whole > whole.out; %s s.cfg --part 1/2 --output array; "
            "%s s.cfg --part 2/2 --output array",
            T5MPI, T5MPI, T5MPI);
    free(r.output);
    t5_error err = {0};
    t5_store *s = NULL; /* results of a version that knew no report */
    if (mkdir("old", 0777) || t5_store_create("old/results.h5", &s, &err))
        return -1;
    t5_store_attr_int(s, "/", "schema_version", 1);
    return status || t5_store_commit(s, &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input_is_explained),
        cmocka_unit_test(reports_equal_the_runs_own),
        cmocka_unit_test(parts_equal_the_whole),
        cmocka_unit_test(merged_results_are_whole),
        cmocka_unit_test(parts_answer_and_are_exported),
        cmocka_unit_test(parts_are_planned_and_gone_on_with),
        cmocka_unit_test(missing_parts_are_named),
        cmocka_unit_test(runs_need_not_have_ended),
        cmocka_unit_test(plots_are_pictures),
        cmocka_unit_test(plots_may_fail),
        cmocka_unit_test(nothing_is_written_through_a_link),
        cmocka_unit_test(merged_results_may_be_unwritable),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
