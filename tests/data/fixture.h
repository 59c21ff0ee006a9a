/* What the tests of this folder share: rows written down in the test, and the data set that ships
 * with the project (configs/demo). Includes cmocka with what it needs. */
#ifndef T5_TESTS_DATA_FIXTURE_H
#define T5_TESTS_DATA_FIXTURE_H
#include "data/dataset.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static inline t5_str str(const char *s) {
    return (t5_str){s, strlen(s)};
}

/* FNV-1a (64 bits) as in make_tables.py; start with FNV_START. */
#define FNV_START 0xcbf29ce484222325u
static inline uint64_t fnv(uint64_t h, const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return h;
}
static inline uint64_t fnv_numbers(const int64_t *numbers, int64_t n) {
    uint64_t h = FNV_START;
    for (int64_t i = 0; i < n; i++) {
        for (int b = 0; b < 64; b += 8) {
            unsigned char byte = (unsigned char)((uint64_t)numbers[i] >> b);
            h = fnv(h, &byte, 1);
        }
    }
    return h;
}

/* n pairs of input and target. */
static inline t5_rows *rows_of(const char *const (*pairs)[2], size_t n) {
    t5_rows *rows;
    assert_int_equal(t5_rows_create(&rows, NULL), T5_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(t5_rows_append(rows, str(pairs[i][0]), str(pairs[i][1]), NULL), T5_OK);
    return rows;
}

static inline void *read_file(const char *path, size_t *bytes) {
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    char *data = malloc(1 << 21);
    *bytes = fread(data, 1, 1 << 21, f);
    assert_true(*bytes > 0 && *bytes < 1 << 21);
    fclose(f);
    return data;
}

static inline void *shipped_model(size_t *bytes) {
    return read_file(T5MPI_SOURCE_DIR "/configs/demo/spiece.model", bytes);
}

static inline t5_tokenizer *shipped_tokenizer(void) {
    size_t bytes;
    void *model = shipped_model(&bytes);
    t5_tokenizer *tok;
    assert_int_equal(t5_tokenizer_create(model, bytes, &tok, NULL), T5_OK);
    free(model);
    return tok;
}

/* A directory with the shipped model and these entries. */
static inline t5_tokenizer *tokenizer_with(t5_token_entry *added, int n_added, t5_token_entry *more,
                                           int n_more, int extra_ids, t5_error *err) {
    t5_token_entry special[16] = {
        {.text = (char[]){"</s>"}, .id = -1, .bare = true, .special = true},
        {.text = (char[]){"<unk>"}, .id = -1, .bare = true, .special = true},
        {.text = (char[]){"<pad>"}, .id = -1, .bare = true, .special = true},
    };
    t5_tokenizer_files files = {.added = added,
                                .n_added = n_added,
                                .special = special,
                                .n_special = 3 + n_more,
                                .n_additional = n_more > 0 ? n_more : -1,
                                .unk = 1,
                                .pad = 2,
                                .extra_ids = extra_ids,
                                .prefix_space = true};
    t5_tokenizer *tok = NULL;
    for (int i = 0; i < n_more; i++)
        special[3 + i] = more[i];
    files.model = shipped_model(&files.model_bytes);
    t5_tokenizer_from_files(&files, &tok, err);
    free(files.model);
    return tok;
}

/* Labels in this order. */
static inline t5_labels *labels_of(int n, const char *const *texts) {
    t5_str names[16];
    int64_t counts[16];
    t5_labels *labels;
    for (int l = 0; l < n; l++) {
        names[l] = str(texts[l]);
        counts[l] = 1;
    }
    assert_int_equal(t5_labels_from_list(n, names, counts, &labels, NULL), T5_OK);
    return labels;
}

/* The value behind `key`, up to the next quote: the shipped file has no escapes (asserted), and
 * this folder's library knows no JSON. */
static inline t5_str shipped_value(const char *line, const char *end, const char *key) {
    const char *s = strstr(line, key);
    assert_true(s && s < end);
    s += strlen(key);
    return (t5_str){s, (size_t)((const char *)memchr(s, '"', (size_t)(end - s)) - s)};
}

static inline t5_rows *shipped_rows(void) {
    size_t bytes;
    char *text = read_file(T5MPI_SOURCE_DIR "/configs/demo/v3like.jsonl", &bytes);
    text[bytes] = '\0';
    assert_null(strchr(text, '\\'));
    t5_rows *rows;
    assert_int_equal(t5_rows_create(&rows, NULL), T5_OK);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
        assert_int_equal(t5_rows_append(rows, shipped_value(line, end, "\"sns_text\": \""),
                                        shipped_value(line, end, "\"emoji_string\": \""), NULL),
                         T5_OK);
    free(text);
    return rows;
}

/* status and part of the text of an error */
#define assert_error(call, error, expected_status, expected_text)               \
    do {                                                                        \
        (error) = (t5_error){0};                                                \
        assert_int_equal(call, expected_status);                                \
        assert_int_equal((error).status, expected_status);                      \
        if (!strstr((error).text, expected_text))                               \
            fail_msg("expected \"%s\" in \"%s\"", expected_text, (error).text); \
    } while (0)

#endif
