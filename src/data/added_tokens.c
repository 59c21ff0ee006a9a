#include "data/added_list.h"
#include "data/grow.h"
#include <string.h>

struct t5_added_tokens {
    t5_added_list list;
    int32_t *by_id;          /* (list.n) places in the list, sorted by id */
    int32_t first_byte[257]; /* tokens that begin with byte b: first_byte[b] .. first_byte[b + 1] */
};

static t5_status out_of_memory(t5_error *err) {
    return t5_fail(err, T5_ERR_MEMORY, "out of memory for the tokeniser's added tokens");
}

static int by_text(const void *left, const void *right) {
    const t5_added_token *a = left, *b = right;
    return t5_added_compare(a->text, b->text);
}

/* An id with the place of its token: what by_id is sorted through. */
typedef struct placed {
    int32_t id, place;
} placed;

static int by_id(const void *left, const void *right) {
    const placed *a = left, *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

/* Fills what follows from the tokens. Tokens have one text each, but may share an id. */
static bool index_tokens(t5_added_tokens *t) {
    placed *order = malloc(((size_t)t->list.n + 1) * sizeof *order);
    int32_t *place = realloc(t->by_id, ((size_t)t->list.n + 1) * sizeof *place);
    if (place)
        t->by_id = place;
    if (!order || !place) {
        free(order);
        return false;
    }
    qsort(t->list.token, (size_t)t->list.n, sizeof *t->list.token, by_text);
    int next = 0;
    for (int b = 0; b <= 256; b++) {
        while (next < t->list.n && (unsigned char)t->list.token[next].text.s[0] < b)
            next++;
        t->first_byte[b] = next;
    }
    for (int i = 0; i < t->list.n; i++)
        order[i] = (placed){t->list.token[i].id, i};
    qsort(order, (size_t)t->list.n, sizeof *order, by_id);
    for (int i = 0; i < t->list.n; i++)
        t->by_id[i] = order[i].place;
    free(order);
    return true;
}

/* --- looking up --- */

static bool is_on(const t5_added_token *token, int n_labels) {
    return token->label < n_labels;
}

const t5_added_token *t5_added_tokens_find(const t5_added_tokens *t, int n_labels, t5_str text) {
    const t5_added_token *token = t5_added_find(&t->list, text);
    return token && is_on(token, n_labels) ? token : NULL;
}

/* The first of the tokens lo .. hi, which agree before byte k and are longer, whose byte k is at
 * least b. */
static int lower_bound(const t5_added_tokens *t, int lo, int hi, size_t k, int b) {
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if ((unsigned char)t->list.token[mid].text.s[k] < b)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const t5_added_token *t5_added_tokens_match(const t5_added_tokens *t, int n_labels, t5_str text) {
    const t5_added_token *longest = NULL;
    if (text.n == 0)
        return NULL;
    int first = (unsigned char)text.s[0], lo = t->first_byte[first], hi = t->first_byte[first + 1];
    for (size_t k = 1; lo < hi; k++) {
        if (t->list.token[lo].text.n ==
            k) { /* of those that agree so far the shortest comes first */
            if (is_on(&t->list.token[lo], n_labels))
                longest = &t->list.token[lo];
            lo++;
        }
        if (k == text.n)
            break;
        int b = (unsigned char)text.s[k];
        lo = lower_bound(t, lo, hi, k, b);
        hi = lower_bound(t, lo, hi, k, b + 1);
    }
    return longest;
}

const t5_added_token *t5_added_tokens_by_id(const t5_added_tokens *t, int n_labels, int32_t id) {
    int lo = 0, hi = t->list.n;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (t->list.token[t->by_id[mid]].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < t->list.n && t->list.token[t->by_id[lo]].id == id; lo++)
        if (is_on(&t->list.token[t->by_id[lo]], n_labels))
            return &t->list.token[t->by_id[lo]];
    return NULL;
}

int t5_added_tokens_size(const t5_added_tokens *t) {
    return t->list.n;
}
const t5_added_token *t5_added_tokens_at(const t5_added_tokens *t, int i) {
    return &t->list.token[i];
}
int t5_added_tokens_vocabulary(const t5_added_tokens *t) {
    return t->list.vocabulary;
}

/* --- making --- */

void t5_added_tokens_destroy(t5_added_tokens *t) {
    if (!t)
        return;
    t5_added_list_free(&t->list);
    free(t->by_id);
    free(t);
}

t5_status t5_added_tokens_of_list(t5_added_list *list, t5_added_tokens **tokens, t5_error *err) {
    t5_added_tokens *t = calloc(1, sizeof *t);
    if (!t) {
        t5_added_list_free(list);
        return out_of_memory(err);
    }
    t->list = *list;
    *list = (t5_added_list){0};
    if (!index_tokens(t)) {
        t5_added_tokens_destroy(t);
        return out_of_memory(err);
    }
    *tokens = t;
    return T5_OK;
}

/* --- labels --- */

typedef struct adder {
    const t5_added_tokens *tokens;
    const t5_pieces *pieces;
    bool behind_pieces;
    int32_t next;        /* id of the next new token */
    t5_added_list fresh; /* what is to be added, in the order of the labels */
} adder;

static t5_status add_label(adder *a, int l, t5_str name, int32_t *id, t5_error *err) {
    const t5_added_token *there = t5_added_tokens_find(a->tokens, 0, name);
    if (there) {
        *id = there->id;
        return T5_OK;
    }
    int32_t piece = t5_pieces_find(a->pieces, name);
    if (piece >= 0 && t5_added_tokens_by_id(a->tokens, 0, piece))
        piece = -1; /* a token hides it */
    *id = a->behind_pieces ? t5_pieces_size(a->pieces) + l : piece;
    if (*id < 0) {
        while (t5_added_tokens_by_id(a->tokens, 0, a->next))
            a->next++;
        *id = a->next++;
    }
    a->fresh.vocabulary += piece < 0;
    return t5_added_insert(
        &a->fresh, a->fresh.n,
        (t5_added_token){.text = name, .id = *id, .label = l, .normalized = true}, err);
}

/* Moves the fresh tokens to the others. */
static t5_status move_in(t5_added_tokens *t, t5_added_list *fresh, t5_error *err) {
    t5_added_token *grown =
        t5_grown(t->list.token, &t->list.cap, (size_t)t->list.n + (size_t)fresh->n, sizeof *grown);
    if (!grown)
        return out_of_memory(err);
    t->list.token = grown;
    if (fresh->n > 0)
        memcpy(grown + t->list.n, fresh->token, (size_t)fresh->n * sizeof *grown);
    t->list.n += fresh->n;
    if (!index_tokens(t)) {
        t->list.n -= fresh->n;
        return out_of_memory(err);
    }
    t->list.vocabulary += fresh->vocabulary;
    fresh->n = 0;
    return T5_OK;
}

t5_status t5_added_tokens_add_labels(t5_added_tokens *t, const t5_labels *labels,
                                     const t5_pieces *pieces, bool behind_pieces, int32_t *id,
                                     t5_error *err) {
    adder a = {
        .tokens = t, .pieces = pieces, .behind_pieces = behind_pieces, .next = t->list.vocabulary};
    t5_status status = T5_OK;
    for (int l = 0; l < t5_labels_size(labels) && !status; l++)
        status = add_label(&a, l, t5_labels_name(labels, l), &id[l], err);
    if (!status)
        status = move_in(t, &a.fresh, err);
    t5_added_list_free(&a.fresh);
    return status;
}
