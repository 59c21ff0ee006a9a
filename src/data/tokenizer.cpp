/* A tokeniser is made, gets labels, and turns ids into text. No exception leaves this file. */
#include "data/tokenizer_internal.h"
#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>

/* --- making --- */

static t5_status add_tokens(t5_tokenizer *tok, const t5_tokenizer_files *files, t5_error *err) {
    std::vector<std::string> unknown;
    tok->prefix_space = files->prefix_space;
    tok->unknown = files->special[files->unk].text;
    t5_status status =
        t5_pieces_encode(tok->pieces, str_of(tok->unknown), take_piece, &unknown, err);
    tok->unknown_pieces = unknown.size();
    return status != T5_OK ? status : t5_added_tokens_create(files, tok->pieces, &tok->added, err);
}

static t5_status load_model(t5_tokenizer *tok, const void *model, size_t bytes, t5_error *err) {
    t5_status status = t5_pieces_create(model, bytes, &tok->pieces, err);
    if (status != T5_OK)
        return status;
    tok->n_pieces = t5_pieces_size(tok->pieces);
    tok->unk = t5_pieces_unk(tok->pieces);
    return T5_OK;
}

/* A spiece.model alone is like a directory whose special tokens are the model's. */
static t5_status load_alone(t5_tokenizer *tok, const void *model, size_t bytes, t5_error *err) {
    t5_status status = load_model(tok, model, bytes, err);
    if (status != T5_OK)
        return status;
    tok->eos = t5_pieces_eos(tok->pieces);
    int pad = t5_pieces_pad(tok->pieces);
    tok->pad = pad < 0 ? 0 : pad;
    if (tok->eos < 0)
        return t5_fail(err, T5_ERR_INPUT,
                       "the tokeniser's %d pieces have no end token; expected a control piece "
                       "\"</s>\", as T5's tokenisers have",
                       tok->n_pieces);
    const int ids[3] = {tok->eos, tok->unk, tok->pad};
    std::string text[3];
    t5_token_entry special[3] = {};
    for (int i = 0; i < 3; i++) {
        t5_str piece = t5_pieces_text(tok->pieces, ids[i]);
        text[i].assign(piece.s, piece.n);
        special[i].text = &text[i][0];
        special[i].id = -1;
        special[i].bare = special[i].special = true;
    }
    t5_tokenizer_files files = {};
    files.special = special;
    files.n_special = pad < 0 ? 2 : 3;
    files.unk = 1;
    files.prefix_space = true;
    return add_tokens(tok, &files, err);
}

static t5_status load_files(t5_tokenizer *tok, const t5_tokenizer_files *files, t5_error *err) {
    t5_status status = load_model(tok, files->model, files->model_bytes, err);
    if (status == T5_OK)
        status = add_tokens(tok, files, err);
    if (status != T5_OK)
        return status;
    tok->of_directory = true;
    auto id_of = [&](int place) {
        const char *text = files->special[place].text;
        return t5_added_tokens_find(tok->added, 0, t5_str{text, std::strlen(text)})->id;
    };
    tok->eos = id_of(files->eos);
    tok->pad = id_of(files->pad);
    return T5_OK;
}

/* A tokeniser that load(tok) fills. */
template <class Load>
static t5_status create(t5_tokenizer **tok, t5_error *err, Load load) noexcept {
    t5_tokenizer *t = nullptr;
    t5_status status = guarded(err, "loading the tokeniser", [&] {
        t = new t5_tokenizer();
        return load(t);
    });
    if (status != T5_OK)
        delete t;
    else
        *tok = t;
    return status;
}

t5_status t5_tokenizer_create(const void *model, size_t bytes, t5_tokenizer **tok, t5_error *err) {
    return create(tok, err, [&](t5_tokenizer *t) { return load_alone(t, model, bytes, err); });
}

t5_status t5_tokenizer_from_files(const t5_tokenizer_files *files, t5_tokenizer **tok,
                                  t5_error *err) {
    return create(tok, err, [&](t5_tokenizer *t) { return load_files(t, files, err); });
}

t5_status t5_tokenizer_from_block(const void *block, size_t bytes, t5_tokenizer **tok,
                                  t5_error *err) {
    if (!t5_tokenizer_files_is_block(block, bytes))
        return t5_tokenizer_create(block, bytes, tok, err);
    t5_tokenizer_files files;
    t5_status status = t5_tokenizer_files_unpack(block, bytes, &files, err);
    if (status == T5_OK)
        status = t5_tokenizer_from_files(&files, tok, err);
    t5_tokenizer_files_free(&files);
    return status;
}

void t5_tokenizer_destroy(t5_tokenizer *tok) {
    delete tok;
}
int t5_tokenizer_pieces(const t5_tokenizer *tok) {
    return tok->n_pieces;
}
int t5_tokenizer_pad(const t5_tokenizer *tok) {
    return tok->pad;
}
int t5_tokenizer_eos(const t5_tokenizer *tok) {
    return tok->eos;
}
int t5_tokenizer_unk(const t5_tokenizer *tok) {
    return tok->unk;
}

int32_t t5_tokenizer_find_piece(const t5_tokenizer *tok, t5_str text) {
    return t5_pieces_find(tok->pieces, text);
}

/* --- labels --- */

/* An answer could not end, or not be told from one that has ended. */
static t5_status check_labels(const t5_tokenizer *tok, const t5_labels *labels, t5_error *err) {
    for (int id : {tok->eos, tok->unk, tok->pad}) {
        const t5_added_token *token = t5_added_tokens_by_id(tok->added, 0, id);
        if (token && t5_labels_find(labels, token->text) >= 0)
            return t5_fail(err, T5_ERR_INPUT,
                           "the label '%s' is the tokeniser's end, unknown or pad token",
                           token->text.s);
    }
    return T5_OK;
}

t5_status t5_tokenizer_add_labels(t5_tokenizer *tok, const t5_labels *labels, t5_error *err) {
    return guarded(err, "adding the labels", [&] {
        assert(tok->label_id.empty()); /* once */
        std::vector<int32_t> ids(static_cast<size_t>(t5_labels_size(labels)));
        t5_status status = check_labels(tok, labels, err);
        if (status == T5_OK)
            status = t5_added_tokens_add_labels(tok->added, labels, tok->pieces, !tok->of_directory,
                                                ids.data(), err);
        if (status != T5_OK)
            return status;
        tok->label_id.swap(ids);
        for (size_t l = 0; l < tok->label_id.size(); l++)
            tok->label_of.emplace(tok->label_id[l], static_cast<int>(l));
        return status;
    });
}

int32_t t5_tokenizer_label_id(const t5_tokenizer *tok, int l) {
    size_t at = static_cast<size_t>(l);
    return at < tok->label_id.size() ? tok->label_id[at] : tok->n_pieces + l;
}

int t5_tokenizer_rows(const t5_tokenizer *tok, int n_labels) {
    int rows = tok->n_pieces;
    for (int i = 0; i < t5_added_tokens_size(tok->added); i++) {
        const t5_added_token *token = t5_added_tokens_at(tok->added, i);
        if (token->label < 0 && token->id >= rows)
            rows = token->id + 1;
    }
    for (int l = 0; l < n_labels; l++)
        rows = std::max(rows, t5_tokenizer_label_id(tok, l) + 1);
    return rows;
}

const t5_added_tokens *t5_tokenizer_added(const t5_tokenizer *tok) {
    return tok->added;
}

/* --- and back --- */

/* Adds a part as a word (or words) of its own, without its outer spaces. */
static void append_part(std::string &text, const std::string &part) {
    size_t first = part.find_first_not_of(' ');
    if (first == std::string::npos)
        return;
    if (!text.empty())
        text += ' ';
    text.append(part, first, part.find_last_not_of(' ') - first + 1);
}

static bool take_text(void *user, t5_str text) noexcept {
    try {
        static_cast<std::string *>(user)->assign(text.s, text.n);
        return true;
    } catch (const std::exception &) {
        return false;
    }
}

/* Adds the text of a run of pieces and empties the run. */
static t5_status append_run(const t5_tokenizer *tok, std::vector<int32_t> &run, std::string &text,
                            t5_error *err) {
    std::string part;
    if (run.empty())
        return T5_OK;
    t5_status status = t5_pieces_decode(tok->pieces, run.data(), static_cast<int>(run.size()),
                                        take_text, &part, err);
    if (status == T5_OK)
        append_part(text, part);
    run.clear();
    return status;
}

/* The text of a token that is a word of its own; n == 0: it is none. */
static t5_str word_of(const t5_tokenizer *tok, const t5_labels *labels, int32_t id) {
    int n_labels = labels ? t5_labels_size(labels) : 0;
    auto label = tok->label_of.find(id);
    if (label != tok->label_of.end() && label->second < n_labels)
        return t5_labels_name(labels, label->second);
    const t5_added_token *token = t5_added_tokens_by_id(tok->added, 0, id);
    if (token && !token->special)
        return token->text;
    /* labels that were not added */
    if (!token && tok->label_id.empty() && id >= tok->n_pieces && id - tok->n_pieces < n_labels)
        return t5_labels_name(labels, id - tok->n_pieces);
    return t5_str{nullptr, 0};
}

static bool is_dropped(const t5_tokenizer *tok, int32_t id) {
    const t5_added_token *token = t5_added_tokens_by_id(tok->added, 0, id);
    return id < 0 || id >= tok->n_pieces || id == tok->pad || id == tok->eos ||
           (token && token->special && id != tok->unk);
}

static t5_status decode(const t5_tokenizer *tok, const t5_labels *labels, const int32_t *ids, int n,
                        std::string &text, t5_error *err) {
    std::vector<int32_t> run;
    for (int i = 0; i < n; i++) {
        t5_str word = word_of(tok, labels, ids[i]);
        if (word.n > 0) {
            t5_status status = append_run(tok, run, text, err);
            if (status != T5_OK)
                return status;
            append_part(text, std::string(word.s, word.n));
        } else if (!is_dropped(tok, ids[i])) {
            run.push_back(ids[i]);
        }
    }
    return append_run(tok, run, text, err);
}

t5_status t5_tokenizer_decode(const t5_tokenizer *tok, const t5_labels *labels, const int32_t *ids,
                              int n, char **text, t5_error *err) {
    return guarded(err, "decoding tokens", [&] {
        std::string joined;
        t5_status status = decode(tok, labels, ids, n, joined, err);
        if (status != T5_OK)
            return status;
        char *copy = static_cast<char *>(std::malloc(joined.size() + 1));
        if (!copy)
            return t5_fail(err, T5_ERR_MEMORY, "out of memory decoding tokens");
        std::memcpy(copy, joined.c_str(), joined.size() + 1);
        *text = copy;
        return T5_OK;
    });
}
