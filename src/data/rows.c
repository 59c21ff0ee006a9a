#include "data/rows.h"
#include "base/text.h"
#include "data/grow.h"
#include <stdbool.h>
#include <string.h>

/* Strings one behind the other; string i is bytes[start[i] .. start[i + 1]). */
typedef struct arena {
    char *bytes;
    size_t cap_bytes;
    size_t *start;
    size_t cap_start;
} arena;

struct t5_rows {
    int64_t n;
    arena input, target;
};

/* Room for one more string of `bytes` bytes behind the n there are. */
static bool arena_reserve(arena *a, size_t n, size_t bytes) {
    size_t *start = t5_grown(a->start, &a->cap_start, n + 2, sizeof *start);
    if (!start)
        return false;
    a->start = start;
    if (n == 0)
        start[0] = 0;
    if (bytes > SIZE_MAX - start[n])
        return false;
    char *text = t5_grown(a->bytes, &a->cap_bytes, start[n] + bytes, 1);
    if (!text)
        return false;
    a->bytes = text;
    return true;
}

static void arena_put(arena *a, size_t n, t5_str text) {
    if (text.n > 0)
        memcpy(a->bytes + a->start[n], text.s, text.n);
    a->start[n + 1] = a->start[n] + text.n;
}

static t5_str arena_get(const arena *a, int64_t i) {
    return (t5_str){a->bytes + a->start[i], a->start[i + 1] - a->start[i]};
}

t5_status t5_rows_create(t5_rows **rows, t5_error *err) {
    *rows = calloc(1, sizeof **rows);
    return *rows ? T5_OK : t5_fail(err, T5_ERR_MEMORY, "out of memory for the data set");
}

void t5_rows_destroy(t5_rows *rows) {
    if (!rows)
        return;
    free(rows->input.bytes);
    free(rows->input.start);
    free(rows->target.bytes);
    free(rows->target.start);
    free(rows);
}

t5_status t5_rows_append(t5_rows *rows, t5_str input, t5_str target, t5_error *err) {
    size_t n = (size_t)rows->n;
    if (!arena_reserve(&rows->input, n, input.n) || !arena_reserve(&rows->target, n, target.n))
        return t5_fail(err, T5_ERR_MEMORY, "out of memory after %lld rows of the data set",
                       (long long)rows->n);
    arena_put(&rows->input, n, input);
    arena_put(&rows->target, n, target);
    rows->n++;
    return T5_OK;
}

int64_t t5_rows_count(const t5_rows *rows) {
    return rows->n;
}
t5_str t5_rows_input(const t5_rows *rows, int64_t i) {
    return arena_get(&rows->input, i);
}
t5_str t5_rows_target(const t5_rows *rows, int64_t i) {
    return arena_get(&rows->target, i);
}

t5_str t5_next_word(t5_str *rest) {
    size_t width;
    while ((width = t5_space_length(rest->s, rest->n)) > 0) {
        rest->s += width;
        rest->n -= width;
    }
    t5_str word = {rest->s, 0};
    while (word.n < rest->n && t5_space_length(rest->s + word.n, rest->n - word.n) == 0)
        word.n++;
    rest->s += word.n;
    rest->n -= word.n;
    return word;
}
