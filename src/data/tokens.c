#include "data/tokens.h"
#include "data/grow.h"
#include <stdbool.h>
#include <string.h>

/* Rows are tokenised block by block: threads fill a row's slot of max_input (max_target) ids, then
 * the slots are appended in order. So memory beyond the result is one block. */
enum { BLOCK_IDS = 1 << 20, BLOCK_ROWS = 4096 };

typedef struct slots {
    int max; /* ids a row */
    int32_t *ids;
    int *n;
} slots;

typedef struct maker {
    const t5_rows *rows;
    const t5_tokenizer *tok;
    const t5_labels *labels;
    int64_t block_rows;
    slots input, target;
    t5_tokens *out;
    size_t cap_input, cap_target;
} maker;

static bool slots_alloc(slots *s, int64_t rows, int max) {
    s->max = max;
    s->ids = malloc((size_t)rows * (size_t)max * sizeof *s->ids);
    s->n = malloc((size_t)rows * sizeof *s->n);
    return s->ids && s->n;
}

static void slots_free(slots *s) {
    free(s->ids);
    free(s->n);
}

/* Row i's target into slot `at`. */
static void encode_target(maker *m, int64_t i, int64_t at) {
    int32_t *ids = m->target.ids + at * m->target.max;
    int n = 0, rarest = -1;
    t5_str rest = t5_rows_target(m->rows, i), word;
    while ((word = t5_next_word(&rest)).n > 0) {
        int l = t5_labels_find(m->labels, word);
        if (l < 0)
            continue;
        if (l > rarest)
            rarest = l;
        if (n < m->target.max - 1)
            ids[n++] = t5_tokenizer_label_id(m->tok, l);
    }
    ids[n++] = t5_tokenizer_eos(m->tok);
    m->target.n[at] = n;
    m->out->rarest[i] = rarest;
}

static t5_status row_failed(t5_error *err, int64_t i, const t5_error *why) {
    return t5_fail(err, why->status, "row %lld: %s", (long long)i + 1, why->text);
}

/* Rows first .. first + count into the slots. Of several failures the one of the lowest row is
 * reported, whichever thread met it. */
static t5_status encode_block(maker *m, int64_t first, int64_t count, t5_error *err) {
    int64_t failed_row = INT64_MAX;
    t5_error failure = {0};
#pragma omp parallel for schedule(dynamic, 64)
    for (int64_t at = 0; at < count; at++) {
        t5_error own = {0};
        t5_status status = t5_tokenizer_encode_seeing(
            m->tok, t5_labels_size(m->labels), t5_rows_input(m->rows, first + at), m->input.max,
            m->input.ids + at * m->input.max, &m->input.n[at], &m->out->rarest_in_input[first + at],
            &own);
        encode_target(m, first + at, at);
        if (status) {
#pragma omp critical(t5_tokens_failure)
            if (first + at < failed_row) {
                failed_row = first + at;
                failure = own;
            }
        }
    }
    if (!failure.status)
        return T5_OK;
    return row_failed(err, failed_row, &failure);
}

/* Appends `count` slots to the compressed rows. */
static bool append(const slots *s, int64_t first, int64_t count, int64_t *start, int32_t **ids,
                   size_t *cap) {
    int64_t end = start[first];
    for (int64_t at = 0; at < count; at++)
        end += s->n[at];
    int32_t *grown = t5_grown(*ids, cap, (size_t)end, sizeof *grown);
    if (!grown)
        return false;
    *ids = grown;
    for (int64_t at = 0; at < count; at++) {
        memcpy(grown + start[first + at], s->ids + at * s->max, (size_t)s->n[at] * sizeof *grown);
        start[first + at + 1] = start[first + at] + s->n[at];
    }
    return true;
}

/* Gives back what doubling allocated too much; a failure to shrink harms nothing. */
static void shrink(int32_t **ids, int64_t n) {
    int32_t *smaller = realloc(*ids, (size_t)n * sizeof *smaller);
    if (smaller)
        *ids = smaller;
}

static bool allocate(maker *m, int max_input, int max_target) {
    int64_t longest = max_input > max_target ? max_input : max_target;
    m->block_rows = BLOCK_IDS / longest;
    if (m->block_rows > BLOCK_ROWS)
        m->block_rows = BLOCK_ROWS;
    if (m->block_rows < 1)
        m->block_rows = 1;
    t5_tokens *out = m->out;
    out->input_start = calloc((size_t)out->n + 1, sizeof *out->input_start);
    out->target_start = calloc((size_t)out->n + 1, sizeof *out->target_start);
    out->rarest = malloc(((size_t)out->n + 1) * sizeof *out->rarest);
    out->rarest_in_input = malloc(((size_t)out->n + 1) * sizeof *out->rarest_in_input);
    return out->input_start && out->target_start && out->rarest && out->rarest_in_input &&
           slots_alloc(&m->input, m->block_rows, max_input) &&
           slots_alloc(&m->target, m->block_rows, max_target);
}

t5_status t5_tokens_make(const t5_rows *rows, const t5_tokenizer *tok, const t5_labels *labels,
                         int max_input, int max_target, t5_tokens *tokens, t5_error *err) {
    int64_t n = t5_rows_count(rows);
    *tokens = (t5_tokens){.rows = rows, .tok = tok, .max_input = max_input, .n = n};
    maker m = {.rows = rows, .tok = tok, .labels = labels, .out = tokens};
    t5_status status = T5_OK;
    if (max_input < 1 || max_target < 1) {
        status = t5_fail(err, T5_ERR_INPUT,
                         "max_input is %d and max_target is %d; expected at least 1, for the end "
                         "token",
                         max_input, max_target);
        goto done;
    }
    if (!allocate(&m, max_input, max_target)) {
        status =
            t5_fail(err, T5_ERR_MEMORY, "out of memory for the tokens of %lld rows", (long long)n);
        goto done;
    }
    for (int64_t first = 0; first < n && !status; first += m.block_rows) {
        int64_t count = n - first < m.block_rows ? n - first : m.block_rows;
        status = encode_block(&m, first, count, err);
        if (!status &&
            (!append(&m.input, first, count, tokens->input_start, &tokens->input, &m.cap_input) ||
             !append(&m.target, first, count, tokens->target_start, &tokens->target,
                     &m.cap_target)))
            status = t5_fail(err, T5_ERR_MEMORY,
                             "out of memory for the tokens after %lld of %lld "
                             "rows",
                             (long long)first, (long long)n);
    }
    if (!status && n > 0) {
        shrink(&tokens->input, tokens->input_start[n]);
        shrink(&tokens->target, tokens->target_start[n]);
    }
done:
    slots_free(&m.input);
    slots_free(&m.target);
    if (status)
        t5_tokens_free(tokens);
    return status;
}

t5_status t5_tokens_input(const t5_tokens *tokens, int64_t i, int n_labels, int32_t *room,
                          const int32_t **ids, int *n, t5_error *err) {
    if (tokens->rarest_in_input[i] < n_labels) {
        *ids = tokens->input + tokens->input_start[i];
        *n = (int)(tokens->input_start[i + 1] - tokens->input_start[i]);
        return T5_OK;
    }
    t5_error why = {0};
    *ids = room;
    if (t5_tokenizer_encode_with(tokens->tok, n_labels, t5_rows_input(tokens->rows, i),
                                 tokens->max_input, room, n, &why) != T5_OK)
        return row_failed(err, i, &why);
    return T5_OK;
}

void t5_tokens_free(t5_tokens *tokens) {
    free(tokens->input_start);
    free(tokens->target_start);
    free(tokens->input);
    free(tokens->target);
    free(tokens->rarest);
    free(tokens->rarest_in_input);
    *tokens = (t5_tokens){0};
}
