/* Refused models, ids as SentencePiece and Transformers give them, cuts, and the way back to text.
 */
#include "tests/data/fixture.h"

/* --- models that are refused --- */

/* A SentencePiece model is a protocol buffer message; these are written by hand. Field 1: a piece
 * (1: its text, 3: its type, 2 unknown, 3 control; normal where missing). */
#define PIECE(size, text_size, text) "\x0a" size "\x0a" text_size text
#define TYPE(type) "\x18" type

static const struct {
    const char *bytes;
    size_t n;
    const char *text;
} refused[] = {
#define MODEL(s) s, sizeof(s) - 1
    {MODEL(""), "the tokeniser is empty; expected a SentencePiece model (spiece.model)"},
    {MODEL("\0"), "not a tokeniser"},
    {MODEL("{\"model_type\": \"t5\"}"),
     "not a tokeniser: its bytes are not in that format; expected a SentencePiece model"},
    {MODEL("version https://git-lfs.github.com/spec/v1\noid sha256:0"),
     "what Git LFS leaves in its place until 'git lfs pull' fetches it; expected a SentencePiece"},
    {MODEL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "not a tokeniser"},
    {MODEL(PIECE("\x03", "\x01", "a")), "not a tokeniser: unk is not defined."},
    {MODEL(PIECE("\x09", "\x05", "<unk>") TYPE("\x02") PIECE("\x09", "\x05", "<unk>") TYPE("\x02")),
     "not a tokeniser: <unk> is already defined."},
    {MODEL(PIECE("\x09", "\x05", "<unk>") TYPE("\x02") PIECE("\x03", "\x01", "a")),
     "the tokeniser's 2 pieces have no end token; expected a control piece \"</s>\""},
    {MODEL(PIECE("\x09", "\x05", "<unk>") TYPE("\x02") PIECE("\x06", "\x04", "</s>")),
     "the tokeniser's 2 pieces have no end token"}, /* a normal piece of that name is none */
#undef MODEL
};

static void bytes_that_are_no_model(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        t5_tokenizer *tok = NULL;
        t5_error err;
        assert_error(t5_tokenizer_create(refused[i].bytes, refused[i].n, &tok, &err), err,
                     T5_ERR_INPUT, refused[i].text);
        assert_null(tok);
    }
}

/* Cut anywhere, a model is refused, or (cut between two pieces) is a smaller one that works. */
static void models_cut_short(void **state) {
    (void)state;
    size_t bytes;
    char *model = shipped_model(&bytes);
    for (size_t n = 0; n < bytes; n += n < 100 ? 1 : 9973) {
        t5_tokenizer *tok = NULL;
        t5_error err = {0};
        t5_status status = t5_tokenizer_create(model, n, &tok, &err);
        assert_true(status == T5_OK || (status == T5_ERR_INPUT && *err.text));
        if (status == T5_OK) {
            int32_t ids[16];
            int n_ids;
            assert_int_equal(t5_tokenizer_encode(tok, str("音楽"), 16, ids, &n_ids, NULL), T5_OK);
        }
        t5_tokenizer_destroy(tok);
    }
    free(model);
}

/* --- the shipped model --- */

static void special_tokens(void **state) {
    t5_tokenizer *tok = *state;
    assert_int_equal(t5_tokenizer_pieces(tok), 4000);
    assert_int_equal(t5_tokenizer_pad(tok), 0);
    assert_int_equal(t5_tokenizer_eos(tok), 1);
    assert_int_equal(t5_tokenizer_unk(tok), 2);
}

static void a_model_without_pad_pads_with_zero(void **state) {
    (void)state;
    const char model[] = PIECE("\x09", "\x05", "<unk>") TYPE("\x02") PIECE("\x08", "\x04", "</s>")
        TYPE("\x03") PIECE("\x03", "\x01", "a");
    t5_tokenizer *tok;
    assert_int_equal(t5_tokenizer_create(model, sizeof model - 1, &tok, NULL), T5_OK);
    assert_int_equal(t5_tokenizer_pieces(tok), 3);
    assert_int_equal(t5_tokenizer_pad(tok), 0);
    assert_int_equal(t5_tokenizer_eos(tok), 1);
    assert_int_equal(t5_tokenizer_unk(tok), 0);
    t5_tokenizer_destroy(tok);
}

/* The ids that Python's sentencepiece 0.2.3 gives for the shipped model. */
static const struct {
    const char *text;
    int n;
    int32_t ids[15];
    const char *back;
} encoded[] = {
    {"", 1, {1}, ""},
    {" ", 1, {1}, ""},
    {"🎵", 3, {4, 2, 1}, "⁇"},
    {"Hello ﾊﾛｰ　①", 8, {4, 3980, 2, 3580, 1880, 1144, 1084, 1}, "H ⁇ o ハロー 1"},
    {"若松の駅前で4年くらい準備して、水泳を習ったんだって、悲しいなあ",
     15,
     {4, 3908, 3934, 96, 53, 83, 186, 3, 1165, 1051, 8, 3, 529, 539, 1},
     "若松の駅前で4年くらい準備して、水泳を習ったんだって、悲しいなあ"},
};

static void ids_of_sentencepiece(void **state) {
    t5_tokenizer *tok = *state;
    for (size_t i = 0; i < COUNT_OF(encoded); i++) {
        int32_t ids[32];
        int n;
        char *text;
        assert_int_equal(t5_tokenizer_encode(tok, str(encoded[i].text), 32, ids, &n, NULL), T5_OK);
        assert_int_equal(n, encoded[i].n);
        assert_memory_equal(ids, encoded[i].ids, (size_t)n * sizeof *ids);
        assert_int_equal(t5_tokenizer_decode(tok, NULL, ids, n, &text, NULL), T5_OK);
        assert_string_equal(text, encoded[i].back);
        free(text);
    }
}

static void texts_are_cut_with_the_end_last(void **state) {
    t5_tokenizer *tok = *state;
    const int last = (int)COUNT_OF(encoded) - 1;
    for (int max = 1; max <= encoded[last].n + 1; max++) {
        int32_t ids[17];
        ids[max] = 12345; /* behind the room given */
        int n;
        assert_int_equal(t5_tokenizer_encode(tok, str(encoded[last].text), max, ids, &n, NULL),
                         T5_OK);
        assert_int_equal(n, max < encoded[last].n ? max : encoded[last].n);
        assert_memory_equal(ids, encoded[last].ids, ((size_t)n - 1) * sizeof *ids);
        assert_int_equal(ids[n - 1], 1);
        assert_int_equal(ids[max], 12345);
    }
}

static void bytes_that_are_no_utf8_are_encoded_as_unknown(void **state) {
    t5_tokenizer *tok = *state;
    int32_t ids[8];
    int n;
    t5_error err = {0};
    assert_int_equal(t5_tokenizer_encode(tok, (t5_str){"\xff\xfe\0\x80", 4}, 8, ids, &n, &err),
                     T5_OK);
    assert_int_equal(ids[n - 1], 1);
    assert_int_equal(t5_tokenizer_encode(tok, (t5_str){NULL, 0}, 8, ids, &n, &err), T5_OK);
    assert_int_equal(n, 1);
}

static void shipped_texts_there_and_back(void **state) {
    t5_tokenizer *tok = *state;
    t5_rows *rows = shipped_rows();
    int64_t pieces = 0, same = 0;
    int longest = 0;
    for (int64_t i = 0; i < t5_rows_count(rows); i++) {
        t5_str text = t5_rows_input(rows, i);
        int32_t ids[128];
        int n, unknown = 0;
        char *back;
        assert_int_equal(t5_tokenizer_encode(tok, text, 128, ids, &n, NULL), T5_OK);
        pieces += n - 1;
        longest = n - 1 > longest ? n - 1 : longest;
        for (int k = 0; k < n; k++)
            unknown |= ids[k] == 2;
        assert_int_equal(t5_tokenizer_decode(tok, NULL, ids, n, &back, NULL), T5_OK);
        same += strlen(back) == text.n && memcmp(back, text.s, text.n) == 0;
        assert_true(!unknown || strstr(back, "⁇"));
        free(back);
    }
    /* the rows without an unknown character that Python's unicodedata finds in NFKC already */
    assert_int_equal(same, 4024);
    assert_int_equal(pieces, 106578); /* as Python's sentencepiece counts them */
    assert_int_equal(longest, 51);
    t5_rows_destroy(rows);
}

static void labels_are_words_of_their_own(void **state) {
    t5_tokenizer *tok = *state;
    static const struct {
        int n;
        int32_t ids[10];
        const char *text, *without_labels;
    } cases[] = {
        {0, {0}, "", ""},
        {3, {0, 1, 0}, "", ""},
        {2, {-1, INT32_MIN}, "", ""},
        {3, {4003, INT32_MAX, 99999}, "", ""}, /* there are three labels */
        {1, {4000}, "🎵", ""},
        {5, {0, 4000, 4001, 4000, 1}, "🎵 c d 🎵", ""},
        {3, {4002, 1, 4002}, "\xff \xff", ""}, /* a label's bytes come back as they are */
        {4, {4000, 4, 1627, 395}, "🎵 ハロ", "ハロ"},
        {4, {1627, 4001, 395, 4000}, "ハ c d ロ 🎵", "ハロ"},
        {4, {1627, 0, 395, 1}, "ハロ", "ハロ"}, /* pad and end do not part a run */
        {4, {4, 4000, 4, 4001}, "🎵 c d", ""},   /* a lone space is no word */
        {3, {2, 4000, 2}, "⁇ 🎵 ⁇", "⁇  ⁇"},
    };
    const t5_str names[] = {str("🎵"), str("c d"), str("\xff")};
    t5_labels *labels;
    assert_int_equal(t5_labels_from_list(3, names, (int64_t[]){3, 2, 1}, &labels, NULL), T5_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *text;
        assert_int_equal(t5_tokenizer_decode(tok, labels, cases[i].ids, cases[i].n, &text, NULL),
                         T5_OK);
        assert_string_equal(text, cases[i].text);
        free(text);
        assert_int_equal(t5_tokenizer_decode(tok, NULL, cases[i].ids, cases[i].n, &text, NULL),
                         T5_OK);
        assert_string_equal(text, cases[i].without_labels);
        free(text);
    }
    t5_labels_destroy(labels);
}

static int load(void **state) {
    *state = shipped_tokenizer();
    return 0;
}

static int unload(void **state) {
    t5_tokenizer_destroy(*state);
    t5_tokenizer_destroy(NULL);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_no_model),
        cmocka_unit_test(models_cut_short),
        cmocka_unit_test(special_tokens),
        cmocka_unit_test(a_model_without_pad_pads_with_zero),
        cmocka_unit_test(ids_of_sentencepiece),
        cmocka_unit_test(texts_are_cut_with_the_end_last),
        cmocka_unit_test(bytes_that_are_no_utf8_are_encoded_as_unknown),
        cmocka_unit_test(shipped_texts_there_and_back),
        cmocka_unit_test(labels_are_words_of_their_own),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
