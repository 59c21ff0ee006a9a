/* The live set of a generation: which sequences the decoder goes on with, what they hold, and which
 * row each is of. Host only. The sequences of a row lie one behind the other. */
#ifndef T5_MODEL_LIVE_H
#define T5_MODEL_LIVE_H
#include <stdbool.h>
#include <stdint.h>

typedef struct t5_live {
    int capacity, max_length;
    int n;                 /* live sequences */
    int position;          /* of their last token, 0 is the start token */
    int32_t *history;      /* (n, max_length) tokens, position + 1 of each are there */
    int *row;              /* (n) */
    int *parent;           /* (n) where each was before the latest advance */
    bool moved;            /* some sequence was elsewhere before */
    int32_t *history_next; /* what advance writes to */
    int *row_next;
} t5_live;

/* One sequence for each of n_rows rows, holding the start token; room for `width` each. false: out
 * of memory. Freed by t5_live_free, also after a failure. */
bool t5_live_init(t5_live *l, int n_rows, int width, int max_length, int32_t start_id);
void t5_live_free(t5_live *l);
/* Sequence i becomes what sequence parent[i] was, followed by token[i]; n <= capacity. */
void t5_live_advance(t5_live *l, int n, const int *parent, const int32_t *token);

#endif
