#include "bench.h"

#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static void usage(FILE *out) {
    fputs(
        "usage: t5bench [--device cpu|cuda] [--size small|base] [--precision fp32|tf32|bf16]\n"
        "               [--threads N] [--rows N] [--steps N] [--rounds N] [--side N] [--data DIR]\n"
        "               [--vocab N] [--join N] [--input N] [--target N] [--profile]\n"
        "       t5bench --evaluate [--tokens N] [the same, but no --profile]\n"
        "       t5bench --dump [what a row and a batch is]\n"
        "N is at least 1. Defaults: cpu, small, fp32, the cores it may use, 16 rows, 8 steps, 7 "
        "rounds, 32 tokens,\nvocabulary of 32128.\n"
        "--join: a row is N of the data set, one behind the other. --input, --target: exactly N "
        "tokens a row.\n"
        "--side: of the matrices whose product is the peak. --data: v3like.jsonl and spiece.model "
        "are there.\n",
        out);
}

static int own_cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* What the option with the letter c sets; NULL: it takes no number. */
static int *number_of(bench_options *o, int c) {
    const struct {
        int c, *number;
    } numbers[] = {{'t', &o->threads}, {'r', &o->rows},  {'n', &o->steps}, {'o', &o->rounds},
                   {'k', &o->tokens},  {'i', &o->side},  {'V', &o->vocab}, {'j', &o->join},
                   {'I', &o->input},   {'T', &o->target}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].c == c)
            return numbers[i].number;
    return NULL;
}

/* An option with a word. */
static bool take_word(bench_options *o, int c, const char *word) {
    static const char *const words[] = {"s small", "s base", "p fp32", "p tf32",
                                        "p bf16",  "v cpu",  "v cuda"};
    const char key[] = {(char)c, ' ', 0};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(words[i], key, 2) == 0 && strcmp(words[i] + 2, word) == 0) {
            o->base = c == 's' ? word[0] == 'b' : o->base;
            o->bf16 = c == 'p' ? word[0] == 'b' : o->bf16;
            o->tf32 = c == 'p' ? word[0] == 't' : o->tf32;
            o->cuda = c == 'v' ? word[1] == 'u' : o->cuda;
            return true;
        }
    return false;
}

/* One option; false: it is wrong. */
static bool take(bench_options *o, int c, const char *text) {
    const int n = text ? atoi(text) : 0;
    int *number = number_of(o, c);
    if (strchr("spv", c) && take_word(o, c, text))
        return true;
    if (c == 'D')
        o->data = text;
    else if (c == 'f')
        o->profile = true;
    else if (c == 'e')
        o->evaluate = true;
    else if (c == 'd')
        o->dump = true;
    else if (number && n >= 1 && n <= (c == 'V' ? 1 << 20 : 1 << 14))
        *number = n;
    else
        return false;
    return true;
}

int bench_options_parse(int argc, char **argv, bench_options *o) {
    static const struct option known[] = {{"size", required_argument, NULL, 's'},
                                          {"precision", required_argument, NULL, 'p'},
                                          {"threads", required_argument, NULL, 't'},
                                          {"rows", required_argument, NULL, 'r'},
                                          {"steps", required_argument, NULL, 'n'},
                                          {"rounds", required_argument, NULL, 'o'},
                                          {"profile", no_argument, NULL, 'f'},
                                          {"evaluate", no_argument, NULL, 'e'},
                                          {"dump", no_argument, NULL, 'd'},
                                          {"tokens", required_argument, NULL, 'k'},
                                          {"device", required_argument, NULL, 'v'},
                                          {"side", required_argument, NULL, 'i'},
                                          {"vocab", required_argument, NULL, 'V'},
                                          {"join", required_argument, NULL, 'j'},
                                          {"input", required_argument, NULL, 'I'},
                                          {"target", required_argument, NULL, 'T'},
                                          {"data", required_argument, NULL, 'D'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int c;
    *o = (bench_options){.threads = own_cores(),
                         .steps = 8,
                         .rows = 16,
                         .rounds = 7,
                         .tokens = 32,
                         .vocab = 32128,
                         .join = 1,
                         .data = T5MPI_SOURCE_DIR "/configs/demo"};
    while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        if (c == 'h')
            return usage(stdout), 0;
        if (!take(o, c, optarg))
            return usage(stderr), -1;
    }
    if (optind != argc)
        return usage(stderr), -1;
    return 1;
}
