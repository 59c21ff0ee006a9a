/* Emojis' names, as CLDR's XML has them where it is installed, and what labels are described by. */
#include "data/emoji_names.h"
#include "data/label_init.h"
#include "tests/data/fixture.h"

static void what_has_no_name(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "\xef\xb8\x8f",
        "\xef\xb8\x8f\xef\xb8\x8e",
        "音楽",
        "🎵🎵",
        "\xf0\x9f",
        "\xf0\x9f\x8e",
        "\xff",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(t5_emoji_name(str(texts[i])).n, 0);
    assert_int_equal(t5_emoji_name((t5_str){"🎵\0", 5}).n, 0);
    assert_int_equal(t5_emoji_name((t5_str){NULL, 0}).n, 0);
}

static void names_of_some(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"🎵", "音符"},
        {"❤️", "赤いハート"},
        {"❤", "赤いハート"},
        {"❤\xef\xb8\x8e", "赤いハート"},
        {"🏛️", "歴史的な建物"},
        {"👁️‍🗨️", "吹き出しの目"},
        {"👁‍🗨️", "吹き出しの目"},
        {"🇯🇵", "旗: 日本"},
        {"1️⃣", "囲み数字: 1"},
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(t5_emoji_name(str(names[i][0])).s, names[i][1]);
}

static void the_table_is_sorted_and_finds_all_of_itself(void **state) {
    (void)state;
    for (int i = 0; i < t5_emoji_names_size; i++) {
        const char *const *entry = t5_emoji_names[i];
        assert_true(i == 0 || strcmp(t5_emoji_names[i - 1][0], entry[0]) < 0);
        assert_true(*entry[1] != '\0');
        assert_ptr_equal(t5_emoji_name(str(entry[0])).s, entry[1]);
    }
}

/* --- against the XML: <annotation cp="🎵" type="tts">音符</annotation> --- */

static void unescape(char *text) {
    static const char *const escapes[][2] = {
        {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&amp;", "&"}};
    for (size_t i = 0; i < COUNT_OF(escapes); i++) {
        char *at = strstr(text, escapes[i][0]);
        if (at) {
            *at = *escapes[i][1];
            memmove(at + 1, at + strlen(escapes[i][0]), strlen(at + strlen(escapes[i][0])) + 1);
        }
    }
}

static int check_file(const char *path) {
    char line[4096], emoji[256], name[2048];
    int checked = 0;
    FILE *f = fopen(path, "r");
    if (!f)
        return -1;
    while (fgets(line, sizeof line, f)) {
        if (!strstr(line, "type=\"tts\"") ||
            sscanf(line, " <annotation cp=\"%255[^\"]\"%*[^>]>%2047[^<]<", emoji, name) != 2)
            continue;
        unescape(emoji);
        unescape(name);
        assert_string_equal(t5_emoji_name(str(emoji)).s, name);
        checked++;
    }
    fclose(f);
    return checked;
}

/* Is the installed CLDR the one that the table was made from? */
static bool is_version_41(void) {
    char line[4096];
    bool found = false;
    FILE *f = fopen("/usr/share/unicode/cldr/common/dtd/ldml.dtd", "r");
    while (f && !found && fgets(line, sizeof line, f))
        found = strstr(line, "cldrVersion CDATA #FIXED \"41\"") != NULL;
    if (f)
        fclose(f);
    return found;
}

static void names_are_those_of_the_xml(void **state) {
    (void)state;
    if (!is_version_41())
        skip();
    int base = check_file("/usr/share/unicode/cldr/common/annotations/ja.xml");
    int derived = check_file("/usr/share/unicode/cldr/common/annotationsDerived/ja.xml");
    assert_true(base > 0 && derived > 0);
    assert_int_equal(base + derived, t5_emoji_names_size);
}

/* --- labels --- */

static void labels_of_every_kind(void **state) {
    t5_tokenizer *tok = *state;
    const t5_str names[] = {str("🎵"), str("音楽"), str("\xff\xff"), str("🎵音")};
    t5_labels *labels;
    t5_label_pieces p;
    assert_int_equal(t5_labels_from_list(4, names, (int64_t[]){1, 1, 1, 1}, &labels, NULL), T5_OK);
    assert_int_equal(t5_label_pieces_make(tok, labels, 4, &p, NULL), T5_OK);
    assert_int_equal(p.by_name, 1);
    assert_int_equal(p.by_text, 2);
    assert_int_equal(p.by_nothing, 1);
    const t5_str texts[] = {str("音符"), str("音楽"), str(""), str("🎵音")};
    for (int l = 0; l < 4; l++) {
        int32_t ids[16];
        int n, at = 0;
        assert_int_equal(t5_tokenizer_encode(tok, texts[l], 16, ids, &n, NULL), T5_OK);
        for (int i = 0; i < n - 1; i++)
            if (ids[i] != t5_tokenizer_unk(tok) && ids[i] != 4) /* 4: the space */
                assert_int_equal(p.ids[p.start[l] + at++], ids[i]);
        assert_int_equal(p.start[l + 1] - p.start[l], at);
    }
    t5_label_pieces_free(&p);
    assert_int_equal(t5_label_pieces_make(tok, labels, 0, &p, NULL), T5_OK);
    t5_label_pieces_free(&p);
    t5_labels_destroy(labels);
}

static void every_shipped_label_has_a_name(void **state) {
    t5_tokenizer *tok = *state;
    t5_rows *rows = shipped_rows();
    t5_labels *labels;
    t5_label_pieces p;
    assert_int_equal(t5_labels_count_rows(rows, &labels, NULL), T5_OK);
    assert_int_equal(t5_labels_size(labels), 785);
    for (int l = 0; l < 785; l++)
        assert_true(t5_emoji_name(t5_labels_name(labels, l)).n > 0);
    assert_int_equal(t5_label_pieces_make(tok, labels, 785, &p, NULL), T5_OK);
    assert_int_equal(p.by_name + p.by_text + p.by_nothing, 785);
    for (int64_t i = 0; i < p.start[785]; i++)
        assert_true(p.ids[i] >= 0 && p.ids[i] < t5_tokenizer_rows(tok, 0) &&
                    p.ids[i] != t5_tokenizer_unk(tok) && p.ids[i] != t5_tokenizer_eos(tok));
    assert_int_equal(p.by_nothing, 0);
    for (int l = 0; l < 785; l++)
        assert_true(p.start[l + 1] > p.start[l]);
    t5_label_pieces_free(&p);
    t5_labels_destroy(labels);
    t5_rows_destroy(rows);
}

static int load(void **state) {
    *state = shipped_tokenizer();
    return 0;
}

static int unload(void **state) {
    t5_tokenizer_destroy(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_no_name),
        cmocka_unit_test(names_of_some),
        cmocka_unit_test(the_table_is_sorted_and_finds_all_of_itself),
        cmocka_unit_test(names_are_those_of_the_xml),
        cmocka_unit_test(labels_of_every_kind),
        cmocka_unit_test(every_shipped_label_has_a_name),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
