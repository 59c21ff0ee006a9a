/* The only file that knows SentencePiece, which has no C interface. No exception leaves it. */
extern "C" {
#include "data/pieces.h"
}
#include <exception>
#include <new>
#include <sentencepiece_processor.h>
#include <string>
#include <string_view>
#include <vector>

struct t5_pieces {
    sentencepiece::SentencePieceProcessor model;
};

/* Runs body, which returns a t5_status, and turns exceptions into errors. */
template <class Body>
static t5_status guarded(t5_error *err, const char *what, Body body) noexcept {
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return t5_fail(err, T5_ERR_MEMORY, "out of memory %s", what);
    } catch (const std::exception &e) {
        return t5_fail(err, T5_ERR_INPUT, "SentencePiece failed %s: %s", what, e.what());
    } catch (...) {
        return t5_fail(err, T5_ERR_INPUT, "SentencePiece failed %s", what);
    }
}

/* Its message without the place in SentencePiece's source, "FILE.cc(LINE) [CONDITION] ", that some
 * begin with. */
static std::string reason_of(const sentencepiece::util::Status &status) {
    std::string text = status.error_message();
    size_t place = text.find(".cc("), end = text.rfind("] ");
    if (place != std::string::npos && end != std::string::npos && end > place)
        text.erase(0, end + 2);
    return text.empty() ? "its bytes are not in that format" : text;
}

static t5_status load(t5_pieces *p, const void *model, size_t bytes, t5_error *err) {
    const char *expected = "expected a SentencePiece model (spiece.model)";
    std::string data(static_cast<const char *>(model), bytes);
    if (bytes == 0)
        return t5_fail(err, T5_ERR_INPUT, "the tokeniser is empty; %s", expected);
    if (data.rfind("version https://git-lfs", 0) == 0)
        return t5_fail(err, T5_ERR_INPUT,
                       "this is not the tokeniser but what Git LFS leaves in its place until 'git "
                       "lfs pull' fetches it; %s",
                       expected);
    auto status = p->model.LoadFromSerializedProto(data);
    /* A protocol buffer message may come in parts: in the part added here field 3 of the model, the
     * normaliser's specification, says in its field 3 that no space is put before a text. (First as
     * it is: a model cut short must not become another one by this.) */
    if (status.ok())
        status = p->model.LoadFromSerializedProto(data.append("\x1a\x02\x18\x00", 4));
    if (!status.ok())
        return t5_fail(err, T5_ERR_INPUT, "not a tokeniser: %s; %s", reason_of(status).c_str(),
                       expected);
    return T5_OK;
}

t5_status t5_pieces_create(const void *model, size_t bytes, t5_pieces **pieces, t5_error *err) {
    t5_pieces *p = nullptr;
    t5_status status = guarded(err, "loading the tokeniser", [&] {
        p = new t5_pieces();
        return load(p, model, bytes, err);
    });
    if (status != T5_OK)
        delete p;
    else
        *pieces = p;
    return status;
}

void t5_pieces_destroy(t5_pieces *pieces) {
    delete pieces;
}
int t5_pieces_size(const t5_pieces *pieces) {
    return pieces->model.GetPieceSize();
}
int t5_pieces_unk(const t5_pieces *pieces) {
    return pieces->model.unk_id();
}
int t5_pieces_eos(const t5_pieces *pieces) {
    return pieces->model.eos_id();
}
int t5_pieces_pad(const t5_pieces *pieces) {
    return pieces->model.pad_id();
}

t5_str t5_pieces_text(const t5_pieces *pieces, int32_t id) {
    const std::string &text = pieces->model.IdToPiece(id);
    return t5_str{text.data(), text.size()};
}

int32_t t5_pieces_id(const t5_pieces *pieces, t5_str piece) {
    return pieces->model.PieceToId(std::string_view(piece.s, piece.n));
}

int32_t t5_pieces_find(const t5_pieces *pieces, t5_str text) {
    int32_t id = t5_pieces_id(pieces, text);
    t5_str found = t5_pieces_text(pieces, id);
    return std::string_view(found.s, found.n) == std::string_view(text.s, text.n) ? id : -1;
}

static t5_status give(t5_pieces_take *take, void *user, const std::string &text, t5_error *err) {
    return take(user, t5_str{text.data(), text.size()})
               ? T5_OK
               : t5_fail(err, T5_ERR_MEMORY, "out of memory for the pieces of a text");
}

t5_status t5_pieces_encode(const t5_pieces *pieces, t5_str text, t5_pieces_take *take, void *user,
                           t5_error *err) {
    return guarded(err, "encoding a text", [&] {
        std::vector<std::string> found;
        auto status = pieces->model.Encode({text.s, text.n}, &found);
        if (!status.ok())
            return t5_fail(err, T5_ERR_INPUT, "SentencePiece cannot encode a text: %s",
                           reason_of(status).c_str());
        for (const std::string &piece : found)
            if (give(take, user, piece, err) != T5_OK)
                return T5_ERR_MEMORY;
        return T5_OK;
    });
}

t5_status t5_pieces_decode(const t5_pieces *pieces, const int32_t *ids, int n, t5_pieces_take *take,
                           void *user, t5_error *err) {
    return guarded(err, "decoding tokens", [&] {
        std::string text;
        auto status = pieces->model.Decode(std::vector<int>(ids, ids + n), &text);
        if (!status.ok())
            return t5_fail(err, T5_ERR_INPUT, "SentencePiece cannot decode %d tokens: %s", n,
                           reason_of(status).c_str());
        return give(take, user, text, err);
    });
}
