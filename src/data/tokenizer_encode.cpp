/* From text to ids: what T5Tokenizer does with added tokens and pieces. No exception leaves this
 * file. */
#include "data/tokenizer_internal.h"
extern "C" {
#include "base/text.h"
}
#include <algorithm>
#include <iterator>
#include <string_view>

namespace {

/* The added tokens that one text meets. */
struct lookup {
    const t5_tokenizer *tok;
    int n_labels;
    int last_label = -1; /* the largest label number that was ever the answer */

    const t5_added_token *find(const std::string &text) {
        return note(t5_added_tokens_find(tok->added, n_labels, str_of(text)));
    }
    /* what the text begins with from byte `at` on */
    const t5_added_token *match(const std::string &text, size_t at) {
        return note(t5_added_tokens_match(tok->added, n_labels,
                                          t5_str{text.data() + at, text.size() - at}));
    }

  private:
    const t5_added_token *note(const t5_added_token *token) {
        if (token)
            last_label = std::max(last_label, static_cast<int>(token->label));
        return token;
    }
};

} // namespace

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
static std::vector<std::string> split(lookup &added, const std::string &text) {
    std::vector<std::string> parts;
    size_t begin = 0;
    for (size_t at = 0; at < text.size();) {
        const t5_added_token *token = added.match(text, at);
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
static void apply_flags(lookup &added, std::vector<std::string> &parts) {
    std::string none;
    for (size_t i = 0; i < parts.size(); i++) {
        const t5_added_token *token = added.find(parts[i]);
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

static t5_status tokenize(lookup &added, t5_str text, std::vector<std::string> &tokens,
                          t5_error *err) {
    std::vector<std::string> parts = split(added, prepared(added.tok, text));
    apply_flags(added, parts);
    for (std::string &part : parts) {
        if (part.empty())
            continue;
        if (added.find(part))
            tokens.push_back(std::move(part));
        else if (t5_status status = encode_part(added.tok, part, tokens, err))
            return status;
    }
    /* the space before the text is none before a special token */
    const t5_added_token *second = tokens.size() > 1 ? added.find(tokens[1]) : nullptr;
    if (second && second->special && tokens[0] == SPACE)
        tokens.erase(tokens.begin());
    return T5_OK;
}

t5_status t5_tokenizer_encode_seeing(const t5_tokenizer *tok, int n_labels, t5_str text,
                                     int max_ids, int32_t *ids, int *n, int *last_label,
                                     t5_error *err) {
    return guarded(err, "encoding a text", [&] {
        lookup added{tok, n_labels};
        std::vector<std::string> tokens;
        t5_status status = text.n > 0 ? tokenize(added, text, tokens, err) : T5_OK;
        if (status != T5_OK)
            return status;
        size_t room = static_cast<size_t>(max_ids) - 1;
        size_t kept = std::min(tokens.size(), room);
        for (size_t i = 0; i < kept; i++) {
            /* what SentencePiece returns may, once normalised, be an added token */
            const t5_added_token *token = added.find(tokens[i]);
            ids[i] = token ? token->id : t5_pieces_id(tok->pieces, str_of(tokens[i]));
        }
        if (kept == 0 || ids[kept - 1] != tok->eos)
            ids[kept++] = tok->eos;
        *n = static_cast<int>(kept);
        *last_label = added.last_label;
        return T5_OK;
    });
}

t5_status t5_tokenizer_encode_with(const t5_tokenizer *tok, int n_labels, t5_str text, int max_ids,
                                   int32_t *ids, int *n, t5_error *err) {
    int last_label;
    return t5_tokenizer_encode_seeing(tok, n_labels, text, max_ids, ids, n, &last_label, err);
}

t5_status t5_tokenizer_encode(const t5_tokenizer *tok, t5_str text, int max_ids, int32_t *ids,
                              int *n, t5_error *err) {
    return t5_tokenizer_encode_with(tok, 0, text, max_ids, ids, n, err);
}
