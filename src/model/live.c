#include "model/live.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool t5_live_init(t5_live *l, int n_rows, int width, int max_length, int32_t start_id) {
    *l = (t5_live){.capacity = n_rows * width, .max_length = max_length, .n = n_rows};
    const size_t n = (size_t)l->capacity, tokens = n * (size_t)max_length;
    l->history = calloc(tokens, sizeof *l->history);
    l->history_next = calloc(tokens, sizeof *l->history_next);
    l->row = calloc(n, sizeof *l->row);
    l->row_next = calloc(n, sizeof *l->row_next);
    l->parent = calloc(n, sizeof *l->parent);
    if (!l->history || !l->history_next || !l->row || !l->row_next || !l->parent)
        return false;
    for (int i = 0; i < n_rows; i++) {
        l->history[(size_t)i * (size_t)max_length] = start_id;
        l->row[i] = i;
    }
    return true;
}

void t5_live_free(t5_live *l) {
    free(l->history);
    free(l->history_next);
    free(l->row);
    free(l->row_next);
    free(l->parent);
    *l = (t5_live){0};
}

void t5_live_advance(t5_live *l, int n, const int *parent, const int32_t *token) {
    const size_t length = (size_t)l->max_length, filled = (size_t)l->position + 1;
    int32_t *history = l->history_next;
    int *row = l->row_next;
    assert(n >= 1 && n <= l->capacity && filled < length);
    l->moved = false;
    for (int i = 0; i < n; i++) {
        assert(parent[i] >= 0 && parent[i] < l->n);
        int32_t *to = history + (size_t)i * length;
        memcpy(to, l->history + (size_t)parent[i] * length, filled * sizeof *to);
        to[filled] = token[i];
        row[i] = l->row[parent[i]];
        l->parent[i] = parent[i];
        l->moved = l->moved || parent[i] != i;
    }
    l->history_next = l->history;
    l->history = history;
    l->row_next = l->row;
    l->row = row;
    l->n = n;
    l->position++;
}
