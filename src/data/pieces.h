/* SentencePiece behind C: the pieces of a spiece.model, as T5Tokenizer uses them with legacy=False:
 * no space is put before a text. For this folder's tokenizer.cpp and the added tokens. */
#ifndef T5_DATA_PIECES_H
#define T5_DATA_PIECES_H
#include "base/status.h"
#include "data/rows.h"
#include <stdbool.h>

typedef struct t5_pieces t5_pieces;

/* From the bytes of a spiece.model (copied). T5_ERR_INPUT with a reason if they are not one. */
t5_status t5_pieces_create(const void *model, size_t bytes, t5_pieces **pieces, t5_error *err);
void t5_pieces_destroy(t5_pieces *pieces);
int t5_pieces_size(const t5_pieces *pieces);
int t5_pieces_unk(const t5_pieces *pieces);
int t5_pieces_eos(const t5_pieces *pieces); /* -1: the model has none; so below */
int t5_pieces_pad(const t5_pieces *pieces);
t5_str t5_pieces_text(const t5_pieces *pieces, int32_t id); /* 0 <= id < size */
/* The id of the piece of exactly this text; -1: there is none. */
int32_t t5_pieces_find(const t5_pieces *pieces, t5_str text);
/* The id that SentencePiece gives a piece that it put out: unk where it is unknown. */
int32_t t5_pieces_id(const t5_pieces *pieces, t5_str piece);

/* Gives take the texts of the pieces of a text one by one, unknown ones as they are in the text
 * once normalised. take returns false if memory is out: T5_ERR_MEMORY. T5_ERR_INPUT if
 * SentencePiece refuses. */
typedef bool t5_pieces_take(void *user, t5_str piece);
t5_status t5_pieces_encode(const t5_pieces *pieces, t5_str text, t5_pieces_take *take, void *user,
                           t5_error *err);
/* Gives take the text of n pieces. */
t5_status t5_pieces_decode(const t5_pieces *pieces, const int32_t *ids, int n, t5_pieces_take *take,
                           void *user, t5_error *err);

#endif
