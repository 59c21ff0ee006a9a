/* The command line. Wrong ones are in tests/cli/test_bad_input.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "run/cli.h"
#include <cmocka.h>
#include <string.h>

/* argv is const for the compiler's sake: string literals; the parser does not write to it. */
static t5_cli parse(const char *const *argv, t5_status expected) {
    t5_cli cli;
    t5_error err = {0};
    int argc = 0;
    while (argv[argc])
        argc++;
    assert_int_equal(t5_cli_parse(argc, (char **)(uintptr_t)argv, &cli, &err), expected);
    return cli;
}
#define PARSE(...) parse((const char *[]){"t5mpi", __VA_ARGS__, NULL}, T5_OK)

static void commands(void **state) {
    (void)state;
    t5_cli cli = PARSE("a.cfg");
    assert_int_equal(cli.verb, T5_CLI_RUN);
    assert_string_equal(cli.command.config, "a.cfg");
    assert_null(cli.command.output);
    t5_cli_free(&cli);

    cli = PARSE("run", "--set", "a=1", "a.cfg", "--set=b=2", "--output", "out");
    assert_int_equal(cli.verb, T5_CLI_RUN);
    assert_int_equal(cli.command.n_sets, 2);
    assert_string_equal(cli.command.sets[0], "a=1");
    assert_string_equal(cli.command.sets[1], "b=2");
    assert_string_equal(cli.command.output, "out");
    t5_cli_free(&cli);

    cli = PARSE("plan", "a.cfg");
    assert_int_equal(cli.verb, T5_CLI_PLAN);
    t5_cli_free(&cli);

    cli = PARSE("score", "-", "--top5", "A B");
    assert_int_equal(cli.verb, T5_CLI_SCORE);
    assert_string_equal(cli.file, "-");
    assert_string_equal(cli.top5, "A B");
    t5_cli_free(&cli);
}

static void wrong_options_of_predict(void **state) {
    static const struct {
        const char *arguments[4];
        const char *message;
    } bad[] = {
        {{NULL}, "--model M was expected"},
        {{"texts.txt"}, "--model M was expected"},
        {{"--model"}, "without its value: --model"},
        {{"--model="}, "found nothing"},
        {{"--model", "m", "a", "b"}, "one argument too many: b"},
        {{"--model=m", "--set", "a=b"}, "--set"},
        {{"--model=m", "--output", "o"}, "--output"},
        {{"--model=m", "--beam", "4"}, "--beam"},
        {{"--model=m", "--beams"}, "without its value: --beams"},
        {{"--model=m", "--beams", "0"}, "--beams 0: an integer from 1 to 256 was expected"},
        {{"--model=m", "--beams", "257"}, "--beams 257"},
        {{"--model=m", "--beams="}, "--beams"},
        {{"--model=m", "--beams", " 4"}, "an integer"},
        {{"--model=m", "--beams", "4x"}, "an integer"},
        {{"--model=m", "--beams", "4.0"}, "an integer"},
        {{"--model=m", "--top-k=-1"}, "--top-k -1: an integer from 0 to 1000000000"},
        {{"--model=m", "--top-p", "0"}, "--top-p 0: a number above 0 and at most 1"},
        {{"--model=m", "--top-p", "1.01"}, "--top-p 1.01"},
        {{"--model=m", "--top-p", "nan"}, "--top-p nan"},
        {{"--model=m", "--temperature", "0"}, "--temperature 0: a number above 0 was expected"},
        {{"--model=m", "--temperature", "-1"}, "--temperature -1"},
        {{"--model=m", "--temperature", "inf"}, "--temperature inf"},
        {{"--model=m", "--temperature", "1e300"}, "--temperature 1e300"},
        {{"--model=m", "--temperature", "1e-300"}, "--temperature 1e-300"},
        {{"--model=m", "--temperature", "0,5"}, "--temperature 0,5"},
        {{"--model=m", "--repetition-penalty", "0"}, "--repetition-penalty 0"},
        {{"--model=m", "--repetition-penalty", "x"}, "--repetition-penalty x"},
        {{"--model=m", "--seed", "-1"}, "--seed -1: an integer from 0"},
        {{"--model=m", "--seed", "9223372036854775808"}, "--seed"},
        {{"--model=m", "--max-length", "0"}, "--max-length 0: an integer from 1 to 65536"},
        {{"--model=m", "--max-length", "99999999999"}, "--max-length"},
        {{"--model=m", "--batch-size", "0"}, "--batch-size 0: an integer from 1 to 65536"},
        {{"--model=m", "--threads", "-2"}, "--threads -2: an integer from 0 to 4096"},
        {{"--model=m", "--device=tpu"}, "--device tpu: auto, cpu or cuda was expected"},
        {{"--model=m", "--sample=yes"}, "--sample=yes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *argv[7] = {"t5mpi", "predict"};
        t5_cli cli;
        t5_error err = {0};
        int argc = 2;
        for (int k = 0; k < 4 && bad[i].arguments[k]; k++)
            argv[argc++] = bad[i].arguments[k];
        assert_int_equal(t5_cli_parse(argc, (char **)(uintptr_t)argv, &cli, &err), T5_ERR_INPUT);
        if (!strstr(err.text, bad[i].message))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.text, bad[i].message);
        assert_int_equal(cli.verb, T5_CLI_PREDICT); /* so that no MPI is started to say it */
        t5_cli_free(&cli);
    }
}

static void predict_takes_its_options(void **state) {
    (void)state;
    t5_cli cli = PARSE("predict", "--model", "m");
    assert_int_equal(cli.verb, T5_CLI_PREDICT);
    assert_string_equal(cli.predict.model, "m");
    assert_null(cli.predict.file);
    assert_true(cli.predict.beams == 0 && !cli.predict.sample && cli.predict.top_k == -1);
    assert_true(cli.predict.seed == -1 && cli.predict.top_p == 0 && cli.predict.batch_size == 32);
    t5_cli_free(&cli);

    cli = PARSE("predict", "--sample", "-", "--top-k", "0", "--top-p=0.5", "--temperature", "1e-2",
                "--repetition-penalty", ".9", "--seed", "9223372036854775807", "--max-length=7",
                "--batch-size", "65536", "--threads", "3", "--device", "cuda", "--jsonl",
                "--model=runs/a:b", "--beams", "256");
    const t5_predict_options *o = &cli.predict;
    assert_string_equal(o->model, "runs/a:b");
    assert_string_equal(o->file, "-");
    assert_true(o->sample && o->jsonl && o->top_k == 0 && o->top_p == 0.5);
    assert_true(o->temperature == 0.01 && o->repetition_penalty == 0.9 && o->seed == INT64_MAX);
    assert_true(o->max_length == 7 && o->batch_size == 65536 && o->threads == 3);
    assert_int_equal(o->beams, 256);
    t5_cli_free(&cli);
}

static void export_takes_two_arguments(void **state) {
    (void)state;
    t5_cli cli;
    t5_error err = {0};
    const char *none[] = {"t5mpi", "export", NULL}, *one[] = {"t5mpi", "export", "a", NULL};
    const char *three[] = {"t5mpi", "export", "a", "b", "c", NULL};
    assert_int_equal(t5_cli_parse(2, (char **)(uintptr_t)none, &cli, &err), T5_ERR_INPUT);
    t5_cli_free(&cli);
    err = (t5_error){0};
    assert_int_equal(t5_cli_parse(3, (char **)(uintptr_t)one, &cli, &err), T5_ERR_INPUT);
    assert_non_null(strstr(err.text, "a folder to write to"));
    t5_cli_free(&cli);
    err = (t5_error){0};
    assert_int_equal(t5_cli_parse(5, (char **)(uintptr_t)three, &cli, &err), T5_ERR_INPUT);
    assert_non_null(strstr(err.text, "one argument too many: c"));
    t5_cli_free(&cli);
    cli = PARSE("export", "runs/a:b", "out");
    assert_int_equal(cli.verb, T5_CLI_EXPORT);
    assert_string_equal(cli.model, "runs/a:b");
    assert_string_equal(cli.directory, "out");
    t5_cli_free(&cli);
}

static void help_and_version(void **state) {
    (void)state;
    t5_cli cli = PARSE("--help");
    assert_int_equal(cli.verb, T5_CLI_HELP);
    assert_int_equal(cli.about, T5_CLI_HELP);
    cli = PARSE("--version");
    assert_int_equal(cli.verb, T5_CLI_VERSION);
    cli = PARSE("score", "--help");
    assert_int_equal(cli.verb, T5_CLI_HELP);
    assert_int_equal(cli.about, T5_CLI_SCORE);
    assert_non_null(strstr(t5_cli_help(cli.about), "--top5"));
    t5_cli_free(&cli);
    cli = PARSE("predict", "--help");
    assert_int_equal(cli.verb, T5_CLI_HELP);
    assert_int_equal(cli.about, T5_CLI_PREDICT);
    const char *text = t5_cli_help(cli.about);
    for (int i = 0; t5_predict_option_name(i); i++)
        assert_non_null(strstr(text, t5_predict_option_name(i)));
    t5_cli_free(&cli);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_options_of_predict),  cmocka_unit_test(commands),
        cmocka_unit_test(predict_takes_its_options), cmocka_unit_test(export_takes_two_arguments),
        cmocka_unit_test(help_and_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
