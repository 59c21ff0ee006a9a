#include "data/label_init.h"
#include "data/emoji_names.h"
#include "data/grow.h"
#include <string.h>

/* A description that is longer is no better for it. */
enum { MOST = 64 };

typedef struct describer {
    const t5_tokenizer *tok;
    int32_t space; /* the piece of a lone space; -1: there is none */
    t5_label_pieces *out;
    size_t cap;
} describer;

/* Appends the tokens of a text that mean something; *n: how many. */
static t5_status append(describer *d, t5_str text, int64_t at, int *n, t5_error *err) {
    int32_t ids[MOST + 1];
    int count;
    t5_status status = t5_tokenizer_encode(d->tok, text, MOST + 1, ids, &count, err);
    *n = 0;
    if (status)
        return status;
    int32_t *grown = t5_grown(d->out->ids, &d->cap, (size_t)at + MOST, sizeof *grown);
    if (!grown)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the labels' descriptions");
    d->out->ids = grown;
    for (int i = 0; i < count; i++) {
        bool nothing = ids[i] == t5_tokenizer_unk(d->tok) || ids[i] == t5_tokenizer_eos(d->tok) ||
                       ids[i] == d->space;
        if (!nothing)
            grown[at + (*n)++] = ids[i];
    }
    return T5_OK;
}

static t5_status describe(describer *d, int l, t5_str label, t5_error *err) {
    t5_label_pieces *out = d->out;
    t5_str name = t5_emoji_name(label);
    int n = 0;
    t5_status status = T5_OK;
    if (name.n > 0)
        status = append(d, name, out->start[l], &n, err);
    out->by_name += n > 0;
    if (n == 0 && !status) {
        status = append(d, label, out->start[l], &n, err);
        out->by_text += n > 0;
        out->by_nothing += n == 0;
    }
    out->start[l + 1] = out->start[l] + n;
    return status;
}

t5_status t5_label_pieces_make(const t5_tokenizer *tok, const t5_labels *labels, int n,
                               t5_label_pieces *pieces, t5_error *err) {
    static const t5_str space = {"\xe2\x96\x81", 3};
    t5_status status = T5_OK;
    *pieces = (t5_label_pieces){.n = n, .start = calloc((size_t)n + 1, sizeof *pieces->start)};
    describer d = {.tok = tok, .space = t5_tokenizer_find_piece(tok, space), .out = pieces};
    if (!pieces->start)
        status = t5_fail(err, T5_ERR_MEMORY, "out of memory for the labels' descriptions");
    for (int l = 0; l < n && !status; l++)
        status = describe(&d, l, t5_labels_name(labels, l), err);
    if (status)
        t5_label_pieces_free(pieces);
    return status;
}

void t5_label_pieces_free(t5_label_pieces *pieces) {
    free(pieces->start);
    free(pieces->ids);
    *pieces = (t5_label_pieces){0};
}
