#include "data/labels.h"
#include "data/grow.h"
#include <stdlib.h>
#include <string.h>

/* Open addressing, linear probing, at most half full. A slot holds an entry's number + 1; 0 is
 * free. While counting, entries are in the order of first appearance; finishing sorts them. */
typedef struct entry {
    size_t name; /* offset of the NUL-terminated name in names */
    size_t length;
    int64_t count;
} entry;

struct t5_labels {
    int n;
    entry *entries;
    size_t cap_entries;
    char *names;
    size_t n_names, cap_names;
    uint32_t *slots;
    size_t n_slots; /* a power of two */
    int64_t total;
};

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static uint64_t hash_of(t5_str name) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)name.s[i]) * 0x100000001b3u;
    return h ^ (h >> 32);
}

/* The slot of name, or the free one where it belongs. */
static size_t slot_of(const t5_labels *t, t5_str name) {
    size_t i = hash_of(name) & (t->n_slots - 1);
    for (; t->slots[i]; i = (i + 1) & (t->n_slots - 1)) {
        const entry *e = &t->entries[t->slots[i] - 1];
        if (e->length == name.n && memcmp(t->names + e->name, name.s, name.n) == 0)
            break;
    }
    return i;
}

static void fill_slots(t5_labels *t) {
    memset(t->slots, 0, t->n_slots * sizeof *t->slots);
    for (int l = 0; l < t->n; l++)
        t->slots[slot_of(t, t5_labels_name(t, l))] = (uint32_t)l + 1;
}

static t5_status no_memory(const t5_labels *t, t5_error *err) {
    return t5_fail(err, T5_ERR_MEMORY, "out of memory for the label table after %d labels",
                   t ? t->n : 0);
}

static t5_status labels_create(t5_labels **labels, t5_error *err) {
    t5_labels *t = calloc(1, sizeof *t);
    if (!t)
        return no_memory(NULL, err);
    t->n_slots = 1024;
    t->cap_entries = t->n_slots / 2;
    t->slots = calloc(t->n_slots, sizeof *t->slots);
    t->entries = malloc(t->cap_entries * sizeof *t->entries);
    if (!t->slots || !t->entries) {
        t5_labels_destroy(t);
        return no_memory(NULL, err);
    }
    *labels = t;
    return T5_OK;
}

/* Twice the entries, and twice the slots, so that the table stays at most half full. */
static t5_status grow_entries(t5_labels *t, t5_error *err) {
    entry *entries = realloc(t->entries, 2 * t->cap_entries * sizeof *entries);
    if (!entries)
        return no_memory(t, err);
    t->entries = entries;
    uint32_t *slots = malloc(2 * t->n_slots * sizeof *slots);
    if (!slots)
        return no_memory(t, err);
    free(t->slots);
    t->slots = slots;
    t->n_slots *= 2;
    t->cap_entries *= 2;
    fill_slots(t);
    return T5_OK;
}

/* Room for one more label. */
static t5_status reserve(t5_labels *t, t5_str name, t5_error *err) {
    char *names = t5_grown(t->names, &t->cap_names, t->n_names + name.n + 1, 1);
    if (!names)
        return no_memory(t, err);
    t->names = names;
    return (size_t)t->n < t->cap_entries ? T5_OK : grow_entries(t, err);
}

/* Counts `count` more occurrences of name. */
static t5_status labels_add(t5_labels *t, t5_str name, int64_t count, t5_error *err) {
    size_t slot = slot_of(t, name);
    if (!t->slots[slot]) {
        if (t->n >= T5_LABELS_MAX)
            return t5_fail(err, T5_ERR_INPUT,
                           "the targets have more than %d distinct labels; labels are the "
                           "white-space-separated words of a target: is it the right key?",
                           T5_LABELS_MAX);
        t5_status status = reserve(t, name, err);
        if (status)
            return status;
        memcpy(t->names + t->n_names, name.s, name.n);
        t->names[t->n_names + name.n] = '\0';
        t->entries[t->n++] = (entry){t->n_names, name.n, 0};
        t->n_names += name.n + 1;
        slot = slot_of(t, name); /* the table may have grown */
        t->slots[slot] = (uint32_t)t->n;
    }
    t->entries[t->slots[slot] - 1].count += count;
    t->total += count;
    return T5_OK;
}

/* Most frequent first. Names lie in the order of first appearance, which breaks ties. */
static int compare(const void *left, const void *right) {
    const entry *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->name < b->name ? -1 : a->name > b->name;
}

t5_status t5_labels_count_rows(const t5_rows *rows, t5_labels **labels, t5_error *err) {
    t5_labels *t;
    t5_status status = labels_create(&t, err);
    if (status)
        return status;
    for (int64_t i = 0; i < t5_rows_count(rows) && !status; i++) {
        t5_str rest = t5_rows_target(rows, i), word;
        while (!status && (word = t5_next_word(&rest)).n > 0)
            status = labels_add(t, word, 1, err);
    }
    if (status) {
        t5_labels_destroy(t);
        return status;
    }
    qsort(t->entries, (size_t)t->n, sizeof *t->entries, compare);
    fill_slots(t);
    *labels = t;
    return T5_OK;
}

t5_status t5_labels_from_list(int n, const t5_str *names, const int64_t *counts, t5_labels **labels,
                              t5_error *err) {
    t5_labels *t;
    t5_status status = labels_create(&t, err);
    if (status)
        return status;
    for (int l = 0; l < n && !status; l++) {
        if (names[l].n == 0 || counts[l] < 1 || (l > 0 && counts[l] > counts[l - 1]))
            status = t5_fail(err, T5_ERR_INPUT,
                             "label %d of the list: expected a name and a count of at least 1 and "
                             "at most that of the label before",
                             l);
        else
            status = labels_add(t, names[l], counts[l], err);
        if (!status && t->n != l + 1)
            status = t5_fail(err, T5_ERR_INPUT, "label %d of the list is there twice: '%.*s'", l,
                             names[l].n > 64 ? 64 : (int)names[l].n, names[l].s);
    }
    if (status) {
        t5_labels_destroy(t);
        return status;
    }
    *labels = t;
    return T5_OK;
}

void t5_labels_destroy(t5_labels *labels) {
    if (!labels)
        return;
    free(labels->slots);
    free(labels->entries);
    free(labels->names);
    free(labels);
}

int t5_labels_size(const t5_labels *labels) {
    return labels->n;
}

t5_str t5_labels_name(const t5_labels *labels, int l) {
    return (t5_str){labels->names + labels->entries[l].name, labels->entries[l].length};
}

int64_t t5_labels_occurrences(const t5_labels *labels, int l) {
    return labels->entries[l].count;
}
int64_t t5_labels_total(const t5_labels *labels) {
    return labels->total;
}

int t5_labels_find(const t5_labels *labels, t5_str name) {
    return (int)labels->slots[slot_of(labels, name)] - 1;
}
