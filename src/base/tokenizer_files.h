/* What the files of a tokeniser say, as plain values: io reads them (io/hf_tokenizer.h), data makes
 * a tokeniser of them (data/tokenizer.h), and a block of bytes takes them from rank to rank. */
#ifndef T5_BASE_TOKENIZER_FILES_H
#define T5_BASE_TOKENIZER_FILES_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More tokens, or larger ids, than any tokeniser has; a file with more is no tokeniser's. */
enum { T5_TOKEN_ENTRIES_MAX = 1 << 15, T5_TOKEN_ID_MAX = 1 << 24, T5_MAX_TOKENS_MAX = 1 << 16 };

/* A token beside the pieces. The flags are those of Transformers' AddedToken. */
typedef struct t5_token_entry {
    char *text; /* UTF-8, not empty; owned */
    int32_t id; /* below T5_TOKEN_ID_MAX; -1: the tokeniser finds one */
    bool bare;  /* the files give the text only: an entry of that text with flags counts */
    bool special, lstrip, rstrip, single_word, normalized;
} t5_token_entry;

typedef struct t5_tokenizer_files {
    void *model; /* the bytes of spiece.model; owned */
    size_t model_bytes;
    t5_token_entry *added; /* with ids, in the order of their file */
    int n_added;
    t5_token_entry *special; /* without ids: bos, eos, unk, sep, pad, cls, mask as far as there are
                              * such, then the additional ones */
    int n_special;
    int n_additional;  /* the last ones of special; -1: the files have no list of such */
    int eos, unk, pad; /* their places in special */
    int extra_ids;     /* sentinels <extra_id_0> .. */
    int max_tokens;    /* of a text (model_max_length), the end token included; 0: no limit said.
                        * Not packed: whoever trains has a limit of its own */
    bool prefix_space; /* a text is encoded as if a space stood before it */
} t5_tokenizer_files;

void t5_tokenizer_files_free(t5_tokenizer_files *files); /* what it owns; leaves it empty */

/* Everything in one malloc'd block. T5_ERR_MEMORY. */
t5_status t5_tokenizer_files_pack(const t5_tokenizer_files *files, void **block, size_t *bytes,
                                  t5_error *err);
/* Does a block begin here, rather than a spiece.model alone? */
bool t5_tokenizer_files_is_block(const void *bytes, size_t n);
/* The contents of a block, as copies. Whatever the bytes are, nothing outside them is read:
 * T5_ERR_INPUT. On failure *files is empty. */
t5_status t5_tokenizer_files_unpack(const void *block, size_t bytes, t5_tokenizer_files *files,
                                    t5_error *err);

#endif
