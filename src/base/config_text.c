/* The settings that a trial's result depends on, as text: what a run that goes on compares. */
#include "base/config_reader.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More epochs are a way to go on with a run, too, for the trials that have not ended. What a trial
 * has of its own is compared trial by trial; where files lie, how much is done at a
 * time and how often it is written changes nothing. nan_retries decides only whether a trial fails:
 * more of them are a way to go on with those that did. */
static bool is_left_out(const char *path) {
    static const char *const out[] = {"train.epochs",
                                      "train.learning_rate",
                                      "train.top_n",
                                      "train.seed",
                                      "train.loss",
                                      "train.micro_batch_tokens",
                                      "train.checkpoint_every",
                                      "train.keep_checkpoints",
                                      "train.nan_retries",
                                      "eval.batch_size"};
    static const char *const groups[] = {"model.", "data.", "train.", "eval."};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        if (strncmp(path, out[i], strlen(out[i])) == 0)
            return true;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strncmp(path, groups[i], strlen(groups[i])) == 0)
            return false;
    return true;
}

/* The alternative of that number, quotes included. */
static int print_choice(FILE *out, const char *allowed, int choice) {
    const char *p = allowed;
    while (choice-- > 0 && (p = strstr(p, " | ")))
        p += 3;
    return fprintf(out, "%.*s", p ? (int)strcspn(p, " ") : 1, p ? p : "?");
}

static void print_value(FILE *out, const t5_config_key *key, const void *at) {
    const double *split = at;
    switch (key->kind) {
    case T5_KEY_INTEGER:
        fprintf(out, "%d", *(const int *)at);
        break;
    case T5_KEY_INTEGER64:
        fprintf(out, "%" PRId64, *(const int64_t *)at);
        break;
    case T5_KEY_NUMBER:
        fprintf(out, "%.17g", *(const double *)at);
        break;
    case T5_KEY_BOOLEAN:
        fputs(*(const bool *)at ? "true" : "false", out);
        break;
    case T5_KEY_STRING:
        fprintf(out, "\"%s\"", *(char *const *)at ? *(char *const *)at : "");
        break;
    case T5_KEY_CHOICE:
        print_choice(out, key->allowed, *(const int *)at);
        break;
    default:
        fprintf(out, "[%.17g, %.17g, %.17g]", split[0], split[1], split[2]);
        break;
    }
}

t5_status t5_config_settings(const t5_config *config, char **text, t5_error *err) {
    const t5_config_key *keys;
    size_t bytes = 0;
    int n = t5_config_keys(&keys);
    *text = NULL;
    FILE *out = open_memstream(text, &bytes);
    if (!out)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the configuration's text");
    for (int i = 0; i < n; i++) {
        if (is_left_out(keys[i].path) || keys[i].kind == T5_KEY_PATH ||
            keys[i].kind > T5_KEY_SPLIT || keys[i].kind == T5_KEY_LOSS)
            continue;
        fprintf(out, "%s = ", keys[i].path);
        print_value(out, &keys[i], (const char *)config + keys[i].offset);
        fputc('\n', out);
    }
    return fclose(out) == 0
               ? T5_OK
               : t5_fail(err, T5_ERR_MEMORY, "out of memory for the configuration's text");
}
