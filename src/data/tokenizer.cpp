/* Added tokens and pieces together: what T5Tokenizer does with a text. No exception leaves this
 * file. */
extern "C" {
#include "data/tokenizer.h"
#include "base/text.h"
}
#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iterator>
#include <new>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

struct t5_tokenizer {
    t5_pieces *pieces = nullptr;
    t5_added_tokens *added = nullptr;
    int n_pieces = 0, pad = 0, eos = 0, unk = 0;
    bool of_directory = false; /* else a spiece.model alone: labels follow the pieces */
    bool prefix_space = true;  /* texts begin with a space */
    std::string unknown;       /* the unknown token's text, and how many pieces that is as a text */
    size_t unknown_pieces = 0;
    std::vector<int32_t> label_id; /* empty: no labels were added */
    std::unordered_map<int32_t, int> label_of;

    t5_tokenizer() = default;
    t5_tokenizer(const t5_tokenizer &) = delete;
    t5_tokenizer &operator=(const t5_tokenizer &) = delete;
    ~t5_tokenizer() {
        t5_added_tokens_destroy(added);
        t5_pieces_destroy(pieces);
    }
};

/* What SentencePiece writes instead of a space (U+2581). */
static const char SPACE[] = "\xe2\x96\x81";

/* Runs body, which returns a t5_status. C++ containers throw nothing else. */
template <class Body>
static t5_status guarded(t5_error *err, const char *what, Body body) noexcept {
    try {
        return body();
    } catch (const std::exception &) {
        return t5_fail(err, T5_ERR_MEMORY, "out of memory %s", what);
    }
}

static t5_str str_of(const std::string &text) {
    return t5_str{text.data(), text.size()};
}

/* --- making --- */

/* Puts a piece behind others. */
static bool take_piece(void *user, t5_str piece) noexcept {
    try {
        static_cast<std::vector<std::string> *>(user)->emplace_back(piece.s, piece.n);
        return true;
    } catch (const std::exception &) {
        return false;
    }
}

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

/* --- from text to ids --- */

static const t5_added_token *find_added(const t5_tokenizer *tok, int n_labels,
                                        const std::string &text) {
    return t5_added_tokens_find(tok->added, n_labels, str_of(text));
}

/* The text with spaces as spaces and, where the tokeniser wants it, one before it. */
static std::string prepared(const t5_tokenizer *tok, t5_str text) {
    std::string out = tok->prefix_space ? SPACE : "";
    const std::string_view from(text.s, text.n);
    size_t begin = 0, at;
    while ((at = from.find(SPACE, begin)) != std::string_view::npos) {
        out.append(from, begin, at - begin).append(" ");
        begin = at + sizeof SPACE - 1;
    }
    return out.append(from, begin);
}

/* Added tokens, the longest where several begin, and what stands between them. */
static std::vector<std::string> split(const t5_tokenizer *tok, int n_labels,
                                      const std::string &text) {
    std::vector<std::string> parts;
    size_t begin = 0;
    for (size_t at = 0; at < text.size();) {
        const t5_added_token *token =
            t5_added_tokens_match(tok->added, n_labels, t5_str{text.data() + at, text.size() - at});
        if (!token) {
            at++;
            continue;
        }
        if (at > begin)
            parts.push_back(text.substr(begin, at - begin));
        parts.emplace_back(token->text.s, token->text.n);
        begin = at += token->text.n;
    }
    if (begin < text.size())
        parts.push_back(text.substr(begin));
    return parts;
}

static void strip_left(std::string &text) {
    size_t at = 0, width;
    while ((width = t5_space_length(text.data() + at, text.size() - at)) > 0)
        at += width;
    text.erase(0, at);
}

static void strip_right(std::string &text) {
    for (size_t width = 1; width <= 3 && width <= text.size();) {
        if (t5_space_length(text.data() + text.size() - width, width) == width) {
            text.resize(text.size() - width);
            width = 1;
        } else {
            width++;
        }
    }
}

/* Tokens take the white space beside them, or become part of the word beside them, as their flags
 * say; from left to right, so that a part may be empty when its turn comes. */
static void apply_flags(const t5_tokenizer *tok, int n_labels, std::vector<std::string> &parts) {
    std::string none;
    for (size_t i = 0; i < parts.size(); i++) {
        const t5_added_token *token = find_added(tok, n_labels, parts[i]);
        std::string &left = i > 0 ? parts[i - 1] : none;
        std::string &right = i + 1 < parts.size() ? parts[i + 1] : none;
        if (!token)
            continue;
        bool in_word = !left.empty() && left.back() != ' '; /* before white space is taken */
        bool before_word = !right.empty() && right.front() != ' ';
        if (token->rstrip)
            strip_left(right);
        if (token->lstrip)
            strip_right(left);
        if (!token->single_word || !(in_word || before_word))
            continue;
        if (in_word)
            left += parts[i];
        else
            right.insert(0, parts[i]);
        parts[i].clear();
    }
}

/* SentencePiece drops spaces at the start of a text; with the unknown token's text before them they
 * stay, and the pieces of that are dropped. */
static t5_status encode_part(const t5_tokenizer *tok, const std::string &part,
                             std::vector<std::string> &tokens, t5_error *err) {
    if (part[0] != ' ' && part.rfind(SPACE, 0) != 0)
        return t5_pieces_encode(tok->pieces, str_of(part), take_piece, &tokens, err);
    std::vector<std::string> pieces;
    t5_status status =
        t5_pieces_encode(tok->pieces, str_of(tok->unknown + part), take_piece, &pieces, err);
    size_t skip = pieces.size() >= tok->unknown_pieces ? tok->unknown_pieces : 0;
    std::move(pieces.begin() + static_cast<std::ptrdiff_t>(skip), pieces.end(),
              std::back_inserter(tokens));
    return status;
}

static t5_status tokenize(const t5_tokenizer *tok, int n_labels, t5_str text,
                          std::vector<std::string> &tokens, t5_error *err) {
    std::vector<std::string> parts = split(tok, n_labels, prepared(tok, text));
    apply_flags(tok, n_labels, parts);
    for (std::string &part : parts) {
        if (part.empty())
            continue;
        if (find_added(tok, n_labels, part))
            tokens.push_back(std::move(part));
        else if (t5_status status = encode_part(tok, part, tokens, err))
            return status;
    }
    /* the space before the text is none before a special token */
    const t5_added_token *second =
        tokens.size() > 1 ? find_added(tok, n_labels, tokens[1]) : nullptr;
    if (second && second->special && tokens[0] == SPACE)
        tokens.erase(tokens.begin());
    return T5_OK;
}

t5_status t5_tokenizer_encode_with(const t5_tokenizer *tok, int n_labels, t5_str text, int max_ids,
                                   int32_t *ids, int *n, t5_error *err) {
    return guarded(err, "encoding a text", [&] {
        std::vector<std::string> tokens;
        t5_status status = text.n > 0 ? tokenize(tok, n_labels, text, tokens, err) : T5_OK;
        if (status != T5_OK)
            return status;
        size_t room = static_cast<size_t>(max_ids) - 1;
        size_t kept = std::min(tokens.size(), room);
        for (size_t i = 0; i < kept; i++) {
            /* what SentencePiece returns may, once normalised, be an added token */
            const t5_added_token *token = find_added(tok, n_labels, tokens[i]);
            ids[i] = token ? token->id : t5_pieces_id(tok->pieces, str_of(tokens[i]));
        }
        if (kept == 0 || ids[kept - 1] != tok->eos)
            ids[kept++] = tok->eos;
        *n = static_cast<int>(kept);
        return T5_OK;
    });
}

t5_status t5_tokenizer_encode(const t5_tokenizer *tok, t5_str text, int max_ids, int32_t *ids,
                              int *n, t5_error *err) {
    return t5_tokenizer_encode_with(tok, 0, text, max_ids, ids, n, err);
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
