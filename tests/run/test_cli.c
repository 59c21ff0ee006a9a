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
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(commands),
                                       cmocka_unit_test(help_and_version)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
