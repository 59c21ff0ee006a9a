#include "run/cli.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGUMENTS = 2 };

typedef struct verb {
    const char *name;
    t5_cli_verb verb;
    int least, most;       /* arguments */
    const char *arguments; /* what they are */
} verb;

static const verb verbs[] = {
    {"run", T5_CLI_RUN, 1, 1, "a configuration file"},
    {"plan", T5_CLI_PLAN, 1, 1, "a configuration file"},
    {"score", T5_CLI_SCORE, 1, 1, "a JSON Lines file (or - for standard input)"},
    {"predict", T5_CLI_PREDICT, 0, 1, "a file with a text a line"},
    {"report", T5_CLI_REPORT, 1, 1, "a run's folder"},
    {"export", T5_CLI_EXPORT, 2, 2, "a run (RUN or RUN:TRIAL) and a folder to write to"},
};

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

static t5_status take_predict_option(int argc, char **argv, int *i, t5_predict_options *o,
                                     t5_error *err) {
    const char *arg = argv[*i], *value, *name;

    if (strcmp(arg, "--sample") == 0) {
        o->sample = true;
    } else if (strcmp(arg, "--jsonl") == 0) {
        o->jsonl = true;
    } else if ((value = option(argc, argv, i, "--model", err))) {
        if (!*value)
            return bad_usage(err, "--model", "a model was expected, found nothing");
        o->model = value;
    } else if ((value = option(argc, argv, i, "--device", err))) {
        return t5_use_parse(value, &o->device, err);
    } else {
        for (int k = 0; (name = t5_predict_option_name(k)) && err->status == T5_OK; k++)
            if ((value = option(argc, argv, i, name, err)))
                return t5_predict_option_set(o, k, value, err);
        if (err->status == T5_OK)
            bad_usage(err, "an option that this command does not have", arg);
    }
    return err->status;
}

static t5_status take_option(int argc, char **argv, int *i, t5_cli *cli, const char **sets,
                             t5_error *err) {
    const char *arg = argv[*i], *value;
    bool trains = cli->verb == T5_CLI_RUN, configured = trains || cli->verb == T5_CLI_PLAN;

    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
        cli->about = cli->verb;
        cli->verb = T5_CLI_HELP;
    } else if (cli->verb == T5_CLI_PREDICT) {
        return take_predict_option(argc, argv, i, &cli->predict, err);
    } else if (trains && strcmp(arg, "--resume") == 0) {
        cli->command.resume = true;
    } else if (trains && strcmp(arg, "--retry-failed") == 0) {
        cli->command.retry_failed = true;
    } else if (configured && (value = option(argc, argv, i, "--set", err))) {
        sets[cli->command.n_sets++] = value;
    } else if (configured && (value = option(argc, argv, i, "--output", err))) {
        if (!*value)
            return bad_usage(err, "--output", "a folder was expected, found nothing");
        cli->command.output = value;
    } else if (configured && (value = option(argc, argv, i, "--device", err))) {
        return t5_use_parse(value, &cli->command.device, err);
    } else if (configured && (value = option(argc, argv, i, "--part", err))) {
        return t5_part_parse(value, &cli->command.part, err);
    } else if (cli->verb == T5_CLI_REPORT && (value = option(argc, argv, i, "--plots", err))) {
        if (!*value)
            return bad_usage(err, "--plots", "a folder was expected, found nothing");
        cli->plots = value;
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

/* What the arguments are, once all are there. */
static t5_status place_arguments(t5_cli *cli, const verb *v, int n, const char *const *argument,
                                 t5_error *err) {
    if (n < v->least)
        return bad_usage(err, v->name, v->arguments);
    cli->command.config = cli->file = argument[0];
    cli->predict.file = cli->model = cli->run = argument[0];
    cli->directory = argument[1];
    if (cli->command.retry_failed && !cli->command.resume)
        return bad_usage(err, "--retry-failed", "it goes with --resume");
    if (cli->verb == T5_CLI_PREDICT && !cli->predict.model)
        return bad_usage(err, v->name, "--model M was expected");
    return T5_OK;
}

t5_status t5_cli_parse(int argc, char **argv, t5_cli *cli, t5_error *err) {
    const char *argument[MAX_ARGUMENTS] = {NULL};
    const verb *v = argc > 1 ? find_verb(argv[1]) : NULL;
    int i = v ? 2 : 1, n = 0;

    if (!v)
        v = &verbs[0]; /* run need not be said */
    *cli = (t5_cli){.verb = v->verb, .about = T5_CLI_HELP, .predict = t5_predict_defaults};
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
        else if (n == v->most)
            bad_usage(err, "one argument too many", argv[i]);
        else
            argument[n++] = argv[i];
    }
    if (err->status == T5_OK && cli->verb != T5_CLI_HELP)
        place_arguments(cli, v, n, argument, err);
    return err->status;
}

void t5_cli_free(t5_cli *cli) {
    free((void *)(uintptr_t)cli->command.sets);
    cli->command.sets = NULL;
}
