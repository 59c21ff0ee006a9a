/* Directories that are written, read back by this program and, where the variable T5MPI_PYTHON
 * names a Python with Transformers, loaded there (tests/oracle/check_export.py): tokenisers of
 * every kind with labels added, and small models of every family. */
#include "data/tokenizer_settled.h"
#include "io/file.h"
#include "io/hf_tokenizer.h"
#include "io/hf_write.h"
#include "io/weights.h"
#include "setup/hf_shape.h"
#include "tests/data/fixture.h"
#include "tests/io/scratch.h"

enum { MAX_IDS = 1 << 16 };

static const char *const emoji[] = {
    "🎵",           "📚",       "❤️",  "❤",  "👨‍👩‍👧‍👦",
    "👨‍👩", "🏛️", "1️⃣", "🇯🇵", "👍🏽",
    "👍",           "★",       "ハロ",    "音", "新しい語",
    "word"};

/* --- a tokeniser and what became of it --- */

typedef struct pair {
    t5_labels *labels;
    t5_tokenizer *before, *after; /* without labels: there they are added tokens like others */
    t5_tokenizer_files settled;
} pair;

static t5_tokenizer_files files_of(const char *name) {
    char folder[512];
    t5_tokenizer_files files = {0};
    t5_error err = {0};
    if (!name) { /* a spiece.model alone */
        files.model = shipped_model(&files.model_bytes);
        return files;
    }
    snprintf(folder, sizeof folder, "%s/tests/data/tokenizers/%s", T5MPI_SOURCE_DIR, name);
    if (t5_hf_tokenizer_read(folder, &files, &err))
        fail_msg("%s", err.text);
    return files;
}

static t5_tokenizer *tokenizer_of(const t5_tokenizer_files *files) {
    t5_tokenizer *tok;
    t5_error err = {0};
    if (files->n_special == 0 ? t5_tokenizer_create(files->model, files->model_bytes, &tok, &err)
                              : t5_tokenizer_from_files(files, &tok, &err))
        fail_msg("%s", err.text);
    return tok;
}

/* Writes the tokeniser of a fixture with labels to `folder` and reads that. */
static pair write_pair(const char *name, int n_labels, const char *folder) {
    pair p = {.labels = labels_of(n_labels, emoji)};
    t5_tokenizer_files files = files_of(name), back;
    t5_error err = {0};
    p.before = tokenizer_of(&files);
    assert_int_equal(t5_tokenizer_add_labels(p.before, p.labels, NULL), T5_OK);
    assert_int_equal(t5_tokenizer_settled(p.before, &files, n_labels, &p.settled, NULL), T5_OK);
    assert_int_equal(t5_file_make_folder(folder, NULL), T5_OK);
    if (t5_hf_tokenizer_write(folder, &p.settled, t5_tokenizer_pieces(p.before), 0, &err) ||
        t5_hf_tokenizer_read(folder, &back, &err))
        fail_msg("%s", err.text);
    p.after = tokenizer_of(&back);
    t5_tokenizer_files_free(&back);
    t5_tokenizer_files_free(&files);
    return p;
}

static void free_pair(pair *p) {
    t5_tokenizer_destroy(p->before);
    t5_tokenizer_destroy(p->after);
    t5_labels_destroy(p->labels);
    t5_tokenizer_files_free(&p->settled);
}

static void put_ids(FILE *f, const char *key, const int32_t *ids, int n) {
    fprintf(f, "\"%s\": [", key);
    for (int i = 0; i < n; i++)
        fprintf(f, "%s%d", i ? ", " : "", ids[i]);
    fprintf(f, "]");
}

static void put_text(FILE *f, const char *text, size_t n) {
    fprintf(f, "\"text\": \"");
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%02x", (unsigned char)text[i]);
    fprintf(f, "\"");
}

/* plain: Transformers 5 is to agree, too; docs/tokeniser.md says why it need not elsewhere. */
static void compare_text(const pair *p, t5_str text, bool plain, FILE *expected) {
    static int32_t a[MAX_IDS], b[MAX_IDS];
    int n_a, n_b;
    assert_int_equal(t5_tokenizer_encode_with(p->before, t5_labels_size(p->labels), text, MAX_IDS,
                                              a, &n_a, NULL),
                     T5_OK);
    assert_int_equal(t5_tokenizer_encode(p->after, text, MAX_IDS, b, &n_b, NULL), T5_OK);
    if (n_a != n_b || memcmp(a, b, (size_t)n_a * sizeof *a) != 0)
        fail_msg("other ids of '%.*s'", (int)text.n, text.s);
    fprintf(expected, "{");
    put_text(expected, text.s, text.n);
    fprintf(expected, ", ");
    put_ids(expected, "ids", a, n_a);
    fprintf(expected, "%s}\n", plain ? ", \"plain\": true" : "");
}

/* The nasty texts of the table that tests/data/make_tokenizer_ids.py made, those of its first case.
 */
static void compare_texts(const pair *p, FILE *expected) {
    size_t size;
    int n = 0;
    char *table = read_file(T5MPI_SOURCE_DIR "/tests/data/tokenizer_ids.txt", &size), *rest;
    table[size] = '\0';
    for (char *line = strtok_r(table, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char text[512];
        size_t bytes = 0;
        if (strncmp(line, "case ", 5) == 0 && n > 0)
            break;
        if (strncmp(line, "text ", 5) != 0 || line[5] == '*')
            continue;
        for (const char *hex = line + 5; *hex && bytes < sizeof text; hex += 2)
            assert_int_equal(sscanf(hex, "%2hhx", (unsigned char *)&text[bytes++]), 1);
        compare_text(p, (t5_str){text, bytes}, false, expected);
        n++;
    }
    assert_true(n > 100);
    free(table);
}

/* Answers of labels, of pieces, of both, with special tokens between. */
static void compare_answers(const pair *p, bool plain, FILE *expected) {
    int n_labels = t5_labels_size(p->labels);
    uint32_t random = 1;
    for (int i = 0; i < 40; i++) {
        int32_t ids[8];
        char *a, *b;
        for (int k = 0; k < 8; k++) {
            random = random * 1664525u + 1013904223u;
            int r = (int)(random >> 8);
            ids[k] = i % 4 == 0 || r % 3 == 0 ? t5_tokenizer_label_id(p->before, r % n_labels)
                     : r % 11 == 0            ? t5_tokenizer_eos(p->before)
                                              : r % t5_tokenizer_pieces(p->before);
        }
        assert_int_equal(t5_tokenizer_decode(p->before, p->labels, ids, 8, &a, NULL), T5_OK);
        assert_int_equal(t5_tokenizer_decode(p->after, NULL, ids, 8, &b, NULL), T5_OK);
        assert_string_equal(a, b);
        fprintf(expected, "{");
        put_ids(expected, "answer", ids, 8);
        fprintf(expected, ", ");
        put_text(expected, a, strlen(a));
        fprintf(expected, "%s}\n", plain ? ", \"plain\": true" : "");
        free(a);
        free(b);
    }
}

/* plain: there are no holes among the ids, and no shipped text holds an added token. */
static void compare_pair(const pair *p, bool plain, const char *folder) {
    char path[512];
    assert_int_equal(t5_tokenizer_eos(p->after), t5_tokenizer_eos(p->before));
    assert_int_equal(t5_tokenizer_pad(p->after), t5_tokenizer_pad(p->before));
    for (int l = 0; l < t5_labels_size(p->labels); l++) {
        const t5_added_token *token =
            t5_added_tokens_find(t5_tokenizer_added(p->after), 0, t5_labels_name(p->labels, l));
        assert_non_null(token);
        assert_int_equal(token->id, t5_tokenizer_label_id(p->before, l));
    }
    snprintf(path, sizeof path, "%s/expected.jsonl", folder);
    FILE *expected = fopen(path, "w");
    assert_non_null(expected);
    compare_texts(p, expected);
    compare_answers(p, plain, expected);
    t5_rows *rows = shipped_rows();
    for (int i = 0; i < 300; i++)
        compare_text(p, t5_rows_input(rows, i), plain, expected);
    t5_rows_destroy(rows);
    assert_int_equal(fclose(expected), 0);
}

/* --- tests --- */

static const char *const kinds[] = {"bare",   "japanese", "no_sentinels", "decoder", "flags",
                                    "legacy", "fast",     "own_specials", NULL /* alone */};

static void tokenisers(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char folder[64];
        snprintf(folder, sizeof folder, "tok_%s", kinds[i] ? kinds[i] : "alone");
        pair p = write_pair(kinds[i], COUNT_OF(emoji), folder);
        compare_pair(&p, false, folder);
        free_pair(&p);
    }
}

/* --- models --- */

typedef struct model {
    const char *name, *tokenizer; /* a fixture's, or NULL: alone */
    t5_hf_config config;          /* its vocab_size is the tokeniser's */
    t5_hf_generation generation;
} model;

#define SIZES                                                                                 \
    .d_model = 16, .d_kv = 4, .d_ff = 24, .num_heads = 3, .num_layers = 2,                    \
    .num_decoder_layers = 1, .relative_buckets = 8, .relative_max_distance = 20, .eos_id = 1, \
    .layer_norm_epsilon = 1e-6, .dropout_rate = 0.1
#define GREEDY .max_new_tokens = 6, .temperature = 1, .top_k = 50, .top_p = 1, .eos_id = 1

static int32_t some_tokens[] = {3, 7, 4000};

static const model models[] = {
    {"t5",
     NULL,
     {.family = T5_HF_T5, .tied = true, .scaled_output = true, SIZES},
     {GREEDY, .num_beams = 1, .repetition_penalty = 1}},
    {"t5_untied",
     "bare",
     {.family = T5_HF_T5, .gated_gelu = true, SIZES},
     {GREEDY, .num_beams = 4, .repetition_penalty = 1}},
    {"t5_unscaled",
     "japanese",
     {.family = T5_HF_T5, .gated_gelu = true, .tied = true, SIZES},
     {.max_new_tokens = 6,
      .eos_id = 1,
      .num_beams = 1,
      .repetition_penalty = 1.5,
      .do_sample = true,
      .top_p = 0.95,
      .temperature = 0.7}},
    {"mt5",
     "no_sentinels",
     {.family = T5_HF_MT5, .gated_gelu = true, .tied = true, SIZES},
     {GREEDY, .num_beams = 1, .repetition_penalty = 1.5}},
    {"mt5_untied",
     "no_sentinels",
     {.family = T5_HF_MT5, .gated_gelu = true, SIZES},
     {GREEDY, .num_beams = 1, .repetition_penalty = 1, .suppress = some_tokens, .n_suppress = 3}},
    {"umt5",
     "decoder",
     {.family = T5_HF_UMT5,
      .gated_gelu = true,
      .tied = true,
      .scaled_output = true,
      .bias_every_layer = true,
      SIZES},
     {GREEDY, .num_beams = 2, .repetition_penalty = 1, .suppress = some_tokens, .n_suppress = 3}},
};

typedef struct source {
    t5_tensor_entry *tensors;
    int n, shared, head; /* head: the place of a copy of the shared matrix; -1: there is none */
} source;

/* Element k of tensor i: anything, the same every time. */
static float value_at(int i, int64_t k) {
    uint32_t x = (uint32_t)(k * 7919 + i * 104729 + 1) * 2654435761u;
    return ((float)(x >> 8) / (float)(1 << 23) - 1.0f) * 0.3f;
}

static t5_status give(void *user, int i, int64_t first, int64_t n, float *out, t5_error *err) {
    const source *s = user;
    (void)err;
    for (int64_t k = 0; k < n; k++)
        out[k] = value_at(i == s->head ? s->shared : i, first + k);
    return T5_OK;
}

static void write_weights(const char *folder, const t5_hf_config *config) {
    t5_shape shape = t5_shape_of_hf(config);
    t5_param *params;
    source s = {.head = -1};
    t5_error err = {0};
    if (t5_shape_list(&shape, &params, &s.n, &err))
        fail_msg("%s", err.text);
    s.tensors = calloc((size_t)s.n + 1, sizeof *s.tensors);
    for (int i = 0; i < s.n; i++) {
        s.tensors[i] = (t5_tensor_entry){.name = params[i].name,
                                         .n_dims = params[i].cols == 1 ? 1 : 2,
                                         .dims = {params[i].rows, params[i].cols}};
        if (strcmp(params[i].name, "shared.weight") == 0)
            s.shared = i;
    }
    if (config->tied && t5_hf_config_has_head(config)) {
        s.head = s.n++;
        s.tensors[s.head] = s.tensors[s.shared];
        s.tensors[s.head].name = "lm_head.weight";
    }
    if (t5_safetensors_write(folder, s.tensors, s.n, give, &s, &err))
        fail_msg("%s", err.text);
    free(s.tensors);
    free(params);
}

static void write_model(const model *m) {
    char path[600];
    t5_hf_config config = m->config;
    t5_error err = {0};
    pair p = write_pair(m->tokenizer, 10, m->name);
    compare_pair(&p, true, m->name);
    config.vocab_size = t5_tokenizer_rows(p.before, 10);
    free_pair(&p);
    if (t5_hf_config_write(m->name, &config, &err) ||
        t5_hf_generation_write(m->name, &m->generation, &err))
        fail_msg("%s", err.text);
    write_weights(m->name, &config);
    snprintf(path, sizeof path, "%s/expected.jsonl", m->name);
    FILE *expected = fopen(path, "a");
    assert_non_null(expected);
    fprintf(expected, "{\"scaled\": %s}\n", config.scaled_output ? "true" : "false");
    assert_int_equal(fclose(expected), 0);
}

static void in_transformers(void **state) {
    (void)state;
    const char *python = getenv("T5MPI_PYTHON");
    if (!python) {
        print_message("skipped: T5MPI_PYTHON does not name a Python with Transformers\n");
        skip();
    }
    for (size_t i = 0; i < COUNT_OF(models); i++)
        write_model(&models[i]);
    int status = system("\"$T5MPI_PYTHON\" " T5MPI_SOURCE_DIR
                        "/tests/oracle/check_export.py tok_* t5 t5_* mt5 mt5_* umt5 >log 2>&1");
    if (status != 0 && system("cat log >&2") == 0)
        fail_msg("check_export.py: status %d", status);
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenisers),
        cmocka_unit_test(in_transformers), /* of the folders that the others made, too */
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
