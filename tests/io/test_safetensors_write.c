/* model.safetensors: a disk that is full, a source that fails, and that what is written is read
 * back. */
#include "io/hf_write.h"
#include "io/weights.h"
#include "tests/io/scratch.h"
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

enum { LARGE = (1 << 20) + 77 }; /* more than one piece */

static const t5_tensor_entry tensors[] = {
    {"shared.weight", 2, {3, 5}}, {"a \"name\" that needs \\ escapes 音", 1, {1, 0}},
    {"large", 2, {LARGE, 2}},     {"empty", 2, {0, 4}},
    {"norm", 1, {7, 0}},
};

typedef struct source {
    int calls, fail_at; /* the call that fails; 0: none */
    int i;              /* the last tensor asked for, and where it was asked up to */
    int64_t end;
} source;

static float value_at(int i, int64_t k) {
    return (float)i + (float)(k % 4099) / 4096;
}

static t5_status give(void *user, int i, int64_t first, int64_t n, float *out, t5_error *err) {
    source *s = user;
    if (++s->calls == s->fail_at)
        return t5_fail(err, T5_ERR_NUMERIC, "the source failed");
    assert_true(n > 0 && (i > s->i ? first == 0 : i == s->i && first == s->end));
    s->i = i;
    s->end = first + n;
    for (int64_t k = 0; k < n; k++)
        out[k] = value_at(i, first + k);
    return T5_OK;
}

static t5_status write_all(const char *directory, source *s, t5_error *err) {
    return t5_safetensors_write(directory, tensors, COUNT_OF(tensors), give, s, err);
}

static int files_in(const char *folder) {
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
    closedir(dir);
    return n;
}

static void no_folder(void **state) {
    (void)state;
    source s = {0};
    t5_error err = {0};
    assert_int_equal(write_all("nowhere", &s, &err), T5_ERR_IO);
    assert_text(err, "nowhere/model.safetensors: cannot be written: No such file or directory");
    assert_int_equal(s.calls, 0);
}

/* A limit on the size of files, which is like a disk of that size. */
static void a_full_disk_leaves_nothing(void **state) {
    (void)state;
    static const rlim_t limits[] = {0, 4, 100, 1 << 16, 5 << 20};
    struct rlimit before, limit;
    mkdir("full", 0777);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        source s = {0};
        t5_error err = {0};
        limit = before;
        limit.rlim_cur = limits[i];
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        t5_status status = write_all("full", &s, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(status, T5_ERR_IO);
        assert_text(err, "full/model.safetensors: cannot be written: File too large");
        assert_int_equal(files_in("full"), 0);
    }
}

static void a_source_that_fails_leaves_what_was_there(void **state) {
    (void)state;
    char text[5] = "";
    mkdir("source", 0777);
    write_file("source/model.safetensors", "old", 3);
    for (int call = 1; call <= 5; call++) {
        source s = {.fail_at = call};
        t5_error err = {0};
        assert_int_equal(write_all("source", &s, &err), T5_ERR_NUMERIC);
        assert_text(err, "the source failed");
        assert_int_equal(files_in("source"), 1);
    }
    FILE *f = fopen("source/model.safetensors", "r");
    assert_non_null(f);
    assert_int_equal(fread(text, 1, 4, f), 3);
    fclose(f);
    assert_string_equal(text, "old");
}

static void what_is_in_the_way(void **state) {
    (void)state;
    source s = {0};
    t5_error err = {0};
    mkdir("way", 0777);
    mkdir("way/model.safetensors", 0777);
    assert_int_equal(write_all("way", &s, &err), T5_ERR_IO);
    assert_text(err, "way/model.safetensors: cannot be replaced: ");
    assert_int_equal(files_in("way"), 1);
}

static void written_and_read(void **state) {
    (void)state;
    source s = {0};
    t5_error err = {0};
    t5_weights *weights;
    float *values = malloc(2 * LARGE * sizeof *values);
    assert_non_null(values);
    mkdir("good", 0777);
    if (write_all("good", &s, &err) || t5_weights_open("good", &weights, &err))
        fail_msg("%s", err.text);
    assert_int_equal(files_in("good"), 1);
    assert_int_equal(t5_weights_size(weights), COUNT_OF(tensors));
    for (size_t i = 0; i < COUNT_OF(tensors); i++) {
        const t5_weights_tensor *tensor = t5_weights_find(weights, tensors[i].name);
        assert_non_null(tensor);
        assert_int_equal(tensor->n_dims, tensors[i].n_dims);
        for (int d = 0; d < tensor->n_dims; d++)
            assert_int_equal(tensor->dims[d], tensors[i].dims[d]);
        assert_int_equal(t5_weights_read(weights, tensor, 0, tensor->count, values, NULL), T5_OK);
        for (int64_t k = 0; k < tensor->count; k++)
            if (values[k] != value_at((int)i, k))
                fail_msg("%s, element %lld", tensor->name, (long long)k);
    }
    t5_weights_close(weights);
    free(values);
}

/* The values begin at a multiple of 8 bytes, whatever the names' lengths. */
static void alignment(void **state) {
    (void)state;
    mkdir("aligned", 0777);
    for (int length = 1; length <= 9; length++) {
        char name[16] = "";
        unsigned char head[9];
        struct stat info;
        source s = {0};
        memset(name, 'n', (size_t)length);
        const t5_tensor_entry one = {name, 1, {3, 0}};
        assert_int_equal(t5_safetensors_write("aligned", &one, 1, give, &s, NULL), T5_OK);
        FILE *f = fopen("aligned/model.safetensors", "rb");
        assert_non_null(f);
        assert_int_equal(fread(head, 1, 9, f), 9);
        fclose(f);
        assert_true(head[0] % 8 == 0 && head[8] == '{');
        for (int b = 1; b < 8; b++)
            assert_int_equal(head[b], 0);
        assert_int_equal(stat("aligned/model.safetensors", &info), 0);
        assert_int_equal(info.st_size, 8 + head[0] + 3 * 4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_folder),
        cmocka_unit_test(a_full_disk_leaves_nothing),
        cmocka_unit_test(a_source_that_fails_leaves_what_was_there),
        cmocka_unit_test(what_is_in_the_way),
        cmocka_unit_test(written_and_read),
        cmocka_unit_test(alignment),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
