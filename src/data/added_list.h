/* A list of added tokens, sorted by text, each text once: what added_tokens.c looks things up in
 * and added_make.c builds. */
#ifndef T5_DATA_ADDED_LIST_H
#define T5_DATA_ADDED_LIST_H
#include "data/added_tokens.h"

typedef struct t5_added_list {
    int n;
    int vocabulary;        /* different texts among pieces and tokens */
    t5_added_token *token; /* (n); texts are owned and NUL-terminated */
    size_t cap;
} t5_added_list;

/* Is the first text before (< 0), behind (> 0) or the same as (0) the second? By bytes. */
int t5_added_compare(t5_str a, t5_str b);
/* The place of text in the list, or where it belongs. */
int t5_added_place(const t5_added_list *list, t5_str text);
t5_added_token *t5_added_find(const t5_added_list *list, t5_str text); /* NULL: not there */
/* Puts a token, with a copy of its text, at a place. T5_ERR_MEMORY. */
t5_status t5_added_insert(t5_added_list *list, int place, t5_added_token token, t5_error *err);
void t5_added_list_free(t5_added_list *list);

/* Takes over the list, also on failure. */
t5_status t5_added_tokens_of_list(t5_added_list *list, t5_added_tokens **tokens, t5_error *err);

#endif
