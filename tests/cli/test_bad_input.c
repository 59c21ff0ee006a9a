/* Wrong command lines, configurations, data and tokenisers: each with the message that a user must
 * see, exit status 2, and nothing written. The modules' own tests have many more; these show that
 * the messages reach the screen. */
#include "cli/program.h"

static const char good_config[] =
    "model: { preset = \"tiny\"; tokenizer = \"spiece.model\"; }\n"
    "data: { path = \"data.jsonl\"; input = \"sns_text\"; target = \"emoji_string\"; }\n"
    "train: { epochs = 1; early_stopping_patience = 0; }\n"
    "output: { dir = \"out\"; }\n";
static const char good_rows[] = "{\"sns_text\": \"aaa\", \"emoji_string\": \"X Y\"}\n"
                                "{\"sns_text\": \"bbb\", \"emoji_string\": \"X\"}\n";

typedef struct bad {
    const char *arguments; /* of t5mpi, "good.cfg" is fine as such */
    const char *line;      /* appended to good.cfg as bad.cfg, or NULL */
    const char *rows;      /* data.jsonl, or NULL: good rows */
    const char *expected;
} bad;

#define ROW "{\"sns_text\": \"aaa\", \"emoji_string\": \"X Y\"}\n"

static const bad table[] = {
    /* command line */
    {"", NULL, NULL, "a configuration file was expected"},
    {"--nonsense", NULL, NULL, "--nonsense"},
    {"run", NULL, NULL, "a configuration file"},
    {"plan", NULL, NULL, "a configuration file"},
    {"score", NULL, NULL, "a JSON Lines file"},
    {"good.cfg other.cfg", NULL, NULL, "one argument too many: other.cfg"},
    {"good.cfg --set", NULL, NULL, "without its value: --set"},
    {"good.cfg --output", NULL, NULL, "without its value: --output"},
    {"good.cfg --output=", NULL, NULL, "a folder was expected"},
    {"good.cfg --device tpu", NULL, NULL, "--device tpu: auto, cpu or cuda was expected"},
    {"good.cfg --device cpu --set train.precision=tf32", NULL, NULL,
     "train.precision = \"tf32\" is for GPUs"},
    {"score rows.jsonl --set a=b", NULL, NULL, "--set"},
    {"missing.cfg", NULL, NULL, "missing.cfg"},
    {".", NULL, NULL, "t5mpi: ."},
    {"score missing.jsonl", NULL, NULL, "missing.jsonl"},
    {"good.cfg --set train.epochs=none", NULL, NULL, "train.epochs"},
    {"good.cfg --set train.epoch=3", NULL, NULL, "train.epoch"},
    {"good.cfg --set nothing", NULL, NULL, "nothing"},
    {"good.cfg --output good.cfg/out", NULL, NULL, "good.cfg is not a folder"},
    /* configuration: file, line and key are named */
    {"bad.cfg", "train2: { }", NULL, "bad.cfg:5: train2"},
    {"bad.cfg", "sweep: { learning_rate = [0.0]; };", NULL, "bad.cfg:5: sweep.learning_rate"},
    {"bad.cfg", "sweep: { learning_rate = [\"x\"]; };", NULL, "bad.cfg:5: sweep.learning_rate"},
    {"bad.cfg", "sweep: { top_n = [-1]; };", NULL, "bad.cfg:5: sweep.top_n"},
    {"bad.cfg", "sweep: { loss = ( { type = \"huber\"; } ); };", NULL, "huber"},
    {"bad.cfg", "sweep: { learning_rate = []; };", NULL, "sweep.learning_rate"},
    {"bad.cfg", "plan: ( { set: { top_n = 3; }; } );", NULL, "name"},
    {"bad.cfg", "plan: ( { name = \"a\"; improved = \"b\"; } );", NULL, "\"b\""},
    {"bad.cfg", "plan: ( { name = \"a\"; }, { name = \"a\"; } );", NULL, "\"a\""},
    {"bad.cfg", "plan: ( { name = \"../a\"; } );", NULL, "../a"},
    {"bad.cfg", "parallel: { ranks_per_trial = 3; };", NULL, "ranks_per_trial"},
    {"bad.cfg", "parallel: { threads = -2; };", NULL, "bad.cfg:5: parallel.threads"},
    {"bad.cfg", "baseline: { trial = \"nobody\"; };", NULL, "nobody"},
    {"bad.cfg", "baseline: { happiness = 1.0; };", NULL, "happiness"},
    {"bad.cfg", "goals: { avg_jaccard = 2.0; };", NULL, "bad.cfg:5: goals.avg_jaccard"},
    {"bad.cfg", "eval: { decode = \"guess\"; };", NULL, "bad.cfg:5: eval.decode"},
    {"bad.cfg", "eval: { decode = \"beam\"; beams = 1; };", NULL, "beams"},
    {"bad.cfg", "this is not libconfig", NULL, "bad.cfg:5"},
    {"good.cfg --set data.split=[0.5,0.1,0.1]", NULL, NULL, "data.split"},
    {"good.cfg --set model.path=x", NULL, NULL, "model.path"},
    {"good.cfg --set model.preset=huge", NULL, NULL, "huge"},
    {"good.cfg --set model.d_model=0", NULL, NULL, "model.d_model"},
    {"good.cfg --set train.precision=fp16", NULL, NULL, "fp16"},
    {"good.cfg --set train.dropout=1.0", NULL, NULL, "train.dropout"},
    /* data: file and line are named */
    {"good.cfg --set data.path=nowhere.jsonl", NULL, NULL, "nowhere.jsonl"},
    {"good.cfg --set data.input=text", NULL, NULL, "data.jsonl:1: "},
    {"good.cfg", NULL, "", "no rows"},
    {"good.cfg", NULL, ROW "{\"sns_text\": \"aaa\"", "data.jsonl:2: "},
    {"good.cfg", NULL, ROW "[1]\n", "data.jsonl:2: "},
    {"good.cfg", NULL, ROW ROW "{\"sns_text\": \"aaa\"}\n", "data.jsonl:3: "},
    {"good.cfg", NULL, "{\"sns_text\": 3, \"emoji_string\": \"X\"}\n", "data.jsonl:1: "},
    {"good.cfg", NULL, "{\"sns_text\": \"\", \"emoji_string\": \"X\"}\n", "data.jsonl:1: "},
    {"good.cfg", NULL, "{\"sns_text\": \"a\", \"emoji_string\": \" \"}\n", "data.jsonl:1: "},
    {"good.cfg", NULL, "{\"sns_text\": \"\xff\", \"emoji_string\": \"X\"}\n", "data.jsonl:1: "},
    {"good.cfg", NULL, "{\"sns_text\": null, \"emoji_string\": \"X\"}\n", "data.jsonl:1: "},
    /* tokeniser */
    {"good.cfg --set model.tokenizer=none.model", NULL, NULL, "none.model"},
    {"good.cfg --set model.tokenizer=good.cfg", NULL, NULL, "good.cfg"},
    {"good.cfg --set model.tokenizer=empty.model", NULL, NULL, "empty.model"},
    {"score bad.jsonl", NULL, NULL, "bad.jsonl:1: "},
};

static void copy_tokenizer(void) {
    run_result r = run("cp %s/configs/demo/spiece.model .", T5MPI_SOURCE_DIR);
    expect_status("cp", &r, 0);
    free(r.output);
}

static void every_bad_input_is_explained(void **state) {
    char config[2048];
    (void)state;
    copy_tokenizer();
    write_text("good.cfg", good_config);
    write_text("empty.model", "");
    write_text("bad.jsonl", "{\"gold\": \"X\"}\n");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const bad *b = &table[i];
        snprintf(config, sizeof config, "%s%s\n", good_config, b->line ? b->line : "");
        write_text("bad.cfg", config);
        write_text("data.jsonl", b->rows ? b->rows : good_rows);
        run_result r = run("%s %s", T5MPI, b->arguments);
        expect_status(b->arguments, &r, 2);
        expect_text(b->arguments, &r, b->expected);
        expect_text(b->arguments, &r, "t5mpi: ");
        if (access("out", F_OK) == 0)
            fail_msg("%s %s: left an output folder behind", b->arguments, b->line ? b->line : "");
        free(r.output);
    }
}

static void bad_rows_can_be_skipped(void **state) {
    (void)state;
    write_text("good.cfg", good_config);
    write_text("data.jsonl", ROW ROW "rubbish\n" ROW ROW ROW ROW ROW ROW ROW ROW);
    run_result r = run("%s plan good.cfg --set data.skip_bad_rows=true", T5MPI);
    expect_status("skip_bad_rows", &r, 0);
    expect_text("skip_bad_rows", &r, "10 rows");
    expect_text("skip_bad_rows", &r, "1 bad");
    expect_text("skip_bad_rows", &r, "line 3");
    free(r.output);
}

static void one_rank_speaks_for_all(void **state) {
    (void)state;
    run_result r = run("%s -np 2 %s missing.cfg", T5MPI_MPIRUN, T5MPI);
    expect_status("mpirun", &r, 2);
    char *first = strstr(r.output, "t5mpi: ");
    assert_non_null(first);
    assert_null(strstr(first + 1, "t5mpi: "));
    free(r.output);
}

static void results_are_not_overwritten(void **state) {
    (void)state;
    write_text("good.cfg", good_config);
    write_text("data.jsonl", ROW ROW ROW ROW ROW ROW ROW ROW ROW ROW ROW ROW);
    run_result r = run("%s good.cfg --set parallel.threads=1", T5MPI);
    expect_status("first run", &r, 0);
    free(r.output);
    r = run("cp out/results.h5 before.h5 && %s good.cfg", T5MPI);
    expect_status("second run", &r, 2);
    expect_text("second run", &r, "out/results.h5");
    expect_text("second run", &r, "--output");
    free(r.output);
    r = run("cmp out/results.h5 before.h5");
    expect_status("cmp", &r, 0);
    free(r.output);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_input_is_explained),
        cmocka_unit_test(bad_rows_can_be_skipped),
        cmocka_unit_test(one_rank_speaks_for_all),
        cmocka_unit_test(results_are_not_overwritten),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
