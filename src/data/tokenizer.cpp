/* The project's only C++: SentencePiece has no C interface. No exception leaves this file. */
extern "C" {
#include "data/tokenizer.h"
}
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <sentencepiece_processor.h>
#include <string>
#include <string_view>
#include <vector>

struct t5_tokenizer {
    sentencepiece::SentencePieceProcessor model;
    int pieces, pad, eos, unk;
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

static t5_status load(t5_tokenizer *tok, const void *model, size_t bytes, t5_error *err) {
    const char *expected = "expected a SentencePiece model (spiece.model)";
    const std::string_view data(static_cast<const char *>(model), bytes);
    if (bytes == 0)
        return t5_fail(err, T5_ERR_INPUT, "the tokeniser is empty; %s", expected);
    if (data.rfind("version https://git-lfs", 0) == 0)
        return t5_fail(err, T5_ERR_INPUT,
                       "this is not the tokeniser but what Git LFS leaves in its place until 'git "
                       "lfs pull' fetches it; %s",
                       expected);
    auto status = tok->model.LoadFromSerializedProto(data);
    if (!status.ok())
        return t5_fail(err, T5_ERR_INPUT, "not a tokeniser: %s; %s", reason_of(status).c_str(),
                       expected);
    tok->pieces = tok->model.GetPieceSize();
    tok->eos = tok->model.eos_id();
    tok->unk = tok->model.unk_id();
    tok->pad = tok->model.pad_id() < 0 ? 0 : tok->model.pad_id();
    if (tok->eos < 0)
        return t5_fail(err, T5_ERR_INPUT,
                       "the tokeniser's %d pieces have no end token; expected a control piece "
                       "\"</s>\", as T5's tokenisers have",
                       tok->pieces);
    return T5_OK;
}

t5_status t5_tokenizer_create(const void *model, size_t bytes, t5_tokenizer **tok, t5_error *err) {
    t5_tokenizer *t = nullptr;
    t5_status status = guarded(err, "loading the tokeniser", [&] {
        t = new t5_tokenizer();
        return load(t, model, bytes, err);
    });
    if (status != T5_OK) {
        delete t;
        return status;
    }
    *tok = t;
    return T5_OK;
}

void t5_tokenizer_destroy(t5_tokenizer *tok) {
    delete tok;
}
int t5_tokenizer_pieces(const t5_tokenizer *tok) {
    return tok->pieces;
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

t5_status t5_tokenizer_encode(const t5_tokenizer *tok, t5_str text, int max_ids, int32_t *ids,
                              int *n, t5_error *err) {
    return guarded(err, "encoding a text", [&] {
        std::vector<int> pieces;
        auto status = tok->model.Encode({text.s, text.n}, &pieces);
        if (!status.ok())
            return t5_fail(err, T5_ERR_INPUT, "SentencePiece cannot encode a text: %s",
                           reason_of(status).c_str());
        size_t room = static_cast<size_t>(max_ids) - 1;
        size_t kept = pieces.size() < room ? pieces.size() : room;
        for (size_t i = 0; i < kept; i++)
            ids[i] = pieces[i];
        ids[kept] = tok->eos;
        *n = static_cast<int>(kept) + 1;
        return T5_OK;
    });
}

/* Adds a part as a word (or words) of its own, without its outer spaces. */
static void append_part(std::string &text, const std::string &part) {
    size_t first = part.find_first_not_of(' ');
    if (first == std::string::npos)
        return;
    if (!text.empty())
        text += ' ';
    text.append(part, first, part.find_last_not_of(' ') - first + 1);
}

/* Adds the text of a run of pieces and empties the run. */
static t5_status append_run(const t5_tokenizer *tok, std::vector<int> &run, std::string &text,
                            t5_error *err) {
    if (run.empty())
        return T5_OK;
    std::string part;
    auto status = tok->model.Decode(run, &part);
    if (!status.ok())
        return t5_fail(err, T5_ERR_INPUT, "SentencePiece cannot decode %zu tokens: %s", run.size(),
                       reason_of(status).c_str());
    append_part(text, part);
    run.clear();
    return T5_OK;
}

static t5_status decode(const t5_tokenizer *tok, const t5_labels *labels, const int32_t *ids, int n,
                        std::string &text, t5_error *err) {
    int n_labels = labels ? t5_labels_size(labels) : 0;
    std::vector<int> run;
    for (int i = 0; i < n; i++) {
        int32_t id = ids[i];
        if (id == tok->pad || id == tok->eos || id < 0)
            continue;
        if (id < tok->pieces) {
            run.push_back(id);
        } else if (id - tok->pieces < n_labels) {
            t5_status status = append_run(tok, run, text, err);
            if (status != T5_OK)
                return status;
            t5_str name = t5_labels_name(labels, id - tok->pieces);
            append_part(text, std::string(name.s, name.n));
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
