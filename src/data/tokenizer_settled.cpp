/* A tokeniser's tokens, listed with their ids. No exception leaves this file. */
#include "data/tokenizer_internal.h"
extern "C" {
#include "data/tokenizer_settled.h"
}
#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace {

/* What the new files list, before it is copied to where t5_tokenizer_files_free finds it. */
struct listing {
    std::vector<t5_token_entry> entries;
    std::vector<std::string> texts;

    void add(std::string text, t5_token_entry flags) {
        texts.push_back(std::move(text));
        entries.push_back(flags);
    }
    /* a special token whose flags are elsewhere */
    void add_name(std::string text) {
        t5_token_entry name = {};
        name.id = -1;
        name.bare = name.special = true;
        add(std::move(text), name);
    }
};

} // namespace

static bool is_label(const t5_tokenizer *tok, int n_labels, int32_t id) {
    auto label = tok->label_of.find(id);
    return label != tok->label_of.end() && label->second < n_labels;
}

/* An additional special token that is a label is special no more: answers keep it. Sentinels are
 * counted, so they stay. */
static bool is_demoted(const t5_tokenizer *tok, const t5_tokenizer_files *files, int n_labels,
                       const char *text) {
    const t5_added_token *token =
        t5_added_tokens_find(tok->added, 0, t5_str{text, std::strlen(text)});
    if (!token || !is_label(tok, n_labels, token->id) || std::strstr(text, "<extra_id_"))
        return false;
    for (int i = files->n_special - files->n_additional; i < files->n_special; i++)
        if (std::strcmp(files->special[i].text, text) == 0)
            return true;
    return false;
}

static void list_added(const t5_tokenizer *tok, const t5_tokenizer_files *files, int n_labels,
                       listing &added) {
    for (int i = 0; i < t5_added_tokens_size(tok->added); i++) {
        const t5_added_token *token = t5_added_tokens_at(tok->added, i);
        if (token->label >= n_labels)
            continue;
        t5_token_entry e = {};
        e.id = token->id;
        e.special = token->special && !is_demoted(tok, files, n_labels, token->text.s);
        e.lstrip = token->lstrip;
        e.rstrip = token->rstrip;
        e.single_word = token->single_word;
        /* fast tokenisers would take half-width kana for a label otherwise, slow ones do not look
         */
        e.normalized = token->normalized && token->label < 0;
        added.add(std::string(token->text.s, token->text.n), e);
    }
}

/* The special tokens that the files name; a missing list of additional ones is that of the
 * sentinels. */
static void list_special(const t5_tokenizer *tok, const t5_tokenizer_files *files, int n_labels,
                         t5_tokenizer_files &settled, listing &special) {
    int n_named = files->n_special - std::max(files->n_additional, 0);
    for (int i = 0; i < files->n_special; i++)
        if (i < n_named || !is_demoted(tok, files, n_labels, files->special[i].text))
            special.add_name(files->special[i].text);
    for (int i = 0; files->n_additional < 0 && i < files->extra_ids; i++)
        special.add_name("<extra_id_" + std::to_string(i) + ">");
    settled.eos = files->eos;
    settled.unk = files->unk;
    settled.pad = files->pad;
    settled.extra_ids = files->extra_ids;
    settled.n_additional = static_cast<int>(special.entries.size()) - n_named;
}

/* Those of a spiece.model alone. A model without a pad piece pads with piece 0 (T5's convention),
 * which has to be a token then. */
static void list_pieces(const t5_tokenizer *tok, t5_tokenizer_files &settled, listing &special,
                        listing &added) {
    for (int id : {tok->eos, tok->unk, tok->pad}) {
        t5_str piece = t5_pieces_text(tok->pieces, id);
        special.add_name(std::string(piece.s, piece.n));
        if (t5_added_tokens_by_id(tok->added, 0, id))
            continue;
        t5_token_entry e = {};
        e.id = id;
        e.special = true;
        added.add(std::string(piece.s, piece.n), e);
    }
    settled.eos = 0;
    settled.unk = 1;
    settled.pad = 2;
}

/* False: out of memory. *n counts what there is to free. */
static bool copy_entries(const listing &from, t5_token_entry **entries, int *n) {
    size_t wanted = from.entries.size();
    *n = 0;
    *entries = static_cast<t5_token_entry *>(std::malloc((wanted + 1) * sizeof **entries));
    for (size_t i = 0; *entries && i < wanted; i++, ++*n) {
        (*entries)[i] = from.entries[i];
        if (!((*entries)[i].text = strdup(from.texts[i].c_str())))
            return false;
    }
    return *entries != nullptr;
}

static bool copy_model(const t5_tokenizer_files *files, t5_tokenizer_files &settled) {
    settled.model = std::malloc(files->model_bytes + 1);
    if (settled.model)
        std::memcpy(settled.model, files->model, files->model_bytes);
    settled.model_bytes = files->model_bytes;
    return settled.model != nullptr;
}

t5_status t5_tokenizer_settled(const t5_tokenizer *tok, const t5_tokenizer_files *files,
                               int n_labels, t5_tokenizer_files *settled, t5_error *err) {
    const char *what = "listing the tokeniser's tokens";
    *settled = {};
    t5_status status = guarded(err, what, [&] {
        listing added, special;
        settled->prefix_space = tok->prefix_space;
        list_added(tok, files, n_labels, added);
        if (tok->of_directory)
            list_special(tok, files, n_labels, *settled, special);
        else
            list_pieces(tok, *settled, special, added);
        if (copy_model(files, *settled) &&
            copy_entries(added, &settled->added, &settled->n_added) &&
            copy_entries(special, &settled->special, &settled->n_special))
            return T5_OK;
        return t5_fail(err, T5_ERR_MEMORY, "out of memory %s", what);
    });
    if (status != T5_OK)
        t5_tokenizer_files_free(settled);
    return status;
}
