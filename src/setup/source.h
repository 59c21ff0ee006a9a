/* The data set as rank 0 holds it: rows read from the configuration's file, tokenised, with the
 * answers that need no model for every selection that the plan uses. */
#ifndef T5_SETUP_SOURCE_H
#define T5_SETUP_SOURCE_H
#include "data/dataset.h"
#include "io/jsonl.h"
#include "plan/plan.h"
#include "score/metrics.h"
#include "setup/pretrained.h"

typedef struct t5_source_selection {
    int top_n;
    t5_metrics no_model; /* best answer without a model on the test rows */
    char no_model_name[128];
    double gold_outside_top5; /* of the test rows' labels */
} t5_source_selection;

typedef struct t5_source {
    t5_rows *rows;
    t5_pretrained *pretrained;  /* of model.path, or NULL */
    uint64_t fingerprint_model; /* t5_pretrained_fingerprint, or 0 */
    t5_tokenizer *tokenizer;
    void *tokenizer_block; /* for t5_tokenizer_from_block */
    size_t tokenizer_bytes;
    t5_dataset *set;
    t5_jsonl_report report;
    int n_selections;
    t5_source_selection *selections; /* one per distinct top_n of the plan that keeps any row */
} t5_source;

/* Reads, filters, splits, tokenises. Not collective. Bad files are T5_ERR_INPUT; a filter that
 * leaves nothing is not an error here: that trial fails alone. */
t5_status t5_source_open(const t5_config *config, const t5_plan *plan, t5_source *source,
                         t5_error *err);
void t5_source_close(t5_source *source);

/* A number (XXH3) for the rows, the tokeniser and the pre-trained model that trials are trained
 * with: another one for others. Reads all texts. And one for the tokeniser alone. */
uint64_t t5_source_fingerprint(const t5_source *source);
uint64_t t5_source_fingerprint_tokenizer(const t5_source *source);

/* The selection of a filter, NULL if it left no rows. */
const t5_source_selection *t5_source_find(const t5_source *source, int top_n);

/* The up to T5_TOP most frequent labels of all rows; returns how many. */
int t5_top_labels(const t5_labels *labels, t5_str top[T5_TOP]);

/* Inputs and targets of a split as one block for a group's first rank, and back. Layout: int64 n,
 * then per row two int64 lengths, then the bytes of all rows. */
t5_status t5_texts_pack(t5_dataset *set, int top_n, t5_split_kind kind, void **block, size_t *bytes,
                        t5_error *err);
typedef struct t5_texts {
    int64_t n;
    t5_str *input, *target;
    void *block;
} t5_texts;
/* Takes ownership of block, also on failure. */
t5_status t5_texts_unpack(void *block, size_t bytes, t5_texts *texts, t5_error *err);
void t5_texts_free(t5_texts *texts);

#endif
