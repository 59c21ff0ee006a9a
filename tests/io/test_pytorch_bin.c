/* pytorch_model.bin: archives with something wrong and the message that names it; files of
 * torch.save as they are, compressed, cut short and with changed bytes. */
#include "tests/io/weights_check.h"
#include <zip.h>

#define FILE_NAME "edited/pytorch_model.bin"

/* {"a": a tensor of the storage "0" of two float32} */
#define PICKLE                                                                         \
    "\x80\x02}X\1\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n" \
    "FloatStorage\nX\1\0\0\0"                                                          \
    "0X\3\0\0\0cpuK\2tQK\0K\2\x85K\1\x85\x89NtRs."

typedef struct member {
    const char *name;
    const char *bytes;
    size_t n;
    bool compressed;
} member;
#define BYTES(s) s, sizeof(s) - 1

static void write_archive(const member *members, int n) {
    zip_t *zip = zip_open(FILE_NAME, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(zip);
    for (int i = 0; i < n; i++) {
        const member *m = &members[i];
        zip_source_t *source = zip_source_buffer(zip, m->bytes, m->n, 0);
        assert_non_null(source);
        zip_int64_t at = zip_file_add(zip, m->name, source, 0);
        assert_true(at >= 0);
        assert_int_equal(zip_set_file_compression(zip, (zip_uint64_t)at,
                                                  m->compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0),
                         0);
    }
    assert_int_equal(zip_close(zip), 0);
}

static const struct {
    member members[3];
    const char *text;
} bad[] = {
    {{{"readme", BYTES("x"), false}}, "a zip archive without data.pkl: not written by torch.save"},
    {{{"m/data/0", BYTES("12345678"), false}}, "a zip archive without data.pkl"},
    {{{"m/version", BYTES("3"), false}, {"n/data.pkl", BYTES(PICKLE), false}}, "without data.pkl"},
    {{{"m/data.pkl", BYTES(PICKLE), false}, {"m/byteorder", BYTES("big"), false}},
     "byteorder: found \"big\", expected \"little\""},
    {{{"m/data.pkl", BYTES(PICKLE), false}, {"m/byteorder", BYTES("little, or big?  "), false}},
     "byteorder: 17 bytes, expected at most 16"},
    {{{"m/data.pkl", BYTES(""), false}}, "data.pkl: byte 0 of the pickle: the pickle ends"},
    {{{"m/data.pkl", BYTES("cos\nsystem\n."), true}},
     "data.pkl: byte 0 of the pickle: the pickle "
     "uses GLOBAL os.system"},
    {{{"m/data.pkl", BYTES(PICKLE), false}}, "tensor a: no storage 0 in the archive"},
    {{{"m/data.pkl", BYTES(PICKLE), false}, {"m/data/1", BYTES("12345678"), false}},
     "tensor a: no storage 0 in the archive"},
    {{{"m/data.pkl", BYTES(PICKLE), false}, {"data/0", BYTES("12345678"), false}},
     "tensor a: no storage 0 in the archive"},
    {{{"m/data.pkl", BYTES(PICKLE), false}, {"m/data/0", BYTES("1234567"), false}},
     "tensor a: storage data/0 has 7 bytes, expected 2 elements of 4"},
    {{{"m/data.pkl", BYTES(PICKLE), false}, {"m/data/0", BYTES("123456789012"), true}},
     "tensor a: storage data/0 has 12 bytes, expected 2 elements of 4"},
    {{{"m/data.pkl", BYTES(PICKLE), false}, {"m/data/0", BYTES(""), false}},
     "tensor a: storage data/0 has 0 bytes"},
};

static void bad_archives(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int n = 0;
        t5_error err = {0};
        while (n < (int)COUNT_OF(bad[i].members) && bad[i].members[n].name)
            n++;
        write_archive(bad[i].members, n);
        if (read_everything("edited", &err) != T5_ERR_INPUT)
            fail_msg("row %zu accepted", i);
        assert_memory_equal(err.text, FILE_NAME ": ", strlen(FILE_NAME) + 2);
        assert_text(err, bad[i].text);
    }
}

/* What torch.save can write and no state dict is. */
static void bad_fixtures(void **state) {
    (void)state;
    static const struct {
        const char *directory, *text;
    } fixtures[] = {
        {FIXTURE("pytorch_bad_old"), "pytorch_model.bin: is in PyTorch's old format"},
        {FIXTURE("pytorch_bad_old"), "torch.save(torch.load("},
        {FIXTURE("pytorch_bad_transposed"), "data.pkl: tensor t: is not stored row by row"},
        {FIXTURE("pytorch_bad_double"), "data.pkl: tensor d: torch.DoubleStorage, expected Float"},
        {FIXTURE("pytorch_bad_nested"), "data.pkl: entry model is a dictionary, expected a tensor"},
        {FIXTURE("pytorch_bad_list"), "opcode EMPTY_LIST, which a state dict does not need"},
        {FIXTURE("pytorch_bad_protocol4"), "pickle protocol 4, expected 2"},
        {FIXTURE("pytorch_bad_object"), "the pickle uses GLOBAL posix.system, which a state dict"},
    };
    for (size_t i = 0; i < COUNT_OF(fixtures); i++) {
        t5_error err = {0};
        assert_int_equal(read_everything(fixtures[i].directory, &err), T5_ERR_INPUT);
        assert_text(err, fixtures[i].text);
    }
}

static void no_archive(void **state) {
    (void)state;
    static const char *const files[] = {"PK", "PK\3\4", "<html>404 Not Found</html>"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        t5_error err = {0};
        write_file(FILE_NAME, files[i], strlen(files[i]));
        assert_int_equal(read_everything("edited", &err), T5_ERR_INPUT);
        assert_text(err, FILE_NAME ": not a zip archive that can be read: ");
    }
}

static void damaged(void **state) {
    (void)state;
    damage_file(FIXTURE("pytorch/pytorch_model.bin"), FILE_NAME);
}

static void values(void **state) {
    (void)state;
    check_numbered(FIXTURE("pytorch"));
}

static t5_weights *open_fixture(const char *directory, int size) {
    t5_weights *w;
    t5_error err = {0};
    if (t5_weights_open(directory, &w, &err))
        fail_msg("%s", err.text);
    assert_int_equal(t5_weights_size(w), size);
    return w;
}

static const t5_weights_tensor *find(const t5_weights *w, const char *name, int rows, int cols) {
    const t5_weights_tensor *tensor = t5_weights_find(w, name);
    assert_non_null(tensor);
    assert_int_equal(tensor->n_dims, cols ? 2 : 1);
    assert_int_equal(tensor->dims[0], rows);
    if (cols)
        assert_int_equal(tensor->dims[1], cols);
    return tensor;
}

static void module(void **state) {
    (void)state;
    t5_weights *w = open_fixture(FIXTURE("pytorch_module"), 2);
    check_range(w, find(w, "inner.weight", 2, 3), 0, 0, 6);
    check_range(w, find(w, "inner.bias", 2, 0), 1, 0, 2);
    t5_weights_close(w);
}

static void shared_storages(void **state) {
    (void)state;
    static const char *const names[] = {"shared.weight", "encoder.embed_tokens.weight",
                                        "lm_head.weight"};
    t5_weights *w = open_fixture(FIXTURE("pytorch_shared"), 5);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        check_range(w, find(w, names[i], 5, 4), 0, 0, 20);
    check_range(w, find(w, "parameter", 2, 2), 4, 0, 4);
    float rows[8];
    t5_error err = {0};
    assert_int_equal(t5_weights_read(w, find(w, "rows", 2, 4), 0, 8, rows, &err), T5_OK);
    for (int i = 0; i < 8; i++) /* of number 0, from its second row on */
        assert_true(rows[i] == numbered_value(0, 4 + i));
    t5_weights_close(w);
}

/* The fixture with every member deflated, which another zip program may have done. */
static void compressed(void **state) {
    (void)state;
    enum { MOST = 16 };
    member members[MOST];
    int n = 0;
    zip_t *zip = zip_open(FIXTURE("pytorch/pytorch_model.bin"), ZIP_RDONLY, NULL);
    assert_non_null(zip);
    for (; n < zip_get_num_entries(zip, 0); n++) {
        zip_stat_t stat;
        zip_file_t *file = zip_fopen_index(zip, (zip_uint64_t)n, 0);
        assert_true(n < MOST && file && zip_stat_index(zip, (zip_uint64_t)n, 0, &stat) == 0);
        char *bytes = malloc((size_t)stat.size + 1);
        assert_non_null(bytes);
        assert_int_equal(zip_fread(file, bytes, stat.size), stat.size);
        members[n] = (member){stat.name, bytes, (size_t)stat.size, true};
        zip_fclose(file);
    }
    write_archive(members, n);
    check_numbered("edited");
    damage_file(FILE_NAME, FILE_NAME);
    for (int i = 0; i < n; i++)
        free((char *)members[i].bytes);
    zip_discard(zip);
}

static int setup(void **state) {
    return scratch_make(state) || mkdir("edited", 0777) ? -1 : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_archives),    cmocka_unit_test(bad_fixtures),
        cmocka_unit_test(no_archive),      cmocka_unit_test(damaged),
        cmocka_unit_test(values),          cmocka_unit_test(module),
        cmocka_unit_test(shared_storages), cmocka_unit_test(compressed),
    };
    return cmocka_run_group_tests(tests, setup, scratch_remove);
}
