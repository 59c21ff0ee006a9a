/* What tokenizer.cpp and tokenizer_encode.cpp share. C++: not for others. */
#ifndef T5_DATA_TOKENIZER_INTERNAL_H
#define T5_DATA_TOKENIZER_INTERNAL_H
extern "C" {
#include "data/tokenizer.h"
}
#include <exception>
#include <string>
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
inline constexpr char SPACE[] = "\xe2\x96\x81";

/* Runs body, which returns a t5_status. C++ containers throw nothing else. */
template <class Body> t5_status guarded(t5_error *err, const char *what, Body body) noexcept {
    try {
        return body();
    } catch (const std::exception &) {
        return t5_fail(err, T5_ERR_MEMORY, "out of memory %s", what);
    }
}

inline t5_str str_of(const std::string &text) {
    return t5_str{text.data(), text.size()};
}

/* Puts a piece behind others. */
inline bool take_piece(void *user, t5_str piece) noexcept {
    try {
        static_cast<std::vector<std::string> *>(user)->emplace_back(piece.s, piece.n);
        return true;
    } catch (const std::exception &) {
        return false;
    }
}

#endif
