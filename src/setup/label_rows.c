#include "setup/label_rows.h"
#include "data/label_init.h"
#include <stdlib.h>
#include <string.h>

bool t5_is_embedding(const t5_param *p) {
    return strcmp(p->name, "shared.weight") == 0 || strcmp(p->name, "lm_head.weight") == 0;
}

/* A matrix whose label rows are being made. */
typedef struct matrix {
    const t5_setup *setup;
    t5_model *model;
    const t5_label_pieces *pieces; /* "describe": of every label */
    const t5_param *param;
    int number; /* of the parameter */
    float *row; /* (d_model) work space */
    double *sum;
    float *mean; /* of the rows that the tokeniser knows */
} matrix;

static t5_status read_row(const matrix *m, int64_t id, t5_error *err) {
    return t5_model_read(m->model, T5_ARENA_WEIGHT, m->param->offset + id * m->param->cols,
                         m->param->cols, m->row, err);
}

static t5_status write_row(const matrix *m, int64_t id, const float *row, t5_error *err) {
    return t5_model_write(m->model, T5_ARENA_WEIGHT, m->param->offset + id * m->param->cols,
                          m->param->cols, row, err);
}

static void add_row(const matrix *m) {
    for (int64_t j = 0; j < m->param->cols; j++)
        m->sum[j] += (double)m->row[j];
}

/* out = sum / n; the sum begins anew. */
static void end_mean(const matrix *m, int64_t n, float *out) {
    for (int64_t j = 0; j < m->param->cols; j++) {
        out[j] = (float)(m->sum[j] / (double)n);
        m->sum[j] = 0;
    }
}

/* The mean of the rows of all tokens that the tokeniser had without the labels. */
static t5_status mean_of_known(const matrix *m, t5_error *err) {
    int rows = t5_tokenizer_rows(m->setup->tokenizer, 0);
    int known = rows < m->setup->settings.shape.vocab ? rows : m->setup->settings.shape.vocab;
    for (int id = 0; id < known; id++) {
        if (read_row(m, id, err) != T5_OK)
            return err->status;
        add_row(m);
    }
    end_mean(m, known, m->mean);
    return T5_OK;
}

/* Row `id` of a token that has nothing to be described by. */
static t5_status init_row(const matrix *m, int64_t id, uint64_t seed, t5_error *err) {
    if (m->setup->settings.label_init != T5_LABEL_INIT_RANDOM)
        return write_row(m, id, m->mean, err);
    t5_model_draw(m->model, seed, m->number, id * m->param->cols, m->param->cols, m->row);
    return write_row(m, id, m->row, err);
}

/* A label may have been a piece or an added token before: it keeps its row then. */
static bool is_new(const t5_tokenizer *tokenizer, int l, int n_labels) {
    int32_t id = t5_tokenizer_label_id(tokenizer, l);
    const t5_added_token *token =
        t5_added_tokens_by_id(t5_tokenizer_added(tokenizer), n_labels, id);
    return id >= t5_tokenizer_pieces(tokenizer) && token && token->label == l;
}

/* The mean of the rows of what describes label l; as init_row if nothing does. */
static t5_status init_label(const matrix *m, int l, uint64_t seed, t5_error *err) {
    const t5_label_pieces *pieces = m->pieces;
    int64_t id = t5_tokenizer_label_id(m->setup->tokenizer, l);
    if (pieces->n == 0 || pieces->start[l + 1] == pieces->start[l])
        return init_row(m, id, seed, err);
    for (int64_t i = pieces->start[l]; i < pieces->start[l + 1]; i++) {
        if (read_row(m, pieces->ids[i], err) != T5_OK)
            return err->status;
        add_row(m);
    }
    end_mean(m, pieces->start[l + 1] - pieces->start[l], m->row);
    return write_row(m, id, m->row, err);
}

static t5_status init_matrix(const matrix *m, uint64_t seed, int n_labels, t5_error *err) {
    const t5_tokenizer *tokenizer = m->setup->tokenizer;
    if (m->setup->settings.label_init != T5_LABEL_INIT_RANDOM && mean_of_known(m, err) != T5_OK)
        return err->status;
    /* sentinels may have had no rows, too */
    for (int64_t id = m->setup->settings.shape.vocab; id < m->param->rows; id++)
        if (init_row(m, id, seed, err) != T5_OK)
            return err->status;
    for (int l = 0; l < n_labels; l++)
        if (is_new(tokenizer, l, n_labels) && init_label(m, l, seed, err) != T5_OK)
            return err->status;
    return T5_OK;
}

t5_status t5_label_rows_init(const t5_setup *setup, t5_model *model, uint64_t seed, int n_labels,
                             t5_error *err) {
    size_t d = (size_t)t5_model_shape(model)->d_model;
    t5_label_pieces pieces = {0};
    matrix m = {.setup = setup,
                .model = model,
                .pieces = &pieces,
                .row = malloc(d * sizeof *m.row),
                .mean = malloc(d * sizeof *m.mean),
                .sum = calloc(d, sizeof *m.sum)};
    if (!m.row || !m.mean || !m.sum)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the labels' rows");
    else if (setup->settings.label_init == T5_LABEL_INIT_DESCRIBE)
        t5_label_pieces_make(setup->tokenizer, setup->labels, n_labels, &pieces, err);
    for (int i = 0; i < t5_model_n_params(model) && err->status == T5_OK; i++) {
        m.param = t5_model_param(model, i);
        m.number = i;
        if (t5_is_embedding(m.param))
            init_matrix(&m, seed, n_labels, err);
    }
    free(m.row);
    free(m.mean);
    free(m.sum);
    t5_label_pieces_free(&pieces);
    return err->status;
}
