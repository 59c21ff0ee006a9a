/* The data set on rank 0: rows, labels, token ids; and what it gives out: shards.
 *
 * A selection is what a trial with a Top-N filter sees: the rows whose labels are all among the N
 * most frequent, in file order, shuffled and cut into train, validation and test (data/split.h).
 * A shard is part r of R of one split of a selection: entries [n*r/R, n*(r+1)/R) of the split's
 * order, as token ids. A shard serialises into one block of bytes, so it crosses MPI as such. */
#ifndef T5_DATA_DATASET_H
#define T5_DATA_DATASET_H
#include "data/labels.h"
#include "data/split.h"
#include "data/tokenizer.h"

typedef struct t5_dataset t5_dataset;

typedef struct t5_dataset_options {
    double split[3];
    int64_t seed;
    int max_input, max_target; /* tokens, the end token included */
} t5_dataset_options;

/* Counts the labels and tokenises all rows, with OpenMP threads. Labels are tokens of the inputs,
 * too, where t5_tokenizer_add_labels added those of the same rows to tok. The data set keeps
 * references to rows and tok, which must outlive it, and owns its label table. A target with more
 * than max_target - 1 labels is cut; the Top-N filter still looks at all of its labels.
 * T5_ERR_INPUT if there are no rows, or more than 2^32 - 1. */
t5_status t5_dataset_create(const t5_rows *rows, const t5_tokenizer *tok,
                            const t5_dataset_options *options, t5_dataset **set, t5_error *err);
void t5_dataset_destroy(t5_dataset *set);
const t5_labels *t5_dataset_labels(const t5_dataset *set);
const t5_rows *t5_dataset_rows(const t5_dataset *set);

typedef struct t5_selection {
    int top_n;
    int64_t n;      /* rows kept */
    int64_t *order; /* n row numbers (0-based, of the file), shuffled; owned */
    t5_split split;
} t5_selection;
/* *selection stays owned by the data set, which keeps one for every top_n asked for. Thread-safe.
 * T5_ERR_EMPTY, saying top_n and the numbers of rows, if the filter keeps no row, or so few that
 * the training split, or another whose fraction is not 0, has none. */
t5_status t5_dataset_select(t5_dataset *set, int top_n, const t5_selection **selection,
                            t5_error *err);

typedef enum { T5_TRAIN, T5_VALIDATION, T5_TEST } t5_split_kind;

/* Token ids of some rows, in compressed rows: row i's input is input[input_start[i] ..
 * input_start[i+1]), the end token included; its target likewise. */
typedef struct t5_shard {
    int64_t n;
    int64_t first;                       /* position of row 0 in the split's order */
    int64_t n_total;                     /* rows of the whole split */
    int64_t *row;                        /* number of the row in the file */
    int64_t *input_start, *target_start; /* n + 1 */
    int32_t *input, *target;
    void *block; /* all of the above in one allocation */
    size_t block_bytes;
} t5_shard;

/* In its inputs the first top_n labels are tokens (0: all), the texts of others are pieces, as in
 * Transformers after add_tokens with the labels that the trial's model knows.
 * The shard is freed by t5_shard_destroy; it may have no rows (more parts than rows). Errors of
 * t5_dataset_select, and T5_ERR_INPUT if there is no such part or split. Thread-safe. */
t5_status t5_dataset_shard(t5_dataset *set, int top_n, t5_split_kind kind, int part, int parts,
                           t5_shard **shard, t5_error *err);
/* A shard from the bytes of another's block (malloc'd), which the new shard then owns; on failure
 * it stays the caller's. Whatever the bytes are, nothing outside them is read: T5_ERR_INPUT unless
 * the size is exactly right, offsets ascend, and no row number or token id is negative (how large
 * an id may be, a shard does not know). */
t5_status t5_shard_from_block(void *block, size_t bytes, t5_shard **shard, t5_error *err);
void t5_shard_destroy(t5_shard *shard);

#endif
