#include "base/tokenizer_files.h"
#include <stdlib.h>
#include <string.h>

/* A block: a head, the model's bytes, then per entry an entry_head and its text. */
static const char magic[8] = "t5tok\0\1";

typedef struct block_head {
    char magic[8];
    uint64_t model_bytes;
    int32_t n_added, n_special, n_additional, eos, unk, pad, extra_ids, prefix_space;
} block_head;

typedef struct entry_head {
    int32_t id;
    uint32_t length, flags;
} entry_head;

enum { BARE = 1, SPECIAL = 2, LSTRIP = 4, RSTRIP = 8, SINGLE_WORD = 16, NORMALIZED = 32 };

static void entries_free(t5_token_entry *entries, int n) {
    for (int i = 0; entries && i < n; i++)
        free(entries[i].text);
    free(entries);
}

void t5_tokenizer_files_free(t5_tokenizer_files *files) {
    free(files->model);
    entries_free(files->added, files->n_added);
    entries_free(files->special, files->n_special);
    memset(files, 0, sizeof *files);
}

/* --- into a block --- */

static size_t entries_size(const t5_token_entry *entries, int n) {
    size_t bytes = 0;
    for (int i = 0; i < n; i++)
        bytes += sizeof(entry_head) + strlen(entries[i].text);
    return bytes;
}

static char *put(char *to, const void *from, size_t n) {
    if (n > 0)
        memcpy(to, from, n);
    return to + n;
}

static char *put_entries(char *to, const t5_token_entry *entries, int n) {
    for (int i = 0; i < n; i++) {
        const t5_token_entry *e = &entries[i];
        int flags = (e->bare ? BARE : 0) | (e->special ? SPECIAL : 0) | (e->lstrip ? LSTRIP : 0) |
                    (e->rstrip ? RSTRIP : 0) | (e->single_word ? SINGLE_WORD : 0) |
                    (e->normalized ? NORMALIZED : 0);
        entry_head h = {e->id, (uint32_t)strlen(e->text), (uint32_t)flags};
        to = put(to, &h, sizeof h);
        to = put(to, e->text, h.length);
    }
    return to;
}

t5_status t5_tokenizer_files_pack(const t5_tokenizer_files *files, void **block, size_t *bytes,
                                  t5_error *err) {
    block_head h = {.model_bytes = files->model_bytes,
                    .n_added = files->n_added,
                    .n_special = files->n_special,
                    .n_additional = files->n_additional,
                    .eos = files->eos,
                    .unk = files->unk,
                    .pad = files->pad,
                    .extra_ids = files->extra_ids,
                    .prefix_space = files->prefix_space};
    size_t n = sizeof h + files->model_bytes + entries_size(files->added, files->n_added) +
               entries_size(files->special, files->n_special);
    char *to = malloc(n);
    if (!to)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the tokeniser's files (%zu bytes)",
                       n);
    *block = to;
    *bytes = n;
    memcpy(h.magic, magic, sizeof magic);
    to = put(to, &h, sizeof h);
    to = put(to, files->model, files->model_bytes);
    to = put_entries(to, files->added, files->n_added);
    put_entries(to, files->special, files->n_special);
    return T5_OK;
}

/* --- and out of it --- */

typedef struct reader {
    const char *at;
    size_t left;
} reader;

static bool get(reader *r, void *to, size_t n) {
    if (n > r->left)
        return false;
    if (n > 0)
        memcpy(to, r->at, n);
    r->at += n;
    r->left -= n;
    return true;
}

static t5_status damaged(t5_error *err) {
    return t5_fail(err, T5_ERR_INPUT, "these bytes are not those of a tokeniser's files");
}

static t5_status out_of_memory(t5_error *err) {
    return t5_fail(err, T5_ERR_MEMORY, "out of memory for the tokeniser's files");
}

static t5_status get_entry(reader *r, t5_token_entry *e, t5_error *err) {
    entry_head h;
    if (!get(r, &h, sizeof h) || h.length == 0 || h.length > r->left || h.id < -1 ||
        h.id >= T5_TOKEN_ID_MAX)
        return damaged(err);
    *e = (t5_token_entry){.id = h.id,
                          .bare = h.flags & BARE,
                          .special = h.flags & SPECIAL,
                          .lstrip = h.flags & LSTRIP,
                          .rstrip = h.flags & RSTRIP,
                          .single_word = h.flags & SINGLE_WORD,
                          .normalized = h.flags & NORMALIZED};
    if (!(e->text = calloc((size_t)h.length + 1, 1)))
        return out_of_memory(err);
    get(r, e->text, h.length);
    return strlen(e->text) == h.length ? T5_OK : damaged(err);
}

/* *n counts what there is to free. */
static t5_status get_entries(reader *r, int count, t5_token_entry **entries, int *n,
                             t5_error *err) {
    if (count == 0)
        return T5_OK;
    if (!(*entries = calloc((size_t)count, sizeof **entries)))
        return out_of_memory(err);
    for (*n = 0; *n < count;) {
        t5_status status = get_entry(r, &(*entries)[(*n)++], err);
        if (status)
            return status;
    }
    return T5_OK;
}

bool t5_tokenizer_files_is_block(const void *bytes, size_t n) {
    return n >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

static bool head_is_sane(const block_head *h, size_t left) {
    const int most = T5_TOKEN_ENTRIES_MAX;
    return t5_tokenizer_files_is_block(h->magic, sizeof h->magic) && h->model_bytes <= left &&
           h->n_added >= 0 && h->n_added <= most && h->n_special >= 0 && h->n_special <= most &&
           h->n_additional >= -1 && h->n_additional <= h->n_special && h->eos >= 0 && h->unk >= 0 &&
           h->pad >= 0 && h->eos < h->n_special && h->unk < h->n_special && h->pad < h->n_special &&
           h->extra_ids >= 0 && h->extra_ids <= most;
}

t5_status t5_tokenizer_files_unpack(const void *block, size_t bytes, t5_tokenizer_files *files,
                                    t5_error *err) {
    reader r = {block, bytes};
    block_head h;
    t5_status status = T5_OK;
    memset(files, 0, sizeof *files);
    if (!get(&r, &h, sizeof h) || !head_is_sane(&h, r.left))
        return damaged(err);
    files->n_additional = h.n_additional;
    files->eos = h.eos;
    files->unk = h.unk;
    files->pad = h.pad;
    files->extra_ids = h.extra_ids;
    files->prefix_space = h.prefix_space != 0;
    if (!(files->model = malloc(h.model_bytes + 1))) {
        status = out_of_memory(err);
        goto done;
    }
    files->model_bytes = h.model_bytes;
    get(&r, files->model, h.model_bytes);
    status = get_entries(&r, h.n_added, &files->added, &files->n_added, err);
    if (!status)
        status = get_entries(&r, h.n_special, &files->special, &files->n_special, err);
    if (!status && r.left > 0)
        status = damaged(err);
done:
    if (status)
        t5_tokenizer_files_free(files);
    return status;
}
