/* A directory's weight files: which are taken, several files and their index, ranges of values,
 * files that change after they were opened. */
#include "tests/io/weights_check.h"

#define INDEX "edited/model.safetensors.index.json"

static void copy(const char *from, const char *to) {
    size_t n;
    unsigned char *bytes = load(from, &n);
    write_file(to, bytes, n);
    free(bytes);
}

static int make_edited(void **state) {
    (void)state;
    return mkdir("edited", 0777);
}

static int remove_edited(void **state) {
    (void)state;
    return system("rm -r edited");
}

static void refuse(const char *directory, const char *text) {
    t5_error err = {0};
    if (read_everything(directory, &err) != T5_ERR_INPUT)
        fail_msg("accepted, expected \"%s\"", text);
    assert_text(err, text);
}

static void nothing_there(void **state) {
    (void)state;
    refuse("nowhere", "nowhere: no such folder");
    refuse("", ": no such folder");
    refuse("edited", "edited: no weights there; expected model.safetensors, "
                     "model.safetensors.index.json, pytorch_model.bin or "
                     "pytorch_model.bin.index.json");
    write_file("edited/tf_model.h5", "x", 1);
    refuse("edited", "edited: no weights there");
    write_file("edited/pytorch_model.bin", "", 0);
    refuse("edited", "edited/pytorch_model.bin: is empty");
    assert_int_equal(mkdir("edited/model.safetensors", 0777), 0);
    refuse("edited", "edited/model.safetensors: is a folder, expected a file");
}

static void lfs_pointer(void **state) {
    (void)state;
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n"
                                  "size 891646390\n";
    static const char *const names[] = {"edited/pytorch_model.bin", "edited/model.safetensors"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        write_file(names[i], pointer, sizeof pointer - 1);
        refuse("edited", "is Git LFS's pointer to the file, not the file: run git lfs pull");
    }
}

/* The first of the four that is there is taken: what would come later is made unreadable. */
static void order(void **state) {
    (void)state;
    write_file("edited/pytorch_model.bin.index.json", "x", 1);
    refuse("edited", "edited/pytorch_model.bin.index.json:1: not the JSON");
    write_file("edited/pytorch_model.bin", "x", 1);
    refuse("edited", "edited/pytorch_model.bin: not a zip archive");
    write_file(INDEX, "x", 1);
    refuse("edited", INDEX ":1: not the JSON");
    copy(FIXTURE("safetensors/model.safetensors"), "edited/model.safetensors");
    check_numbered("edited");
}

static const struct {
    const char *json, *text;
} bad_index[] = {
    {"", INDEX ":1: not the JSON"},
    {"[]", INDEX ": found an array, expected a JSON object"},
    {"{}", INDEX ": weight_map is nothing, expected an object"},
    {"{\"weight_map\": []}", INDEX ": weight_map is an array, expected an object"},
    {"{\"weight_map\": {}}", INDEX ": weight_map is empty"},
    {"{\"weight_map\": {\"a\": 1}}",
     INDEX ": weight_map: tensor a: an integer, expected a file's name"},
    {"{\"weight_map\": {\"a\": \"one\", \"a\": \"two\"}}", "duplicate object key"},
    {"{\"weight_map\": {\"a\": \"\"}}",
     "weight_map: tensor a: \"\" is not the name of a file in this folder"},
    {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "\"/etc/passwd\" is not the name of a file"},
    {"{\"weight_map\": {\"a\": \"../other\"}}", "\"../other\" is not the name of a file in this"},
    {"{\"weight_map\": {\"a\": \"..\"}}", "\"..\" is not the name of a file"},
    {"{\"weight_map\": {\"a\": \"x/y\"}}", "\"x/y\" is not the name of a file"},
    {"{\"weight_map\": {\"a\": \"missing.safetensors\"}}",
     "edited/missing.safetensors: cannot be opened: No such file or directory"},
    {"{\"weight_map\": {\"a\": \"one\"}}", INDEX ": weight_map: tensor a is not in one"},
    {"{\"weight_map\": {\"shared.weight\": \"one\", \"decoder.four\": \"one\", \"x\": \"two\"}}",
     "weight_map: tensor decoder.four is in two, not in one"},
    {"{\"weight_map\": {\"shared.weight\": \"one\", \"decoder.four\": \"again\"}}",
     INDEX ": tensor "}, /* whichever is first in the order of names */
    {"{\"weight_map\": {\"shared.weight\": \"one\", \"decoder.four\": \"again\"}}",
     " is there twice"},
};

static void bad_indices(void **state) {
    (void)state;
    const char first[] = FIXTURE("safetensors_sharded/model-00001-of-00002.safetensors");
    const char second[] = FIXTURE("safetensors_sharded/model-00002-of-00002.safetensors");
    copy(first, "edited/one");
    copy(second, "edited/two");
    copy(first, "edited/again");
    for (size_t i = 0; i < COUNT_OF(bad_index); i++) {
        write_file(INDEX, bad_index[i].json, strlen(bad_index[i].json));
        refuse("edited", bad_index[i].text);
    }
    static char json[20000];
    int n = snprintf(json, sizeof json, "{\"weight_map\": {");
    for (int i = 0; i < 257; i++)
        n += snprintf(json + n, sizeof json - (size_t)n, "%s\"t%d\": \"f%d\"", i ? ", " : "", i, i);
    n += snprintf(json + n, sizeof json - (size_t)n, "}}");
    write_file(INDEX, json, (size_t)n);
    refuse("edited", "weight_map: more than 256 files");
}

static void sharded(void **state) {
    (void)state;
    check_numbered(FIXTURE("safetensors_sharded"));
    check_numbered(FIXTURE("pytorch_sharded"));
}

static void damaged_index(void **state) {
    (void)state;
    copy(FIXTURE("safetensors_sharded/model-00001-of-00002.safetensors"),
         "edited/model-00001-of-00002.safetensors");
    copy(FIXTURE("safetensors_sharded/model-00002-of-00002.safetensors"),
         "edited/model-00002-of-00002.safetensors");
    size_t n;
    unsigned char *bytes = load(FIXTURE("safetensors_sharded/model.safetensors.index.json"), &n);
    for (size_t at = 0; at < n; at++) {
        t5_error err = {0};
        bytes[at] ^= 1;
        write_file(INDEX, bytes, n);
        read_everything("edited", &err);
        bytes[at] ^= 1;
    }
    write_file(INDEX, bytes, n);
    check_numbered("edited");
    free(bytes);
}

static void names(void **state) {
    (void)state;
    t5_weights *w;
    assert_int_equal(t5_weights_open(FIXTURE("safetensors"), &w, NULL), T5_OK);
    assert_null(t5_weights_find(w, "shared.weigh"));
    assert_null(t5_weights_find(w, ""));
    for (int i = 0; i < t5_weights_size(w); i++)
        assert_ptr_equal(t5_weights_find(w, t5_weights_at(w, i)->name), t5_weights_at(w, i));
    t5_weights_close(w);
    t5_weights_close(NULL);
}

/* A long tensor of two bytes an element, read by ranges around the pieces of the reader. */
static void ranges(void **state) {
    (void)state;
    enum { N = 100000 };
    char header[128];
    int n = snprintf(header, sizeof header,
                     "{\"a\": {\"dtype\": \"BF16\", \"shape\": [%d], \"data_offsets\": [0, %d]}}",
                     N, 2 * N);
    unsigned char *bytes = calloc(1, 8 + (size_t)n + 2 * N);
    float *out = malloc(N * sizeof *out);
    assert_true(bytes && out);
    bytes[0] = (unsigned char)n;
    memcpy(bytes + 8, header, (size_t)n);
    for (int i = 0; i < N; i++) { /* i % 251, exact in 8 bits of mantissa */
        float value = (float)(i % 251);
        memcpy(bytes + 8 + n + 2 * i, (char *)&value + 2, 2);
    }
    write_file("edited/model.safetensors", bytes, 8 + (size_t)n + 2 * N);
    t5_weights *w;
    t5_error err = {0};
    assert_int_equal(t5_weights_open("edited", &w, &err), T5_OK);
    static const int froms[] = {0, 1, 16383, 16384, 99999, 100000},
                     counts[] = {0, 1, 16384, 16385, N};
    for (size_t f = 0; f < COUNT_OF(froms); f++) {
        for (size_t c = 0; c < COUNT_OF(counts); c++) {
            int count = counts[c] < N - froms[f] ? counts[c] : N - froms[f];
            assert_int_equal(t5_weights_read(w, t5_weights_at(w, 0), froms[f], count, out, &err),
                             T5_OK);
            for (int i = 0; i < count; i++)
                assert_true(out[i] == (float)((froms[f] + i) % 251));
        }
    }
    t5_weights_close(w);
    free(out);
    free(bytes);
}

static void cut_after_opening(void **state) {
    (void)state;
    static const char *const files[][2] = {
        {FIXTURE("safetensors/model.safetensors"), "edited/model.safetensors"},
        {FIXTURE("pytorch/pytorch_model.bin"), "edited/pytorch_model.bin"},
    };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        t5_weights *w;
        t5_error err = {0};
        float out[20];
        copy(files[i][0], files[i][1]);
        assert_int_equal(t5_weights_open("edited", &w, &err), T5_OK);
        assert_int_equal(truncate(files[i][1], 100), 0);
        const t5_weights_tensor *tensor = t5_weights_find(w, "shared.weight");
        assert_int_equal(t5_weights_read(w, tensor, 0, tensor->count, out, &err), T5_ERR_IO);
        assert_text(err, files[i][1]);
        assert_text(err, ": tensor shared.weight: ends at byte ");
        t5_weights_close(w);
        assert_int_equal(unlink(files[i][1]), 0);
    }
}

int main(void) {
#define EDITED(test) cmocka_unit_test_setup_teardown(test, make_edited, remove_edited)
    const struct CMUnitTest tests[] = {
        EDITED(nothing_there),   EDITED(lfs_pointer),   EDITED(order),
        EDITED(bad_indices),     EDITED(damaged_index), cmocka_unit_test(sharded),
        cmocka_unit_test(names), EDITED(ranges),        EDITED(cut_after_opening),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
