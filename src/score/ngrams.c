#include "score/ngrams.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One occurrence-list entry: text `text` has the n-gram, with this share of its unit vector. */
typedef struct posting {
    int32_t text;
    float weight;
} posting;

struct t5_ngrams {
    int64_t n;
    /* n-gram -> number, open addressing; a key is never 0 */
    uint64_t *keys;
    int32_t *numbers;
    uint64_t n_slots;
    int32_t n_grams;
    float *idf;     /* (n_grams) 0: left out */
    int64_t *start; /* (n_grams + 1) into postings */
    posting *postings;
    /* scratch of a query */
    double *score;    /* (n) zero between queries */
    int32_t *touched; /* (n) */
};

/* ---------------------------------------------------------------- n-grams of a text */

/* The code point that *p begins with; a byte that is no UTF-8 stands for itself. */
static uint32_t next_character(const char **p, const char *end) {
    const unsigned char *s = (const unsigned char *)*p;
    int more = s[0] >= 0xF0 ? 3 : s[0] >= 0xE0 ? 2 : s[0] >= 0xC0 ? 1 : 0;
    if (end - *p <= more)
        more = 0;
    uint32_t c = more ? s[0] & (0x3Fu >> more) : s[0];
    for (int i = 1; i <= more; i++)
        c = (c << 6) | (s[i] & 0x3F);
    *p += more + 1;
    return c;
}

/* Walks over a text: every step gives up to two keys, the bigram and the trigram that end there. */
typedef struct walk {
    const char *p, *end;
    uint64_t last, before; /* characters + 1, 0: none */
} walk;

static int step(walk *w, uint64_t keys[2]) {
    int n = 0;
    while (n == 0 && w->p < w->end) {
        uint64_t c = next_character(&w->p, w->end) + 1u;
        if (w->last)
            keys[n++] = w->last << 21 | c;
        if (w->before)
            keys[n++] = w->before << 42 | w->last << 21 | c;
        w->before = w->last;
        w->last = c;
    }
    return n;
}

static walk walk_of(t5_str text) {
    return (walk){.p = text.s, .end = text.s + text.n};
}

/* ---------------------------------------------------------------- numbers of n-grams */

/* SplitMix64's finalizer (Steele, Lea, Flood 2014): mixes all bits. */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t slot_of(const t5_ngrams *g, uint64_t key) {
    uint64_t i = mix(key) & (g->n_slots - 1);
    while (g->keys[i] && g->keys[i] != key)
        i = (i + 1) & (g->n_slots - 1);
    return i;
}

static int number_keys(t5_ngrams *g, uint64_t n_slots) {
    uint64_t *old = g->keys, n_old = g->n_slots;
    int32_t *old_numbers = g->numbers;
    uint64_t *keys = calloc(n_slots, sizeof *keys);
    int32_t *numbers = malloc(n_slots * sizeof *numbers);
    if (!keys || !numbers) {
        free(keys);
        free(numbers);
        return -1;
    }
    g->keys = keys;
    g->numbers = numbers;
    g->n_slots = n_slots;
    for (uint64_t i = 0; i < n_old; i++)
        if (old[i]) {
            uint64_t slot = slot_of(g, old[i]);
            keys[slot] = old[i];
            numbers[slot] = old_numbers[i];
        }
    free(old);
    free(old_numbers);
    return 0;
}

/* The n-gram's number, a new one if need be; -1: out of memory. */
static int32_t number_of(t5_ngrams *g, uint64_t key) {
    if ((uint64_t)g->n_grams * 2 >= g->n_slots &&
        number_keys(g, g->n_slots ? 2 * g->n_slots : 1024))
        return -1;
    uint64_t slot = slot_of(g, key);
    if (!g->keys[slot]) {
        g->keys[slot] = key;
        g->numbers[slot] = g->n_grams++;
    }
    return g->numbers[slot];
}

/* ---------------------------------------------------------------- the index */

/* The numbers of all n-grams of all texts, text by text and sorted within a text. */
typedef struct occurrences {
    int32_t *gram;
    int64_t n, cap;
    int64_t *end; /* (texts) */
} occurrences;

static int compare_numbers(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int collect_text(t5_ngrams *g, occurrences *o, t5_str text) {
    uint64_t keys[2];
    int64_t first = o->n;
    walk w = walk_of(text);
    for (int n; (n = step(&w, keys)) > 0;)
        for (int k = 0; k < n; k++) {
            if (o->n == o->cap) {
                int64_t cap = o->cap ? 2 * o->cap : 4096;
                int32_t *gram = realloc(o->gram, (size_t)cap * sizeof *gram);
                if (!gram)
                    return -1;
                o->gram = gram;
                o->cap = cap;
            }
            int32_t number = number_of(g, keys[k]);
            if (number < 0)
                return -1;
            o->gram[o->n++] = number;
        }
    qsort(o->gram + first, (size_t)(o->n - first), sizeof *o->gram, compare_numbers);
    return 0;
}

/* Length of the run of equal numbers at i. */
static int64_t run_length(const occurrences *o, int64_t i, int64_t end) {
    int64_t j = i + 1;
    while (j < end && o->gram[j] == o->gram[i])
        j++;
    return j - i;
}

/* idf, and the place of each n-gram's postings. */
static int weigh(t5_ngrams *g, const occurrences *o, int64_t max_shared) {
    g->idf = calloc((size_t)g->n_grams + 1, sizeof *g->idf);
    g->start = calloc((size_t)g->n_grams + 2, sizeof *g->start);
    if (!g->idf || !g->start)
        return -1;
    int64_t *shared = g->start + 1; /* texts with the n-gram, then summed up to starts */
    for (int64_t t = 0, i = 0; t < g->n; t++)
        while (i < o->end[t]) {
            shared[o->gram[i]]++;
            i += run_length(o, i, o->end[t]);
        }
    for (int32_t f = 0; f < g->n_grams; f++) {
        if (shared[f] > max_shared)
            shared[f] = 0;
        else
            g->idf[f] = (float)(1 + log((1.0 + (double)g->n) / (1.0 + (double)shared[f])));
        shared[f] += g->start[f];
    }
    g->postings = malloc((size_t)(g->start[g->n_grams] + 1) * sizeof *g->postings);
    return g->postings ? 0 : -1;
}

static int fill_postings(t5_ngrams *g, const occurrences *o) {
    int64_t *next = malloc((size_t)(g->n_grams + 1) * sizeof *next);
    if (!next)
        return -1;
    memcpy(next, g->start, (size_t)g->n_grams * sizeof *next);
    for (int64_t t = 0, first = 0; t < g->n; first = o->end[t++]) {
        double norm = 0;
        for (int64_t i = first, run; i < o->end[t]; i += run) {
            run = run_length(o, i, o->end[t]);
            double weight = (double)run * (double)g->idf[o->gram[i]];
            norm += weight * weight;
        }
        for (int64_t i = first, run; i < o->end[t]; i += run) {
            int32_t f = o->gram[i];
            run = run_length(o, i, o->end[t]);
            if (g->idf[f] > 0)
                g->postings[next[f]++] =
                    (posting){(int32_t)t, (float)((double)run * (double)g->idf[f] / sqrt(norm))};
        }
    }
    free(next);
    return 0;
}

static int build(t5_ngrams *g, const t5_str *texts, int64_t max_shared, occurrences *o) {
    g->score = calloc((size_t)g->n + 1, sizeof *g->score);
    g->touched = malloc((size_t)(g->n + 1) * sizeof *g->touched);
    o->end = malloc((size_t)(g->n + 1) * sizeof *o->end);
    if (!g->score || !g->touched || !o->end)
        return -1;
    for (int64_t t = 0; t < g->n; t++) {
        if (collect_text(g, o, texts[t]))
            return -1;
        o->end[t] = o->n;
    }
    return weigh(g, o, max_shared) || fill_postings(g, o) ? -1 : 0;
}

t5_status t5_ngrams_create(int64_t n, const t5_str *texts, int64_t max_shared, t5_ngrams **index,
                           t5_error *err) {
    occurrences o = {0};
    t5_ngrams *g = calloc(1, sizeof *g);
    *index = NULL;
    if (g)
        g->n = n;
    int rc = g ? build(g, texts, max_shared, &o) : -1;
    free(o.gram);
    free(o.end);
    if (rc) {
        t5_ngrams_destroy(g);
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the n-grams of %lld texts",
                       (long long)n);
    }
    *index = g;
    return T5_OK;
}

void t5_ngrams_destroy(t5_ngrams *g) {
    if (!g)
        return;
    free(g->keys);
    free(g->numbers);
    free(g->idf);
    free(g->start);
    free(g->postings);
    free(g->score);
    free(g->touched);
    free(g);
}

/* Adds the n-gram's share to the scores of the texts that have it. A repeated n-gram of the query
 * is simply added again, which is its term frequency. */
static int64_t add_gram(t5_ngrams *g, uint64_t key, int64_t n_touched) {
    uint64_t slot = slot_of(g, key);
    if (!g->keys[slot])
        return n_touched;
    int32_t f = g->numbers[slot];
    for (int64_t i = g->start[f]; i < g->start[f + 1]; i++) {
        const posting *p = &g->postings[i];
        if (g->score[p->text] == 0)
            g->touched[n_touched++] = p->text;
        g->score[p->text] += (double)g->idf[f] * (double)p->weight;
    }
    return n_touched;
}

int64_t t5_ngrams_nearest(t5_ngrams *g, t5_str text) {
    uint64_t keys[2];
    int64_t n_touched = 0;
    walk w = walk_of(text);
    for (int n; g->n_slots && (n = step(&w, keys)) > 0;)
        for (int k = 0; k < n; k++)
            n_touched = add_gram(g, keys[k], n_touched);
    int64_t best = 0;
    double best_score = g->score[0];
    for (int64_t i = 0; i < n_touched; i++) {
        int32_t t = g->touched[i];
        if (g->score[t] > best_score || (g->score[t] == best_score && t < best)) {
            best = t;
            best_score = g->score[t];
        }
    }
    for (int64_t i = 0; i < n_touched; i++)
        g->score[g->touched[i]] = 0;
    return best;
}
