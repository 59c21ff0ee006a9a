/* The texts of --help. */
#include "run/cli.h"

static const char run[] =
    "usage: [mpirun -np N] t5mpi [run] CONFIG [--output DIR] [--set PATH=VALUE]...\n"
    "           [--device auto|cpu|cuda] [--part I/N] [--resume [--retry-failed]]\n"
    "\n"
    "Trains every trial of the sweep or plan in CONFIG and writes DIR/results.h5.\n"
    "  --resume          goes on in a folder with results: trials that have ended are kept\n"
    "  --retry-failed    with --resume: those that failed are trained again\n"
    "  --output DIR      instead of output.dir; without --resume it must not hold results yet\n"
    "  --set PATH=VALUE  overrides a key of CONFIG, e.g. --set train.epochs=3\n"
    "  --part I/N        only every N-th trial of a sweep, from the I-th on, into "
    "DIR/part-I-of-N:\n"
    "                    for N jobs beside each other; `t5mpi report DIR` puts them together\n"
    "  --device KIND     auto: a GPU for each rank where there are some, else the CPU; cpu; cuda\n"
    "docs/config.md lists every key.\n";

static const char plan[] =
    "usage: t5mpi plan CONFIG [--set PATH=VALUE]... [--part I/N]\n"
    "\n"
    "Shows what would run: data, trials, groups of ranks, memory. Trains and writes nothing.\n"
    "Under mpirun -np N it shows the plan for N ranks.\n";

static const char score[] =
    "usage: t5mpi score FILE [--top5 \"A B C D E\"]\n"
    "\n"
    "Reads JSON Lines with the strings `gold` and `pred` and prints the metrics as one JSON "
    "object.\n"
    "  FILE    - reads standard input\n"
    "  --top5  the labels that the diversity counts as the most frequent ones; without it,\n"
    "          the five most frequent gold labels of FILE\n";

static const char predict[] =
    "usage: t5mpi predict --model M [FILE] [options]\n"
    "\n"
    "Reads a text a line and prints the model's answer to each, a line each, in the same order.\n"
    "  --model M   a run's folder (its best trial), RUN:TRIAL, or a Hugging Face directory\n"
    "  FILE        without it, or -: standard input; answers come as soon as texts do\n"
    "\n"
    "How it answers; without these, as the model says (generation_config.json):\n"
    "  --beams N               beam search; 1: greedily\n"
    "  --sample                draws the tokens, with\n"
    "    --temperature T         that divides the logits\n"
    "    --top-k K               from the K likeliest tokens only; 0: from all\n"
    "    --top-p P               from the fewest tokens that have probability P together\n"
    "    --seed S                another seed, other answers\n"
    "  --repetition-penalty R  above 1: tokens that are there already become less likely\n"
    "  --max-length N          tokens of an answer at most\n"
    "\n"
    "  --jsonl         JSON objects instead: input, output, score, settings\n"
    "  --batch-size N  texts answered together at most (32)\n"
    "  --threads N     0: as many as there are cores that it may use\n"
    "  --device KIND   auto: a GPU where there is one; cpu; cuda\n"
    "docs/predict.md says more.\n";

static const char report[] =
    "usage: t5mpi report RUN [--plots DIR]\n"
    "\n"
    "Prints the tables of a run again, from RUN/results.h5 and the trials' files alone: also of a "
    "run\n"
    "that goes on or was broken off. Exit status 0 whatever became of the trials.\n"
    "  RUN          a run's folder; if it holds parts (run --part), they are put together, and\n"
    "               RUN/results.h5 is written, through which all trials are seen\n"
    "  --plots DIR  where gnuplot, if it is installed, draws the losses and the deciding metric "
    "of\n"
    "               every trial (RUN/plots)\n"
    "docs/results.md says more.\n";

static const char export[] =
    "usage: t5mpi export RUN[:TRIAL] DIR\n"
    "\n"
    "Writes a trial's best weights as a Hugging Face directory: config.json, "
    "generation_config.json,\n"
    "model.safetensors, the tokeniser with the labels, and a model card.\n"
    "  RUN    a run's folder (it holds results.h5): its best trial by baseline.metric on the\n"
    "         validation split, or the one that TRIAL names\n"
    "  DIR    a new or an empty folder\n"
    "docs/export.md says more.\n";

static const char all[] =
    "usage: t5mpi [run] CONFIG [options]     train a sweep or an experiment plan\n"
    "       t5mpi plan CONFIG [options]      show what would run\n"
    "       t5mpi score FILE                 metrics of anybody's answers\n"
    "       t5mpi predict --model M [FILE]   answer texts, a line each\n"
    "       t5mpi report RUN                 tables and plots of a run again\n"
    "       t5mpi export RUN[:TRIAL] DIR     a trained model as a Hugging Face directory\n"
    "       t5mpi --version\n"
    "       t5mpi COMMAND --help\n"
    "\n"
    "  mpirun -np 4 t5mpi sweep.cfg          four ranks, trials side by side\n"
    "\n"
    "Exit status: 0 every trial completed; 1 some trial failed, or its weights could\n"
    "not be written, or the job broke off;\n"
    "2 the command line, the configuration or the data are wrong, nothing was started;\n"
    "75 stopped by a signal after a checkpoint: run it again with --resume.\n";

const char *t5_cli_help(t5_cli_verb about) {
    switch (about) {
    case T5_CLI_RUN:
        return run;
    case T5_CLI_PLAN:
        return plan;
    case T5_CLI_SCORE:
        return score;
    case T5_CLI_PREDICT:
        return predict;
    case T5_CLI_REPORT:
        return report;
    case T5_CLI_EXPORT:
        return export;
    default:
        return all;
    }
}
