/* The ids of nasty and of shipped texts are those of Transformers' T5Tokenizer, for directories of
 * every kind: from their files to ids, before and after labels were added.
 * tests/data/make_tokenizer_ids.py makes the table. */
#include "io/hf_tokenizer.h"
#include "tests/data/fixture.h"

enum { MAX_IDS = 1 << 16 };

typedef struct table {
    char *text, *at;
    const char *name;
    t5_tokenizer *tok; /* of the case */
    t5_labels *labels;
    t5_rows *shipped;
    int n_labels, cases, texts, groups;
    int32_t *expected, *ids; /* (MAX_IDS) */
} table;

static char *next_line(table *t) {
    char *line = t->at, *end = strchr(line, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    t->at = end + 1;
    return line;
}

static t5_tokenizer *tokenizer_of(const char *name) {
    char folder[512];
    t5_tokenizer_files files, copy;
    t5_tokenizer *tok = NULL;
    t5_error err = {0};
    void *block;
    size_t bytes;
    snprintf(folder, sizeof folder, "%s/tests/data/tokenizers/%s", T5MPI_SOURCE_DIR, name);
    if (t5_hf_tokenizer_read(folder, &files, &err) != T5_OK)
        fail_msg("%s", err.text);
    /* by way of a block, as on every rank */
    assert_int_equal(t5_tokenizer_files_pack(&files, &block, &bytes, &err), T5_OK);
    assert_int_equal(t5_tokenizer_files_unpack(block, bytes, &copy, &err), T5_OK);
    t5_tokenizer_files_free(&copy);
    if (t5_tokenizer_from_block(block, bytes, &tok, &err) != T5_OK)
        fail_msg("%s: %s", name, err.text);
    free(block);
    t5_tokenizer_files_free(&files);
    return tok;
}

static void end_case(table *t) {
    t5_tokenizer_destroy(t->tok);
    t5_labels_destroy(t->labels);
    t->tok = NULL;
    t->labels = NULL;
    t->n_labels = 0;
}

static void begin_case(table *t, char *rest) {
    char *size = strchr(rest, ' ');
    *size++ = '\0';
    end_case(t);
    t->name = rest;
    t->tok = tokenizer_of(rest);
    t->cases++;
    assert_int_equal(t5_added_tokens_vocabulary(t5_tokenizer_added(t->tok)), atoi(size));
}

/* Labels are in the order of their names' first appearance when all counts are the same. */
static void add_labels(table *t, char *rest) {
    t5_str names[64];
    int64_t counts[64];
    for (char *word = strtok(rest, " "); word; word = strtok(NULL, " ")) {
        names[t->n_labels] = str(word);
        counts[t->n_labels++] = 1;
    }
    assert_int_equal(t5_labels_from_list(t->n_labels, names, counts, &t->labels, NULL), T5_OK);
    assert_int_equal(t5_tokenizer_add_labels(t->tok, t->labels, NULL), T5_OK);
    char *ids = next_line(t);
    for (int l = 0; l < t->n_labels; l++)
        assert_int_equal(t5_tokenizer_label_id(t->tok, l), strtol(ids, &ids, 10));
}

/* A,B*N ...; returns how many. */
static int expected_ids(table *t, char *line) {
    int n = 0;
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
        int first = n;
        do {
            assert_true(n < MAX_IDS);
            t->expected[n++] = (int32_t)strtol(word, &word, 10);
        } while (*word++ == ',');
        int size = n - first, times = word[-1] == '*' ? atoi(word) : 1;
        assert_true(first + size * times <= MAX_IDS);
        for (; n < first + size * times; n++)
            t->expected[n] = t->expected[n - size];
    }
    return n;
}

/* The text of HEX or *N*HEX, NUL-terminated. */
static char *text_of(const char *hex, size_t *n) {
    unsigned char unit[1024];
    char *text = malloc(1 << 17);
    long characters = 1;
    size_t bytes = 0, size = 0, at_character = 0;
    bool repeated = *hex == '*';
    if (repeated) {
        characters = strtol(hex + 1, (char **)(uintptr_t)&hex, 10);
        hex++;
    }
    for (; *hex; hex += 2) {
        assert_true(size < sizeof unit && sscanf(hex, "%2hhx", &unit[size]) == 1);
        size++;
    }
    if (!repeated) {
        memcpy(text, unit, size);
        bytes = size;
    }
    while (repeated) {
        unsigned char c = unit[at_character++ % size];
        if ((c & 0xc0) != 0x80 && characters-- == 0)
            break;
        assert_true(bytes < 1 << 17);
        text[bytes++] = (char)c;
    }
    *n = bytes;
    return text;
}

static int encode(table *t, t5_str text) {
    int n;
    t5_error err = {0};
    if (t5_tokenizer_encode_with(t->tok, t->n_labels, text, MAX_IDS, t->ids, &n, &err) != T5_OK)
        fail_msg("%s: %s", t->name, err.text);
    return n;
}

static void check_text(table *t, const char *hex) {
    size_t bytes;
    char *text = text_of(hex, &bytes);
    int n = encode(t, (t5_str){text, bytes}), wanted = expected_ids(t, next_line(t)), same = 0;
    while (same < n && same < wanted && t->ids[same] == t->expected[same])
        same++;
    if (same < n || same < wanted)
        fail_msg("case %s, %d labels, text '%.*s' (%.40s): id %d of %d is %d, expected %d of %d",
                 t->name, t->n_labels, bytes > 200 ? 200 : (int)bytes, text, hex, same, n,
                 same < n ? t->ids[same] : -1, same < wanted ? t->expected[same] : -1, wanted);
    free(text);
    t->texts++;
}

static void check_shipped(table *t, const char *rest) {
    int first, count;
    unsigned long long hash;
    uint64_t h = FNV_START;
    assert_int_equal(sscanf(rest, "%d %d %llx", &first, &count, &hash), 3);
    for (int i = first; i < first + count; i++) {
        int n = encode(t, t5_rows_input(t->shipped, i));
        for (int k = 0; k < n; k++) {
            unsigned char id[8] = {(unsigned char)t->ids[k], (unsigned char)(t->ids[k] >> 8),
                                   (unsigned char)(t->ids[k] >> 16)};
            h = fnv(h, id, sizeof id);
        }
    }
    if (h != hash)
        fail_msg("case %s: the ids of rows %d .. %d of the shipped texts differ", t->name, first,
                 first + count - 1);
    t->groups++;
}

static void ids_of_transformers(void **state) {
    (void)state;
    size_t bytes;
    table t = {.shipped = shipped_rows(),
               .expected = malloc(MAX_IDS * sizeof *t.expected),
               .ids = malloc(MAX_IDS * sizeof *t.ids)};
    t.at = t.text = read_file(T5MPI_SOURCE_DIR "/tests/data/tokenizer_ids.txt", &bytes);
    t.text[bytes] = '\0';
    for (char *line; (line = next_line(&t));) {
        if (strncmp(line, "case ", 5) == 0)
            begin_case(&t, line + 5);
        else if (strncmp(line, "labels ", 7) == 0)
            add_labels(&t, line + 7);
        else if (strncmp(line, "text ", 5) == 0)
            check_text(&t, line + 5);
        else if (strncmp(line, "shipped ", 8) == 0)
            check_shipped(&t, line + 8);
        else
            fail_msg("what is '%s'?", line);
    }
    assert_true(t.cases >= 8 && t.texts >= 2000 && t.groups >= 20);
    end_case(&t);
    t5_rows_destroy(t.shipped);
    free(t.expected);
    free(t.ids);
    free(t.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
