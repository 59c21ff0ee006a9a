/* Checkpoints: every damage is refused, a full disk is found before anything is replaced, and what
 * was written is read back, by HDF5 itself, too. */
#include "checkpoint_check.h"
#include "io/checkpoint.h"
#include <fcntl.h>
#include <hdf5.h>

/* ---------------------------------------------------------------- files that are none */

static void assert_status(const char *path, t5_status status, const char *text) {
    t5_error err = {0};
    t5_checkpoint *c = NULL;
    assert_int_equal(t5_checkpoint_open(path, &c, &err), status);
    assert_null(c);
    assert_text(err, path);
    assert_text(err, text);
}

static void assert_refused(const char *path, const char *text) {
    assert_status(path, T5_ERR_INPUT, text);
}

static void test_not_a_checkpoint(void **state) {
    (void)state;
    t5_error err = {0};
    char text[2000];
    memset(text, 'x', sizeof text);
    write_file("empty", "", 0);
    write_file("text", text, sizeof text);
    t5_store *s = NULL;
    assert_int_equal(t5_store_create("store", &s, &err), T5_OK);
    t5_store_array(s, "/text", T5_COLUMN_BYTE, text, sizeof text);
    assert_int_equal(t5_store_commit(s, &err), T5_OK);
    assert_int_equal(mkdir("folder", 0777), 0);
    assert_refused("none", "No such file or directory");
    assert_refused("folder", "is a folder");
    assert_refused("empty", "it has 0 bytes");
    assert_refused("text", "is no checkpoint that this version knows");
    assert_refused("store", "is no checkpoint that this version knows");
}

static void test_wrong_length(void **state) {
    (void)state;
    static const char zeros[4096];
    struct stat info;
    write_checkpoint("cut", 0);
    assert_int_equal(stat("cut", &info), 0);
    for (off_t n = info.st_size - 1; n >= 0; n -= n < 1024 || n > info.st_size - 64 ? 1 : 509) {
        assert_int_equal(truncate("cut", n), 0);
        assert_refused("cut", n < 512 ? "is no checkpoint of t5mpi" : "is damaged: it has");
    }
    write_checkpoint("long", 0);
    int fd = open("long", O_WRONLY | O_APPEND);
    assert_true(fd >= 0);
    for (size_t more = 1; more <= sizeof zeros; more *= 16) {
        assert_int_equal(write(fd, zeros, more), more);
        assert_refused("long", "is damaged: it has");
    }
    close(fd);
}

/* Every byte of the beginning, and some of all the rest: header, HDF5's own, gaps, arrays. */
static void test_damaged_byte(void **state) {
    (void)state;
    write_checkpoint("damaged", 0);
    int64_t size = 0;
    char *copy = read_whole("damaged", &size);
    int fd = open("damaged", O_WRONLY);
    assert_true(fd >= 0);
    for (int64_t i = 0; i < size; i += i < 4096 || i > size - 64 ? 1 : 37) {
        for (int bit = 0; bit < 8; bit += 5) {
            char byte = (char)(copy[i] ^ (1 << bit));
            assert_int_equal(pwrite(fd, &byte, 1, i), 1);
            assert_refused("damaged", "damaged");
        }
        assert_int_equal(pwrite(fd, &copy[i], 1, i), 1);
    }
    assert_int_equal(close(fd), 0);
    check_checkpoint("damaged", 0); /* it was what was changed that was refused */
    free(copy);
}

static void test_damaged_array_is_named(void **state) {
    (void)state;
    layout at;
    write_checkpoint("damaged", 0);
    read_layout("damaged", &at);
    for (int i = 0; i < N_ARRAYS; i++) {
        char text[100];
        flip_byte("damaged", (int64_t)(at.places[i].offset + at.places[i].bytes - 1));
        snprintf(text, sizeof text, "is damaged: the array %s", check_arrays[i].path);
        assert_refused("damaged", text);
        flip_byte("damaged", (int64_t)(at.places[i].offset + at.places[i].bytes - 1));
    }
    check_checkpoint("damaged", 0);
}

/* Checksums that are right over places that are not: as a program with an error would write. Where
 * only HDF5 sees it, it is not called damage. */
static void test_wrong_places(void **state) {
    (void)state;
    write_checkpoint("good", 0);
    for (int kind = 0; kind < 6; kind++) {
        layout at;
        int64_t size = 0;
        char *copy = read_whole("good", &size);
        write_file("wrong", copy, (size_t)size);
        free(copy);
        read_layout("wrong", &at);
        t5_checkpoint_place *p = at.places, swap = p[0];
        const char *text = "is damaged: the places of its arrays";
        t5_status want = T5_ERR_INPUT;
        switch (kind) {
        case 0:
            p[0].offset = UINT64_MAX - 3;
            break;
        case 1:
            p[0].bytes = UINT64_MAX - 3;
            break;
        case 2:
            p[0].offset = p[1].offset + 4;
            break;
        case 3:
            p[0].offset = 0;
            break;
        case 4: /* arrays of the same size */
            p[0] = p[3];
            p[3] = swap;
            text = "is no checkpoint of t5mpi: /weights/a";
            want = T5_ERR_IO;
            break;
        default:
            p[1].bytes -= 4;
            text = "is no checkpoint of t5mpi: /weights/b";
            want = T5_ERR_IO;
        }
        reseal("wrong", &at);
        assert_status("wrong", want, text);
    }
    layout at;
    read_layout("good", &at);
    const t5_checkpoint_header headers[] = {
        {at.header.size, 0, at.header.places, 0},
        {at.header.size, N_ARRAYS, 4, 0},
        {at.header.size, N_ARRAYS, at.header.size - 1, 0},
        {at.header.size, 999999999, at.header.places, 0},
        {at.header.size, N_ARRAYS - 1, at.header.places, 0},
    };
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        at.header = headers[i];
        write_header("good", &at.header);
        assert_refused("good", "is damaged: ");
    }
}

/* ---------------------------------------------------------------- wrong use of the writer */

static void test_cannot_begin(void **state) {
    (void)state;
    t5_error err = {0};
    t5_checkpoint_writer *w = NULL;
    const t5_checkpoint_array twice[] = {{"/a", 1, {4, 0}}, {"/a", 1, {4, 0}}};
    const t5_checkpoint_array inside[] = {{"/a", 1, {4, 0}}, {"/a/b", 1, {4, 0}}};
    assert_int_equal(mkdir("begin", 0777), 0);
    assert_int_equal(t5_checkpoint_begin("begin/x", make_values(), twice, 2, &w, &err), T5_ERR_IO);
    assert_null(w);
    assert_text(err, "begin/x: HDF5 cannot make the array /a");
    err = (t5_error){0};
    assert_int_equal(t5_checkpoint_begin("begin/x", make_values(), inside, 2, &w, &err), T5_ERR_IO);
    assert_text(err, "begin/x: HDF5 cannot make the array /a/b");
    err = (t5_error){0};
    assert_int_equal(t5_checkpoint_begin("nowhere/x", make_values(), twice, 1, &w, &err),
                     T5_ERR_IO);
    assert_text(err, "nowhere/x: cannot be written: No such file or directory");
    err = (t5_error){0};
    t5_store *values = make_values();
    t5_store_group(values, "relative");
    assert_int_equal(t5_checkpoint_begin("begin/x", values, twice, 1, &w, &err), T5_ERR_IO);
    assert_text(err, "relative");
    assert_null(w);
    assert_int_equal(count_files("begin"), 0);
}

static void test_wrong_order(void **state) {
    (void)state;
    static const float data[10000];
    const struct {
        int array;
        int64_t first, n;
    } bad[] = {{1, 0, 1}, {0, 1, 1}, {0, 0, 8}, {-1, 0, 1}, {N_ARRAYS, 0, 1}, {0, -1, 1}};
    assert_int_equal(mkdir("order", 0777), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        t5_error err = {0};
        t5_checkpoint_writer *w = begin_checkpoint("order/x");
        assert_int_equal(t5_checkpoint_write(w, bad[i].array, bad[i].first, bad[i].n, data, &err),
                         T5_ERR_IO);
        assert_text(err, "order/x: array");
        /* what is right then does not make it good */
        assert_int_equal(t5_checkpoint_write(w, 0, 0, 7, data, NULL), T5_ERR_IO);
        assert_int_equal(t5_checkpoint_commit(w, &err), T5_ERR_IO);
        assert_int_equal(count_files("order"), 0);
    }
    t5_error err = {0};
    t5_checkpoint_writer *w = begin_checkpoint("order/x");
    assert_int_equal(t5_checkpoint_write(w, 0, 0, 7, data, &err), T5_OK);
    assert_int_equal(t5_checkpoint_write(w, 1, 0, 100, data, &err), T5_OK);
    assert_int_equal(t5_checkpoint_commit(w, &err), T5_ERR_IO);
    assert_text(err, "order/x: array 1 was not written to its end");
    assert_int_equal(count_files("order"), 0);
}

/* A commit that fails at the very end; giving up. */
static void test_nothing_stays_behind(void **state) {
    (void)state;
    t5_error err = {0};
    assert_int_equal(mkdir("behind", 0777), 0);
    assert_int_equal(mkdir("behind/x", 0777), 0);
    assert_int_equal(mkdir("behind/x/y", 0777), 0);
    t5_checkpoint_writer *w = begin_checkpoint("behind/x");
    write_arrays(w, 0);
    assert_int_equal(t5_checkpoint_commit(w, &err), T5_ERR_IO);
    assert_text(err, "behind/x: cannot be replaced");
    assert_int_equal(count_files("behind"), 1);
    t5_checkpoint_abandon(begin_checkpoint("behind/z"));
    t5_checkpoint_abandon(NULL);
    assert_int_equal(count_files("behind"), 1);
}

/* ---------------------------------------------------------------- what is read back */

static void test_round_trip(void **state) {
    (void)state;
    write_checkpoint("round", 0);
    check_checkpoint("round", 0);
    layout at;
    read_layout("round", &at);
    for (int i = 0; i < N_ARRAYS; i++)
        if (at.places[i].bytes >= 4096)
            assert_int_equal(at.places[i].offset % 4096, 0);
}

/* As h5py or h5dump would: by HDF5 alone. */
static void test_is_hdf5(void **state) {
    (void)state;
    write_checkpoint("hdf5", 0);
    hid_t file = H5Fopen("hdf5", H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    for (int i = 0; i < N_ARRAYS; i++) {
        int64_t n = check_elements(i);
        float *data = malloc((size_t)n * sizeof *data);
        assert_non_null(data);
        hid_t set = H5Dopen2(file, check_arrays[i].path, H5P_DEFAULT);
        assert_true(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
        for (int64_t k = 0; k < n; k++)
            assert_true(data[k] == check_value(i, k, 0));
        H5Dclose(set);
        free(data);
    }
    H5Fclose(file);
}

static void test_ranges(void **state) {
    (void)state;
    t5_error err = {0};
    t5_checkpoint *c = NULL;
    float out[16];
    write_checkpoint("ranges", 0);
    assert_int_equal(t5_checkpoint_open("ranges", &c, &err), T5_OK);
    const struct {
        int array;
        int64_t first, n;
    } bad[] = {{-1, 0, 1}, {N_ARRAYS, 0, 1}, {0, -1, 1},        {0, 0, -1},
               {0, 8, 0},  {0, 3, 5},        {0, INT64_MAX, 1}, {0, 1, INT64_MAX}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        err = (t5_error){0};
        assert_int_equal(t5_checkpoint_read(c, bad[i].array, bad[i].first, bad[i].n, out, &err),
                         T5_ERR_INPUT);
        assert_text(err, "ranges: ");
    }
    err = (t5_error){0};
    assert_int_equal(t5_checkpoint_read(c, 0, 7, 0, out, &err), T5_OK);
    for (int64_t first = 0; first + 16 <= check_elements(1); first += 777) {
        assert_int_equal(t5_checkpoint_read(c, 1, first, 16, out, &err), T5_OK);
        for (int64_t k = 0; k < 16; k++)
            assert_true(out[k] == check_value(1, first + k, 0));
    }
    t5_checkpoint_close(c);
    t5_checkpoint_close(NULL);
}

/* Replacing a file under somebody who reads it: he goes on with the old one. */
static void test_replaced(void **state) {
    (void)state;
    t5_error err = {0};
    t5_checkpoint *c = NULL;
    float out[7];
    assert_int_equal(mkdir("replaced", 0777), 0);
    write_checkpoint("replaced/x", 1);
    assert_int_equal(t5_checkpoint_open("replaced/x", &c, &err), T5_OK);
    write_checkpoint("replaced/x", 2);
    assert_int_equal(count_files("replaced"), 1);
    assert_int_equal(t5_checkpoint_read(c, 0, 0, 7, out, &err), T5_OK);
    for (int k = 0; k < 7; k++)
        assert_true(out[k] == check_value(0, k, 1));
    check_checkpoint("replaced/x", 2);
    t5_checkpoint_close(c);
}

/* As many arrays as HDF5 needs many blocks of its own for, with long names. */
static void test_many_arrays(void **state) {
    (void)state;
    enum { N = 1500 };
    static char names[N][200];
    static t5_checkpoint_array arrays[N];
    t5_error err = {0};
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "/weights/%d/%0150d", i % 7, i);
        arrays[i] = (t5_checkpoint_array){names[i], 1, {1 + i % 50, 0}};
    }
    t5_checkpoint_writer *w = NULL;
    t5_checkpoint *c = NULL;
    assert_int_equal(t5_checkpoint_begin("many", make_values(), arrays, N, &w, &err), T5_OK);
    for (int i = 0; i < N; i++) {
        float data[50];
        for (int k = 0; k < 50; k++)
            data[k] = check_value(i, k, 3);
        assert_int_equal(t5_checkpoint_write(w, i, 0, arrays[i].dims[0], data, &err), T5_OK);
    }
    assert_int_equal(t5_checkpoint_commit(w, &err), T5_OK);
    assert_int_equal(t5_checkpoint_open("many", &c, &err), T5_OK);
    assert_int_equal(t5_checkpoint_size(c), N);
    for (int i = 0; i < N; i++) {
        float last = 0;
        assert_int_equal(t5_checkpoint_find(c, names[i]), i);
        assert_int_equal(t5_checkpoint_read(c, i, arrays[i].dims[0] - 1, 1, &last, &err), T5_OK);
        assert_true(last == check_value(i, arrays[i].dims[0] - 1, 3));
    }
    t5_checkpoint_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_a_checkpoint), cmocka_unit_test(test_wrong_length),
        cmocka_unit_test(test_damaged_byte),     cmocka_unit_test(test_damaged_array_is_named),
        cmocka_unit_test(test_wrong_places),     cmocka_unit_test(test_cannot_begin),
        cmocka_unit_test(test_wrong_order),      cmocka_unit_test(test_nothing_stays_behind),
        cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_is_hdf5),
        cmocka_unit_test(test_ranges),           cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_many_arrays),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
