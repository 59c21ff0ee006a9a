/* t5mpi predict without the program: which options go together, how answers are written, and that
 * a text's answer is its own whatever comes with it. The model is random: what it says means
 * nothing, that it says the same is what counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "saved/answer.h"
#include "saved/predict.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODEL T5MPI_SOURCE_DIR "/tests/setup/fixtures/v1_0"
#define TEXTS "predict_texts" /* made by each test in its own folder */

static char folder[] = "/tmp/t5mpi-predict-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(TEXTS);
    return chdir("/") || rmdir(folder);
}

typedef struct said {
    t5_status status;
    t5_error err;
    char *out, *notes;
} said;

static void said_free(said *s) {
    free(s->out);
    free(s->notes);
}

static t5_predict_options options_of(void) {
    t5_predict_options o = t5_predict_defaults;
    o.model = MODEL;
    o.file = TEXTS;
    o.threads = 1;
    o.max_length = 6;
    return o;
}

static said predict(const t5_predict_options *o, const char *texts, size_t bytes) {
    said s = {.status = T5_OK};
    size_t n;
    FILE *f = fopen(TEXTS, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(texts, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
    FILE *out = open_memstream(&s.out, &n), *notes = open_memstream(&s.notes, &n);
    assert_true(out && notes);
    s.status = t5_predict(o, out, notes, &s.err);
    fclose(out);
    fclose(notes);
    assert_int_equal(s.status, s.err.status);
    return s;
}

static said predict_text(const t5_predict_options *o, const char *texts) {
    said s = predict(o, texts, strlen(texts));
    if (s.status != T5_OK)
        fail_msg("%s", s.err.text);
    return s;
}

static int count_lines(const char *text) {
    int n = 0;
    while ((text = strchr(text, '\n'))) {
        n++;
        text++;
    }
    return n;
}

/* ---------------------------------------------------------------- options */

static void options_that_do_not_go_together(void **state) {
    static const struct {
        t5_decode_kind model;
        t5_predict_options o;
        const char *message;
    } bad[] = {
        {T5_DECODE_GREEDY, {.top_k = -1, .seed = -1, .beams = 4, .sample = true}, "--beams 4"},
        {T5_DECODE_GREEDY, {.top_k = -1, .seed = -1, .beams = 1, .sample = true}, "--sample"},
        {T5_DECODE_GREEDY, {.top_k = 3, .seed = -1}, "--top-k has no effect without sampling"},
        {T5_DECODE_GREEDY, {.top_k = 0, .seed = -1}, "--top-k"},
        {T5_DECODE_BEAM, {.top_k = -1, .seed = -1, .top_p = 0.5}, "--top-p"},
        {T5_DECODE_BEAM, {.top_k = -1, .seed = -1, .temperature = 2}, "--temperature"},
        {T5_DECODE_GREEDY, {.top_k = -1, .seed = 0}, "add --sample"},
        {T5_DECODE_SAMPLE, {.top_k = 3, .seed = -1, .beams = 4}, "instead of --beams"},
        {T5_DECODE_SAMPLE, {.top_k = -1, .seed = 7, .beams = 1}, "--seed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const t5_decode_spec model = {.kind = bad[i].model, .beams = 4};
        t5_decode_spec decode;
        t5_error err = {0};
        assert_int_equal(t5_predict_decode(&bad[i].o, &model, &decode, &err), T5_ERR_INPUT);
        if (!strstr(err.text, bad[i].message))
            fail_msg("\"%s\" does not say \"%s\"", err.text, bad[i].message);
    }
}

static void options_change_what_they_name(void **state) {
    const t5_decode_spec model = {.kind = T5_DECODE_SAMPLE,
                                  .beams = 3,
                                  .temperature = 0.7,
                                  .top_k = 50,
                                  .top_p = 0.9,
                                  .repetition_penalty = 1.2,
                                  .max_length = 32,
                                  .seed = 42};
    t5_predict_options o = t5_predict_defaults;
    t5_decode_spec d;
    t5_error err = {0};
    (void)state;
    assert_int_equal(t5_predict_decode(&o, &model, &d, &err), T5_OK);
    assert_true(d.kind == T5_DECODE_SAMPLE && d.top_k == 50 && d.seed == 42 && d.max_length == 32);
    assert_true(d.top_p == 0.9 && d.temperature == 0.7 && d.repetition_penalty == 1.2);

    o.top_k = 0;
    o.seed = 0;
    o.top_p = 1;
    o.temperature = 2;
    o.repetition_penalty = 3;
    o.max_length = 4;
    assert_int_equal(t5_predict_decode(&o, &model, &d, &err), T5_OK);
    assert_true(d.kind == T5_DECODE_SAMPLE && d.top_k == 0 && d.seed == 0 && d.max_length == 4);
    assert_true(d.top_p == 1 && d.temperature == 2 && d.repetition_penalty == 3);

    o = t5_predict_defaults;
    o.beams = 5;
    assert_int_equal(t5_predict_decode(&o, &model, &d, &err), T5_OK);
    assert_true(d.kind == T5_DECODE_BEAM && d.beams == 5);
    o.beams = 1;
    assert_int_equal(t5_predict_decode(&o, &model, &d, &err), T5_OK);
    assert_true(d.kind == T5_DECODE_GREEDY);
}

/* ---------------------------------------------------------------- writing */

static char *written(const t5_answer *a, const char *settings) {
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    if (settings)
        t5_answer_write_json(f, a, settings);
    else
        t5_answer_write_text(f, a->output);
    fclose(f);
    return text;
}

static void an_answer_is_one_line(void **state) {
    static const struct {
        const char *output, *line;
    } cases[] = {{"", "\n"}, {"a", "a\n"}, {"a\nb\r\nc\n", "a b  c \n"}, {"\xff", "\xff\n"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = written(&(t5_answer){.output = cases[i].output}, NULL);
        assert_string_equal(text, cases[i].line);
        free(text);
    }
}

static void json_survives_every_text(void **state) {
    static const struct {
        const char *text, *read; /* as written, and as read back; NULL: the same */
    } cases[] = {{"\xff", "\xef\xbf\xbd"},
                 {"a\xe3\x81", "a\xef\xbf\xbd\xef\xbf\xbd"},
                 {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
                 {"\"\\/\b\f\n\r\t\x01\x1f\x7f", NULL},
                 {"日本語 ⚽ 👨‍👩‍👧 \xf4\x8f\xbf\xbf", NULL},
                 {"", NULL}};
    const t5_decode_spec d = {.kind = T5_DECODE_SAMPLE,
                              .temperature = 0.1,
                              .top_p = 0.95,
                              .top_k = 50,
                              .seed = UINT64_MAX / 2,
                              .repetition_penalty = 1.2,
                              .max_length = 9};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text, *want = cases[i].read ? cases[i].read : text;
        char *settings = t5_answer_settings(text, &d, true);
        assert_non_null(settings);
        const t5_answer a = {.input = text,
                             .input_bytes = strlen(text),
                             .output = text,
                             .answered = i > 0,
                             .score = -1.5f,
                             .tokens = 3};
        char *line = written(&a, settings);
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (!o)
            fail_msg("no JSON: %s", line);
        assert_string_equal(json_string_value(json_object_get(o, "input")), want);
        assert_string_equal(json_string_value(json_object_get(o, "output")), want);
        if (i > 0)
            assert_true(json_number_value(json_object_get(o, "score")) == -1.5);
        else
            assert_true(json_is_null(json_object_get(o, "score")));
        assert_int_equal(json_integer_value(json_object_get(o, "tokens")), 3);
        const json_t *s = json_object_get(o, "settings");
        assert_string_equal(json_string_value(json_object_get(s, "model")), want);
        assert_string_equal(json_string_value(json_object_get(s, "decode")), "sample");
        assert_true(json_number_value(json_object_get(s, "temperature")) == 0.1);
        assert_true(json_integer_value(json_object_get(s, "seed")) == INT64_MAX);
        assert_true(json_is_true(json_object_get(s, "restricted")));
        json_decref(o);
        free(line);
        free(settings);
    }
}

/* ---------------------------------------------------------------- answers */

static void what_is_wrong_is_named(void **state) {
    static const struct {
        const char *texts;
        size_t bytes;
        int answered; /* lines */
        const char *message;
    } bad[] = {
        {"a\n\xff\nb\n", 6, 1, TEXTS ":2: not UTF-8; a text a line was expected, in UTF-8"},
        {"a\0b\n", 4, 0, TEXTS ":1: a NUL byte"},
        {"a\n\nb\n\xe3\x81", 7, 3, TEXTS ":4: not UTF-8"},
    };
    (void)state;
    t5_predict_options o = options_of();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        said s = predict(&o, bad[i].texts, bad[i].bytes);
        assert_int_equal(s.status, T5_ERR_INPUT);
        if (!strstr(s.err.text, bad[i].message))
            fail_msg("\"%s\" does not say \"%s\"", s.err.text, bad[i].message);
        assert_int_equal(count_lines(s.out), bad[i].answered);
        said_free(&s);
    }
    const size_t most = 1 << 20;
    char *line = malloc(most + 2);
    assert_non_null(line);
    memset(line, ' ', most + 2); /* not a word of a million letters: SentencePiece takes minutes */
    line[most] = 'a';
    memcpy(line, "x\n", 2);
    said s = predict(&o, line, most + 2); /* just as long as is allowed */
    assert_int_equal(s.status, T5_OK);
    assert_int_equal(count_lines(s.out), 2);
    said_free(&s);
    line[1] = 'x';
    s = predict(&o, line, most + 2);
    assert_int_equal(s.status, T5_ERR_INPUT);
    assert_non_null(strstr(s.err.text, TEXTS ":1: a line of more than 1 MiB"));
    assert_string_equal(s.out, "");
    said_free(&s);
    free(line);
    o.file = "nowhere";
    s = predict(&o, "", 0);
    assert_int_equal(s.status, T5_ERR_INPUT);
    assert_non_null(strstr(s.err.text, "nowhere: cannot be opened: No such file"));
    said_free(&s);
    o.file = ".";
    s = predict(&o, "", 0);
    assert_int_equal(s.status, T5_ERR_INPUT);
    assert_non_null(strstr(s.err.text, ".: is a folder"));
    said_free(&s);
    o.model = "nowhere";
    s = predict(&o, "", 0);
    assert_int_equal(s.status, T5_ERR_INPUT);
    assert_non_null(strstr(s.err.text, "nowhere"));
    said_free(&s);
}

/* Empty lines, ends of lines and what else surrounds a text. */
static void lines_stay_side_by_side(void **state) {
    static const struct {
        const char *texts;
        const char *answered; /* a letter a line: x answered, - not */
    } cases[] = {
        {"", ""},
        {"\n", "-"},
        {"\r\n", "-"},
        {" \t\n\xe3\x80\x80\na\n", "--x"},
        {"a", "x"},
        {"a\nb", "xx"},
        {"a\r\nb\r\n", "xx"},
        {"a\n\n\nb\n\n", "x--x-"},
        {"\xef\xbb\xbf"
         "a\n",
         "x"},
    };
    t5_predict_options o = options_of();
    (void)state;
    said alone = predict_text(&o, "a\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        said s = predict_text(&o, cases[i].texts);
        const char *at = s.out;
        for (const char *c = cases[i].answered; *c; c++) {
            const char *end = strchr(at, '\n');
            if (!end || (*c == '-') != (end == at))
                fail_msg("case %zu: \"%s\", expected %s", i, s.out, cases[i].answered);
            at = end + 1;
        }
        assert_string_equal(at, "");
        if (*cases[i].answered == 'x')
            assert_memory_equal(s.out, alone.out, strlen(alone.out));
        said_free(&s);
    }
    said_free(&alone);
}

enum { MANY = 1000 };

/* n texts, a third of them the same, some empty. */
static char *many_texts(int n) {
    char *texts = malloc((size_t)n * 32), *at = texts;
    assert_non_null(texts);
    for (int i = 0; i < n; i++)
        at += i % 7 == 3   ? sprintf(at, "\n")
              : i % 3 == 0 ? sprintf(at, "今日は\n")
                           : sprintf(at, "%d 今日は%d\n", i * 37 % 1000, i);
    return texts;
}

static void batches_do_not_matter(void **state) {
    static const int sizes[] = {1, 7, MANY};
    (void)state;
    for (int sample = 0; sample < 2; sample++) {
        /* Products of another size round another way, which now and then tips a draw that lies on
         * the border of two tokens: few and short answers make that unlikely. */
        const int n = sample ? 100 : MANY;
        char *texts = many_texts(n);
        t5_predict_options o = options_of();
        o.max_length = 3;
        o.sample = sample;
        said want = predict_text(&o, texts);
        assert_int_equal(count_lines(want.out), n);
        for (int i = 0; i < 3; i++) {
            o.batch_size = sizes[i];
            said got = predict_text(&o, texts);
            assert_string_equal(got.out, want.out);
            said_free(&got);
        }
        said_free(&want);
        free(texts);
    }
}

static void a_seed_decides(void **state) {
    t5_predict_options o = options_of();
    (void)state;
    o.sample = true;
    o.seed = 1;
    said first = predict_text(&o, "a\na\nb\n"), again = predict_text(&o, "a\na\nb\n");
    assert_string_equal(first.out, again.out);
    const size_t line = strcspn(first.out, "\n") + 1;
    assert_true(strncmp(first.out, first.out + line, line) != 0); /* same text, other line */
    o.seed = 2;
    said other = predict_text(&o, "a\na\nb\n");
    assert_string_not_equal(first.out, other.out);
    said_free(&first);
    said_free(&again);
    said_free(&other);
}

/* The objects of --jsonl say what the lines say, in the order of the texts. */
static void objects_match_lines(void **state) {
    static const char *const kinds[] = {"greedy", "beam", "sample"};
    char *texts = many_texts(MANY);
    (void)state;
    for (int k = 0; k < 3; k++) {
        t5_predict_options o = options_of();
        o.beams = k == 1 ? 3 : 0;
        o.sample = k == 2;
        said lines = predict_text(&o, texts);
        o.jsonl = true;
        said objects = predict_text(&o, texts);
        const char *text = texts, *line = lines.out, *at = objects.out;
        for (int i = 0; i < MANY; i++) {
            const size_t n_text = strcspn(text, "\n"), n_line = strcspn(line, "\n");
            json_t *a = json_loadb(at, strcspn(at, "\n"), 0, NULL);
            assert_non_null(a);
            const char *input = json_string_value(json_object_get(a, "input"));
            const char *output = json_string_value(json_object_get(a, "output"));
            const json_t *score = json_object_get(a, "score");
            assert_true(strlen(input) == n_text && strncmp(input, text, n_text) == 0);
            assert_true(strlen(output) == n_line && strncmp(output, line, n_line) == 0);
            const json_int_t tokens = json_integer_value(json_object_get(a, "tokens"));
            if (n_text == 0)
                assert_true(json_is_null(score) && tokens == 0);
            else
                assert_true(json_number_value(score) < 0 && tokens >= 1 && tokens <= 6);
            const json_t *settings = json_object_get(a, "settings");
            assert_string_equal(json_string_value(json_object_get(settings, "decode")), kinds[k]);
            assert_string_equal(json_string_value(json_object_get(settings, "model")), MODEL);
            json_decref(a);
            text += n_text + 1;
            line += n_line + 1;
            at += strcspn(at, "\n") + 1;
        }
        assert_string_equal(at, "");
        said_free(&lines);
        said_free(&objects);
    }
    free(texts);
}

/* A long text's answer is that of its beginning. */
static void long_texts_are_cut_and_counted(void **state) {
    enum { WORDS = 3000 };
    t5_predict_options o = options_of();
    char *text = malloc(4 * (2 * WORDS) + 8), *at = text;
    (void)state;
    assert_non_null(text);
    for (int i = 0; i < 2 * WORDS; i++) {
        at += sprintf(at, "日");
        if (i + 1 == WORDS)
            *at++ = '\n';
    }
    strcpy(at, "\na\n");
    o.jsonl = true;
    said s = predict_text(&o, text);
    assert_non_null(strstr(s.notes, "2 of 3 texts had more than "));
    assert_int_equal(count_lines(s.notes), 1);
    const char *line = s.out;
    for (int i = 0; i < 3; i++) {
        json_t *a = json_loadb(line, strcspn(line, "\n"), 0, NULL);
        assert_int_equal(json_is_true(json_object_get(a, "cut")), i < 2);
        json_decref(a);
        line += strcspn(line, "\n") + 1;
    }
    said_free(&s);
    s = predict_text(&o, "a\n");
    assert_string_equal(s.notes, "");
    said_free(&s);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_do_not_go_together),
        cmocka_unit_test(options_change_what_they_name),
        cmocka_unit_test(an_answer_is_one_line),
        cmocka_unit_test(json_survives_every_text),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(lines_stay_side_by_side),
        cmocka_unit_test(batches_do_not_matter),
        cmocka_unit_test(a_seed_decides),
        cmocka_unit_test(objects_match_lines),
        cmocka_unit_test(long_texts_are_cut_and_counted),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
