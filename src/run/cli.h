/* The command line, parsed. */
#ifndef T5_RUN_CLI_H
#define T5_RUN_CLI_H
#include "run/sweep.h"
#include "saved/predict_options.h"

typedef enum {
    T5_CLI_HELP,
    T5_CLI_VERSION,
    T5_CLI_RUN,
    T5_CLI_PLAN,
    T5_CLI_SCORE,
    T5_CLI_PREDICT,
    T5_CLI_EXPORT,
    T5_CLI_REPORT
} t5_cli_verb;

typedef struct t5_cli {
    t5_cli_verb verb;
    t5_cli_verb about; /* --help of which command; T5_CLI_HELP: of all */
    t5_command command;
    const char *file; /* score */
    const char *top5; /* score --top5 */
    t5_predict_options predict;
    const char *model;     /* export: RUN or RUN:TRIAL */
    const char *directory; /* export: where to */
    const char *run;       /* report */
    const char *plots;     /* report --plots, or NULL */
} t5_cli;

/* T5_ERR_INPUT: names the argument and what is allowed. cli points into argv; free with
 * t5_cli_free. */
t5_status t5_cli_parse(int argc, char **argv, t5_cli *cli, t5_error *err);
void t5_cli_free(t5_cli *cli);

/* The text of --help. */
const char *t5_cli_help(t5_cli_verb about);

#endif
