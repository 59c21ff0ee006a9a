/* The added tokens as T5Tokenizer makes them of its files. */
#include "data/added_list.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_text(t5_str a, t5_str b) {
    return t5_added_compare(a, b) == 0;
}

static t5_added_token token_of(const t5_token_entry *e, int32_t id) {
    return (t5_added_token){.text = {e->text, strlen(e->text)},
                            .id = id,
                            .label = -1,
                            .lstrip = e->lstrip,
                            .rstrip = e->rstrip,
                            .single_word = e->single_word,
                            .normalized = e->normalized};
}

/* A token of the list by id, which is Python's dictionary: of two with one id the later counts, at
 * the place of the earlier. */
typedef struct listed {
    const t5_token_entry *entry;
    int32_t id;
    int place;
} listed;

static int by_id_then_place(const void *left, const void *right) {
    const listed *a = left, *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

static int by_place(const void *left, const void *right) {
    const listed *a = left, *b = right;
    return (a->place > b->place) - (a->place < b->place);
}

/* Each id once; returns how many are left, in order. */
static int unique_ids(listed *list, int n) {
    int kept = 0;
    qsort(list, (size_t)n, sizeof *list, by_id_then_place);
    for (int i = 0; i < n; i++) {
        if (kept > 0 && list[kept - 1].id == list[i].id)
            list[kept - 1].entry = list[i].entry;
        else
            list[kept++] = list[i];
    }
    qsort(list, (size_t)kept, sizeof *list, by_place);
    return kept;
}

/* The listed tokens; of two with one text the later id counts. */
static t5_status put_listed(t5_added_list *t, const listed *list, int n, t5_error *err) {
    t5_status status = T5_OK;
    for (int i = 0; i < n && !status; i++) {
        t5_added_token token = token_of(list[i].entry, list[i].id);
        int place = t5_added_place(t, token.text);
        if (place < t->n && same_text(t->token[place].text, token.text)) {
            token.text = t->token[place].text;
            t->token[place] = token;
        } else {
            status = t5_added_insert(t, place, token, err);
        }
    }
    return status;
}

/* The id of the piece of this text, unless a listed token has that id and so hides it; else -1. */
static int32_t visible_piece(const t5_added_list *t, const t5_pieces *pieces, t5_str text) {
    int32_t id = t5_pieces_find(pieces, text);
    for (int i = 0; id >= 0 && i < t->n; i++)
        if (t->token[i].id == id && !same_text(t->token[i].text, text))
            return -1;
    return id;
}

/* A special token: what is there gets its flags (a bare one has none), what is not an id. */
static t5_status put_special(t5_added_list *t, const t5_token_entry *e, const t5_pieces *pieces,
                             t5_error *err) {
    t5_added_token token = token_of(e, -1);
    token.special = true;
    int place = t5_added_place(t, token.text);
    if (place < t->n && same_text(t->token[place].text, token.text)) {
        t5_added_token *there = &t->token[place];
        if (!e->bare) {
            token.id = there->id;
            token.text = there->text;
            *there = token;
        }
        there->special = true;
        return T5_OK;
    }
    token.id = visible_piece(t, pieces, token.text);
    if (token.id < 0)
        token.id = t->vocabulary++;
    return t5_added_insert(t, place, token, err);
}

/* Different texts: tokens, and pieces that no token hides. */
static int count_vocabulary(const t5_added_list *t, const t5_pieces *pieces) {
    int n = t5_pieces_size(pieces);
    for (int i = 0; i < t->n; i++) {
        const t5_added_token *token = &t->token[i];
        n += t5_pieces_find(pieces, token->text) < 0;
        if (token->id >= t5_pieces_size(pieces))
            continue;
        t5_str piece = t5_pieces_text(pieces, token->id);
        n -= !same_text(piece, token->text) && !t5_added_find(t, piece);
    }
    return n;
}

/* --- sentinels --- */

static bool is_sentinel(const t5_token_entry *e) {
    return strstr(e->text, "<extra_id_") != NULL;
}

/* How many of the additional special tokens are sentinels; -1: there is no list of such tokens. */
static int count_sentinels(const t5_tokenizer_files *files) {
    int n = 0;
    if (files->n_additional < 0)
        return -1;
    for (int i = files->n_special - files->n_additional; i < files->n_special; i++)
        n += is_sentinel(&files->special[i]);
    return n;
}

/* The entries of <extra_id_0> .. , with texts in *texts. */
static t5_token_entry *make_sentinels(int n, char **texts) {
    enum { ROOM = sizeof "<extra_id_-2147483648>" };
    t5_token_entry *entries = calloc((size_t)n + 1, sizeof *entries);
    *texts = malloc((size_t)n * ROOM + 1);
    for (int i = 0; entries && *texts && i < n; i++) {
        char *text = *texts + (size_t)i * ROOM;
        snprintf(text, ROOM, "<extra_id_%d>", i);
        entries[i] = (t5_token_entry){
            .text = text, .id = -1, .bare = true, .special = true, .lstrip = true, .rstrip = true};
    }
    return entries;
}

/* What a tokeniser is made with. */
typedef struct maker {
    const t5_tokenizer_files *files;
    const t5_pieces *pieces;
    t5_token_entry *sentinels; /* <extra_id_0> .. */
    char *texts;               /* theirs */
    listed *numbered;          /* the tokens that come with ids */
    t5_added_list list;
} maker;

/* Sentinels that the files name among the additional tokens, or all if there is no such list, have
 * ids of their own: downwards to the last piece. The files' ids come after them. */
static t5_status put_numbered(maker *m, int n_sentinels, t5_error *err) {
    const t5_tokenizer_files *files = m->files;
    int n = 0;
    if (n_sentinels > t5_pieces_size(m->pieces) + files->extra_ids)
        return t5_fail(err, T5_ERR_INPUT, "the tokeniser has %d pieces but %d sentinels",
                       t5_pieces_size(m->pieces), n_sentinels);
    for (int i = 0; i < n_sentinels; i++, n++)
        m->numbered[n] =
            (listed){&m->sentinels[i], t5_pieces_size(m->pieces) - 1 + files->extra_ids - i, n};
    for (int i = 0; i < files->n_added; i++, n++)
        m->numbered[n] = (listed){&files->added[i], files->added[i].id, n};
    t5_status status = put_listed(&m->list, m->numbered, unique_ids(m->numbered, n), err);
    if (!status)
        m->list.vocabulary = count_vocabulary(&m->list, m->pieces);
    return status;
}

/* The special tokens of the files, then the sentinels if these do not name them. */
static t5_status put_specials(maker *m, bool sentinels, t5_error *err) {
    const t5_tokenizer_files *files = m->files;
    t5_status status = T5_OK;
    for (int i = 0; i < files->n_special && !status; i++)
        status = put_special(&m->list, &files->special[i], m->pieces, err);
    for (int i = 0; i < files->extra_ids && sentinels && !status; i++) {
        t5_token_entry bare = m->sentinels[i];
        bare.lstrip = bare.rstrip = false; /* flags are of those with ids only */
        status = put_special(&m->list, &bare, m->pieces, err);
    }
    return status;
}

t5_status t5_added_tokens_create(const t5_tokenizer_files *files, const t5_pieces *pieces,
                                 t5_added_tokens **tokens, t5_error *err) {
    maker m = {.files = files, .pieces = pieces};
    int given = count_sentinels(files), extra = files->extra_ids;
    int numbered = given < 0 ? extra : given;
    t5_status status;
    if (given > 0 && extra > 0 && given != extra)
        return t5_fail(err, T5_ERR_INPUT,
                       "the tokeniser's extra_ids is %d, but %d of its additional special tokens "
                       "are sentinels (<extra_id_0>, ...); expected as many",
                       extra, given);
    m.sentinels = make_sentinels(numbered > extra ? numbered : extra, &m.texts);
    m.numbered = malloc(((size_t)numbered + (size_t)files->n_added + 1) * sizeof *m.numbered);
    if (!m.sentinels || !m.texts || !m.numbered) {
        status = t5_fail(err, T5_ERR_MEMORY, "out of memory for the tokeniser's added tokens");
        goto done;
    }
    status = put_numbered(&m, numbered, err);
    if (!status)
        status = put_specials(&m, given <= 0, err);
    if (!status)
        status = t5_added_tokens_of_list(&m.list, tokens, err);
done:
    t5_added_list_free(&m.list);
    free(m.numbered);
    free(m.sentinels);
    free(m.texts);
    return status;
}
