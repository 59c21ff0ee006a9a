#include "run/again.h"
#include <stdio.h>
#include <string.h>

typedef struct line {
    char *text;
    size_t size, used;
} line;

static void put(line *l, const char *s, size_t n) {
    for (; n > 0 && l->used + 1 < l->size; n--)
        l->text[l->used++] = *s++;
    l->text[l->used] = 0;
}

/* A word of the command line, in single quotes if the shell would make something else of it. */
static void word(line *l, const char *s) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-+=./,:@%";
    if (l->used > 0)
        put(l, " ", 1);
    if (*s && s[strspn(s, plain)] == 0) {
        put(l, s, strlen(s));
        return;
    }
    put(l, "'", 1);
    for (; *s; s++)
        *s == '\'' ? put(l, "'\\''", 4) : put(l, s, 1);
    put(l, "'", 1);
}

void t5_command_again(const t5_command *c, int ranks, char *text, size_t size) {
    line l = {.text = text, .size = size};
    char number[32];
    text[0] = 0;
    if (ranks > 1) {
        snprintf(number, sizeof number, "%d", ranks);
        word(&l, "mpirun");
        word(&l, "-np");
        word(&l, number);
    }
    word(&l, "t5mpi");
    word(&l, c->config);
    for (int i = 0; i < c->n_sets; i++) {
        word(&l, "--set");
        word(&l, c->sets[i]);
    }
    if (c->output) {
        word(&l, "--output");
        word(&l, c->output);
    }
    if (c->part.count > 0) {
        snprintf(number, sizeof number, "%d/%d", c->part.number, c->part.count);
        word(&l, "--part");
        word(&l, number);
    }
    if (c->device != T5_USE_AUTO) {
        word(&l, "--device");
        word(&l, c->device == T5_USE_CPU ? "cpu" : "cuda");
    }
    word(&l, "--resume");
}
