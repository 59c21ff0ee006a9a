#include "score/words.h"
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a (Fowler, Noll, Vo), 64 bits, its high half folded in since slots use the low bits. */
static uint64_t hash(t5_str word) {
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < word.n; i++)
        h = (h ^ (unsigned char)word.s[i]) * 1099511628211u;
    return h ^ (h >> 32);
}

static bool same(t5_str a, t5_str b) {
    return a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
}

/* The slot that holds the word or, if none does, the free one where it belongs. */
static uint64_t slot_of(const t5_words *w, t5_str word) {
    uint64_t i = hash(word) & (w->n_slots - 1);
    while (w->slots[i] && !same(w->word[w->slots[i] - 1], word))
        i = (i + 1) & (w->n_slots - 1);
    return i;
}

static t5_status grow(t5_words *w, t5_error *err) {
    int64_t cap = w->cap ? 2 * w->cap : 16;
    t5_str *word = realloc(w->word, (size_t)cap * sizeof *word);
    if (word)
        w->word = word;
    int64_t *count = realloc(w->count, (size_t)cap * sizeof *count);
    if (count)
        w->count = count;
    int64_t *slots = calloc((size_t)cap * 2, sizeof *slots);
    if (!word || !count || !slots) {
        free(slots);
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %lld words", (long long)cap);
    }
    free(w->slots);
    w->slots = slots;
    w->cap = cap;
    w->n_slots = (uint64_t)cap * 2;
    for (int64_t i = 0; i < w->n; i++)
        slots[slot_of(w, w->word[i])] = i + 1;
    return T5_OK;
}

void t5_words_free(t5_words *w) {
    free(w->word);
    free(w->count);
    free(w->slots);
    *w = (t5_words){0};
}

void t5_words_clear(t5_words *w) {
    /* from the last one on, so that the way to a slot never leads over a freed one */
    for (; w->n > 0; w->n--)
        w->slots[slot_of(w, w->word[w->n - 1])] = 0;
}

int64_t t5_words_find(const t5_words *w, t5_str word) {
    return w->n_slots ? w->slots[slot_of(w, word)] - 1 : -1;
}

t5_status t5_words_add(t5_words *w, t5_str word, t5_error *err) {
    if (w->n == w->cap && grow(w, err) != T5_OK)
        return T5_ERR_MEMORY;
    int64_t *slot = &w->slots[slot_of(w, word)];
    if (*slot == 0) {
        w->word[w->n] = word;
        w->count[w->n] = 0;
        *slot = ++w->n;
    }
    w->count[*slot - 1]++;
    return T5_OK;
}

int t5_words_most_frequent(const t5_words *w, int k, t5_str *top) {
    int64_t best[64];
    int n = 0;
    assert(k >= 0 && k <= 64);
    for (int64_t i = 0; i < w->n && k > 0; i++) {
        int place = n; /* behind all that are as frequent: they came first */
        while (place > 0 && w->count[best[place - 1]] < w->count[i])
            place--;
        if (place == k)
            continue;
        n += n < k;
        memmove(best + place + 1, best + place, (size_t)(n - 1 - place) * sizeof *best);
        best[place] = i;
    }
    for (int i = 0; i < n; i++)
        top[i] = w->word[best[i]];
    return n;
}
