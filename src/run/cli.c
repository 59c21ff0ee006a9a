#include "run/cli.h"
#include <stdlib.h>
#include <string.h>

typedef struct verb {
    const char *name;
    t5_cli_verb verb;
    const char *argument; /* what its one argument is */
} verb;

static const verb verbs[] = {
    {"run", T5_CLI_RUN, "a configuration file"},
    {"plan", T5_CLI_PLAN, "a configuration file"},
    {"score", T5_CLI_SCORE, "a JSON Lines file (or - for standard input)"},
};

const char *t5_cli_help(t5_cli_verb about) {
    switch (about) {
    case T5_CLI_RUN:
        return "usage: [mpirun -np N] t5mpi [run] CONFIG [--output DIR] [--set PATH=VALUE]... "
               "[--device auto|cpu]\n"
               "\n"
               "Trains every trial of the sweep or plan in CONFIG and writes DIR/results.h5.\n"
               "  --output DIR      instead of output.dir; must not hold results yet\n"
               "  --set PATH=VALUE  overrides a key of CONFIG, e.g. --set train.epochs=3\n"
               "  --device KIND     this build trains on the CPU\n"
               "docs/config.md lists every key.\n";
    case T5_CLI_PLAN:
        return "usage: t5mpi plan CONFIG [--set PATH=VALUE]...\n"
               "\n"
               "Shows what would run: data, trials, groups of ranks, memory. Trains and writes "
               "nothing.\n"
               "Under mpirun -np N it shows the plan for N ranks.\n";
    case T5_CLI_SCORE:
        return "usage: t5mpi score FILE [--top5 \"A B C D E\"]\n"
               "\n"
               "Reads JSON Lines with the strings `gold` and `pred` and prints the metrics as one "
               "JSON object.\n"
               "  FILE    - reads standard input\n"
               "  --top5  the labels that the diversity counts as the most frequent ones; without "
               "it,\n"
               "          the five most frequent gold labels of FILE\n";
    default:
        return "usage: t5mpi [run] CONFIG [options]    train a sweep or an experiment plan\n"
               "       t5mpi plan CONFIG [options]     show what would run\n"
               "       t5mpi score FILE                metrics of anybody's answers\n"
               "       t5mpi --version\n"
               "       t5mpi COMMAND --help\n"
               "\n"
               "  mpirun -np 4 t5mpi sweep.cfg         four ranks, trials side by side\n"
               "\n"
               "Exit status: 0 every trial completed; 1 some trial failed, or the job broke off;\n"
               "2 the command line, the configuration or the data are wrong, nothing was "
               "started.\n";
    }
}

static t5_status bad_usage(t5_error *err, const char *what, const char *arg) {
    return t5_fail(err, T5_ERR_INPUT, "%s: %s (try: t5mpi --help)", what, arg);
}

/* The value of an option, as --name VALUE or --name=VALUE. NULL: argv[*i] is another option. */
static const char *option(int argc, char **argv, int *i, const char *name, t5_error *err) {
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0 || (argv[*i][n] != 0 && argv[*i][n] != '='))
        return NULL;
    if (argv[*i][n] == '=')
        return argv[*i] + n + 1;
    if (*i + 1 >= argc) {
        bad_usage(err, "an option without its value", name);
        return NULL;
    }
    return argv[++*i];
}

static t5_status take_device(const char *kind, t5_error *err) {
    if (strcmp(kind, "auto") == 0 || strcmp(kind, "cpu") == 0)
        return T5_OK;
    if (strcmp(kind, "cuda") == 0)
        return t5_fail(err, T5_ERR_INPUT,
                       "--device cuda: this build has no CUDA backend; "
                       "use --device cpu");
    return t5_fail(err, T5_ERR_INPUT, "--device %s: auto or cpu was expected", kind);
}

static t5_status take_option(int argc, char **argv, int *i, t5_cli *cli, const char **sets,
                             t5_error *err) {
    const char *arg = argv[*i], *value;
    bool trains = cli->verb == T5_CLI_RUN, configured = trains || cli->verb == T5_CLI_PLAN;

    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
        cli->about = cli->verb;
        cli->verb = T5_CLI_HELP;
    } else if (configured && (value = option(argc, argv, i, "--set", err))) {
        sets[cli->command.n_sets++] = value;
    } else if (configured && (value = option(argc, argv, i, "--output", err))) {
        if (!*value)
            return bad_usage(err, "--output", "a folder was expected, found nothing");
        cli->command.output = value;
    } else if (configured && (value = option(argc, argv, i, "--device", err))) {
        return take_device(value, err);
    } else if (cli->verb == T5_CLI_SCORE && (value = option(argc, argv, i, "--top5", err))) {
        cli->top5 = value;
    } else if (err->status == T5_OK) {
        return bad_usage(err, "an option that this command does not have", arg);
    }
    return err->status;
}

static const verb *find_verb(const char *name) {
    for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++)
        if (strcmp(verbs[v].name, name) == 0)
            return &verbs[v];
    return NULL;
}

t5_status t5_cli_parse(int argc, char **argv, t5_cli *cli, t5_error *err) {
    const char *argument = NULL;
    const verb *v = argc > 1 ? find_verb(argv[1]) : NULL;
    int i = v ? 2 : 1;

    *cli = (t5_cli){.verb = v ? v->verb : T5_CLI_RUN, .about = T5_CLI_HELP};
    if (argc == 1 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "--version") == 0) {
        cli->verb = argc > 1 && strcmp(argv[1], "--version") == 0 ? T5_CLI_VERSION : T5_CLI_HELP;
        return argc == 1 ? bad_usage(err, "no command", "a configuration file was expected")
                         : T5_OK;
    }
    const char **sets = calloc((size_t)argc, sizeof *sets);
    if (!sets)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the command line");
    cli->command.sets = sets;
    for (; i < argc && err->status == T5_OK && cli->verb != T5_CLI_HELP; i++) {
        if (argv[i][0] == '-' && argv[i][1] != 0)
            take_option(argc, argv, &i, cli, sets, err);
        else if (argument)
            bad_usage(err, "one argument too many", argv[i]);
        else
            argument = argv[i];
    }
    if (err->status == T5_OK && cli->verb != T5_CLI_HELP && !argument)
        bad_usage(err, v ? v->name : "run", v ? v->argument : verbs[0].argument);
    cli->command.config = cli->file = argument;
    return err->status;
}

void t5_cli_free(t5_cli *cli) {
    free((void *)(uintptr_t)cli->command.sets);
    cli->command.sets = NULL;
}
