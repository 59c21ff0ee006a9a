/* The store: what is read back, and that a failed write leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "io/store.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int make_folder(void **state) {
    char *folder = strdup("store_XXXXXX");
    *state = folder;
    return folder && mkdtemp(folder) ? 0 : -1;
}

/* Fails unless the folder held exactly `expected` files. */
static int count_files(const char *folder) {
    int n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

static int remove_folder(void **state) {
    char *folder = *state, path[600];
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            unlink(path);
    }
    if (d)
        closedir(d);
    int rc = rmdir(folder);
    free(folder);
    return rc;
}

static void in_folder(void **state, const char *name, char path[256]) {
    snprintf(path, 256, "%s/%s", (const char *)*state, name);
}

static hid_t open_file(const char *path) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t f = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(f >= 0);
    return f;
}

static hid_t text_type(void) {
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, H5T_VARIABLE);
    H5Tset_cset(t, H5T_CSET_UTF8);
    return t;
}

static t5_status write_bytes(const char *path, int64_t rows, t5_error *err) {
    t5_store *s = NULL;
    t5_status status = t5_store_create(path, &s, err);
    if (status != T5_OK)
        return status;
    double *values = calloc((size_t)rows, sizeof *values);
    if (!values)
        abort();
    const t5_column c = {"value", T5_COLUMN_DOUBLE, values};
    t5_store_table(s, "/table", &c, 1, rows);
    free(values);
    return t5_store_commit(s, err);
}

static off_t size_of(const char *path) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* ---------------------------------------------------------------- bad input */

static void test_folder_missing(void **state) {
    char path[256];
    in_folder(state, "nowhere/x.h5", path);
    t5_error err = {0};
    t5_store *s = NULL;
    assert_int_equal(t5_store_create(path, &s, &err), T5_ERR_IO);
    assert_null(s);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "No such file or directory"));
}

/* The first error sticks, later calls are harmless, commit reports it and writes nothing. */
static void test_first_error_sticks(void **state) {
    char path[256];
    in_folder(state, "x.h5", path);
    t5_error err = {0};
    t5_store *s = NULL;
    assert_int_equal(t5_store_create(path, &s, &err), T5_OK);
    const int64_t one[] = {1};
    const t5_column twice[] = {{"a", T5_COLUMN_INT, one}, {"a", T5_COLUMN_INT, one}};
    t5_store_table(s, "/first", twice, 2, 1);
    t5_store_group(s, "relative");
    t5_store_attr_int(s, "/", "later", 1);
    assert_int_equal(t5_store_commit(s, &err), T5_ERR_IO);
    assert_non_null(strstr(err.text, "/first"));
    assert_null(strstr(err.text, "relative"));
    assert_int_equal(count_files(*state), 0);
}

static void fail_relative_group(t5_store *s) {
    t5_store_group(s, "trials");
}
static void fail_relative_table(t5_store *s) {
    const t5_column c = {"a", T5_COLUMN_INT, NULL};
    t5_store_table(s, "table", &c, 1, 0);
}
static void fail_same_table(t5_store *s) {
    const t5_column c = {"a", T5_COLUMN_INT, NULL};
    t5_store_table(s, "/t", &c, 1, 0);
    t5_store_table(s, "/t", &c, 1, 0);
}
static void fail_group_in_table(t5_store *s) {
    const t5_column c = {"a", T5_COLUMN_INT, NULL};
    t5_store_table(s, "/t", &c, 1, 0);
    t5_store_group(s, "/t/group");
}
static void fail_same_link(t5_store *s) {
    t5_store_link(s, "/l", "a.h5", "/");
    t5_store_link(s, "/l", "b.h5", "/");
}
static void fail_attr_behind_dangling_link(t5_store *s) {
    t5_store_link(s, "/l", "missing.h5", "/");
    t5_store_attr_int(s, "/l", "a", 1);
}
static void fail_long_path(t5_store *s) {
    char path[3000];
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    t5_store_group(s, path);
}

static void test_bad_calls(void **state) {
    void (*const table[])(t5_store *) = {fail_relative_group, fail_relative_table,
                                         fail_same_table,     fail_group_in_table,
                                         fail_same_link,      fail_attr_behind_dangling_link,
                                         fail_long_path};
    char path[256];
    in_folder(state, "x.h5", path);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        t5_error err = {0};
        t5_store *s = NULL;
        assert_int_equal(t5_store_create(path, &s, &err), T5_OK);
        table[i](s);
        assert_int_equal(t5_store_commit(s, &err), T5_ERR_IO);
        assert_non_null(strstr(err.text, path));
        assert_null(strstr(err.text, "unknown cause"));
        assert_int_equal(count_files(*state), 0);
    }
}

static void test_abandoned(void **state) {
    char path[256];
    in_folder(state, "x.h5", path);
    t5_error err = {0};
    t5_store *s = NULL;
    t5_store_abandon(NULL);
    assert_int_equal(t5_store_create(path, &s, &err), T5_OK);
    t5_store_attr_text(s, "/", "a", "b");
    t5_store_abandon(s);
    assert_int_equal(count_files(*state), 0);
}

/* What cannot be modified stays as it is. */
static void test_modify_bad(void **state) {
    static const char text[] = "not HDF5";
    char path[256];
    t5_error err = {0};
    t5_store *s = NULL;
    in_folder(state, "x.h5", path);
    assert_int_equal(t5_store_modify(path, &s, &err), T5_ERR_IO);
    assert_null(s);
    assert_non_null(strstr(err.text, path));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    err = (t5_error){0};
    assert_int_equal(t5_store_modify(path, &s, &err), T5_ERR_IO);
    assert_null(s);
    assert_int_equal(size_of(path), sizeof text - 1);
    err = (t5_error){0};
    assert_int_equal(write_bytes(path, 1000, &err), T5_OK);
    assert_int_equal(truncate(path, size_of(path) / 2), 0);
    off_t cut = size_of(path);
    err = (t5_error){0};
    assert_int_equal(t5_store_modify(path, &s, &err), T5_ERR_IO);
    assert_int_equal(size_of(path), cut);
    assert_int_equal(count_files(*state), 1);
}

/* ---------------------------------------------------------------- a full disk */

/* In a child, since a limit on the file size cannot be taken back by everybody. */
static int child_meets_limit(const char *path) {
    struct rlimit limit = {2048, 2048};
    t5_error err = {0};
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit))
        return 1;
    if (write_bytes(path, 2000, &err) != T5_ERR_IO)
        return 2;
    return strstr(err.text, "File too large") ? 0 : 3;
}

static void test_disk_full(void **state) {
    char path[256];
    in_folder(state, "x.h5", path);
    t5_error err = {0};
    assert_int_equal(write_bytes(path, 3, &err), T5_OK);
    off_t before = size_of(path);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child_meets_limit(path));
    int how = 0;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
    assert_int_equal(size_of(path), before);
    assert_int_equal(count_files(*state), 1);
    hid_t f = open_file(path);
    H5Fclose(f);
}

/* The file cannot be replaced: a folder is in its place. */
static void test_rename_fails(void **state) {
    char path[256];
    in_folder(state, "x.h5", path);
    assert_int_equal(mkdir(path, 0777), 0);
    t5_error err = {0};
    assert_int_equal(write_bytes(path, 3, &err), T5_ERR_IO);
    assert_int_equal(count_files(*state), 1);
    assert_int_equal(rmdir(path), 0);
}

/* ---------------------------------------------------------------- what is read back */

typedef struct read_row {
    char *text;
    int64_t count;
    double share;
} read_row;

static hid_t read_type(void) {
    hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(read_row)), text = text_type();
    H5Tinsert(type, "text", offsetof(read_row, text), text);
    H5Tinsert(type, "count", offsetof(read_row, count), H5T_NATIVE_INT64);
    H5Tinsert(type, "share", offsetof(read_row, share), H5T_NATIVE_DOUBLE);
    H5Tclose(text);
    return type;
}

static void check_table(hid_t f, const char *path, int64_t n, const char *const *text,
                        const int64_t *count, const double *share) {
    hid_t set = H5Dopen2(f, path, H5P_DEFAULT), space = H5Dget_space(set), type = read_type();
    assert_true(set >= 0);
    assert_int_equal(H5Sget_simple_extent_npoints(space), n);
    read_row *rows = calloc((size_t)n + 1, sizeof *rows);
    assert_non_null(rows);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) >= 0);
    for (int64_t i = 0; i < n; i++) {
        assert_string_equal(rows[i].text, text[i] ? text[i] : "");
        assert_int_equal(rows[i].count, count[i]);
        assert_memory_equal(&rows[i].share, &share[i], sizeof *share);
    }
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, rows);
    free(rows);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(set);
}

/* Tables of 0 rows, of a few, and of more than a block, with NULL, empty and wide text. */
static void test_tables(void **state) {
    enum { MANY = 5000 };
    static const char *const some[] = {"🎵 📚", "", NULL, "a\"quoted\" \t line\n", "羊祜"};
    const int64_t sizes[] = {0, 5, 1024, MANY};
    const char **text = calloc(MANY, sizeof *text);
    int64_t *count = calloc(MANY, sizeof *count);
    double *share = calloc(MANY, sizeof *share);
    assert_true(text && count && share);
    for (int i = 0; i < MANY; i++) {
        text[i] = some[i % 5];
        count[i] = INT64_MAX - i;
        share[i] = i % 7 ? 1.0 / i : NAN;
    }
    const t5_column columns[] = {{"text", T5_COLUMN_TEXT, text},
                                 {"count", T5_COLUMN_INT, count},
                                 {"share", T5_COLUMN_DOUBLE, share}};
    char path[256], name[32];
    in_folder(state, "x.h5", path);
    t5_error err = {0};
    t5_store *s = NULL;
    assert_int_equal(t5_store_create(path, &s, &err), T5_OK);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "/trials/%d/predictions", i);
        t5_store_table(s, name, columns, 3, sizes[i]);
    }
    t5_store_table(s, "/numbers", columns + 1, 2, MANY);
    assert_int_equal(t5_store_commit(s, &err), T5_OK);
    assert_int_equal(count_files(*state), 1);

    hid_t f = open_file(path);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "/trials/%d/predictions", i);
        check_table(f, name, sizes[i], text, count, share);
    }
    hid_t set = H5Dopen2(f, "/numbers", H5P_DEFAULT), space = H5Dget_space(set);
    hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(int64_t));
    H5Tinsert(type, "count", 0, H5T_NATIVE_INT64);
    int64_t *back = calloc(MANY, sizeof *back);
    assert_non_null(back);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, back) >= 0);
    assert_memory_equal(back, count, MANY * sizeof *count);
    free(back);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(f);
    free(text);
    free(count);
    free(share);
}

static char *read_text_attr(hid_t f, const char *object, const char *name) {
    hid_t a = H5Aopen_by_name(f, object, name, H5P_DEFAULT, H5P_DEFAULT), type = text_type();
    char *value = NULL;
    assert_true(a >= 0);
    assert_true(H5Aread(a, type, &value) >= 0);
    H5Tclose(type);
    H5Aclose(a);
    return value;
}

static void test_attributes(void **state) {
    char path[256];
    in_folder(state, "x.h5", path);
    t5_error err = {0};
    t5_store *s = NULL;
    size_t long_n =
        200000; /* a configuration may be longer than HDF5's 64 KiB of a plain attribute */
    char *long_text = malloc(long_n + 1);
    assert_non_null(long_text);
    memset(long_text, 'c', long_n);
    long_text[long_n] = '\0';
    assert_int_equal(t5_store_create(path, &s, &err), T5_OK);
    t5_store_attr_text(s, "/", "config", long_text);
    t5_store_attr_int(s, "/", "a", 1);
    t5_store_attr_text(s, "/trials/b", "reason", "");
    t5_store_attr_text(s, "/trials/b", "status", "pending");
    t5_store_attr_text(s, "/trials/b", "status", "失敗");
    t5_store_attr_double(s, "/trials/b", "seconds", 1.5);
    t5_store_attr_int(s, "/trials/a", "seed", INT64_MIN);
    t5_store_group(s, "/trials/a");
    t5_store_group(s, "/trials/a/");
    assert_int_equal(t5_store_commit(s, &err), T5_OK);

    hid_t f = open_file(path);
    char *text = read_text_attr(f, "/", "config");
    assert_string_equal(text, long_text);
    H5free_memory(text);
    free(long_text);
    text = read_text_attr(f, "/trials/b", "reason");
    assert_string_equal(text ? text : "", "");
    H5free_memory(text);
    text = read_text_attr(f, "/trials/b", "status");
    assert_string_equal(text, "失敗");
    H5free_memory(text);
    double seconds = 0;
    hid_t a = H5Aopen_by_name(f, "/trials/b", "seconds", H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Aread(a, H5T_NATIVE_DOUBLE, &seconds) >= 0);
    assert_true(seconds == 1.5);
    H5Aclose(a);
    int64_t seed = 0;
    a = H5Aopen_by_name(f, "/trials/a", "seed", H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Aread(a, H5T_NATIVE_INT64, &seed) >= 0);
    assert_true(seed == INT64_MIN);
    H5Aclose(a);
    char first[8];
    assert_true(H5Aget_name_by_idx(f, "/", H5_INDEX_CRT_ORDER, H5_ITER_INC, 0, first, sizeof first,
                                   H5P_DEFAULT) > 0);
    assert_string_equal(first, "config");
    assert_true(H5Lget_name_by_idx(f, "/trials", H5_INDEX_CRT_ORDER, H5_ITER_INC, 0, first,
                                   sizeof first, H5P_DEFAULT) > 0);
    assert_string_equal(first, "b");
    H5Fclose(f);
}

/* One attribute of a finished file changes, a missing one is added, the rest stays. */
static void test_modify(void **state) {
    static const int64_t count[] = {511, 482};
    static const char *const emoji[] = {"🎵", "📚"};
    char path[256];
    in_folder(state, "x.h5", path);
    t5_error err = {0};
    t5_store *s = NULL;
    assert_int_equal(t5_store_create(path, &s, &err), T5_OK);
    t5_store_attr_text(s, "/", "status", "completed");
    t5_store_attr_text(s, "/", "reason", "none");
    t5_store_array(s, "/dataset/count", T5_COLUMN_INT, count, 2);
    t5_store_array(s, "/dataset/emoji", T5_COLUMN_TEXT, emoji, 2);
    t5_store_array(s, "/dataset/nothing", T5_COLUMN_DOUBLE, NULL, 0);
    assert_int_equal(t5_store_commit(s, &err), T5_OK);
    assert_int_equal(t5_store_modify(path, &s, &err), T5_OK);
    t5_store_attr_text(s, "/", "status", "skipped");
    t5_store_attr_int(s, "/", "rows", 7);
    t5_store_abandon(s);
    assert_int_equal(t5_store_modify(path, &s, &err), T5_OK);
    t5_store_attr_text(s, "/", "status", "failed");
    assert_int_equal(t5_store_commit(s, &err), T5_OK);
    assert_int_equal(count_files(*state), 1);

    hid_t f = open_file(path), type = text_type();
    char *text = read_text_attr(f, "/", "status"), *names[2];
    assert_string_equal(text, "failed");
    H5free_memory(text);
    text = read_text_attr(f, "/", "reason");
    assert_string_equal(text, "none");
    H5free_memory(text);
    assert_int_equal(H5Aexists(f, "rows"), 0);
    int64_t back[2];
    hid_t set = H5Dopen2(f, "/dataset/count", H5P_DEFAULT);
    assert_true(H5Dread(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, back) >= 0);
    assert_memory_equal(back, count, sizeof count);
    H5Dclose(set);
    set = H5Dopen2(f, "/dataset/emoji", H5P_DEFAULT);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, names) >= 0);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(names[i], emoji[i]);
        H5free_memory(names[i]);
    }
    H5Dclose(set);
    assert_true(H5Lexists(f, "/dataset/nothing", H5P_DEFAULT) > 0);
    H5Tclose(type);
    H5Fclose(f);
}

static void test_link(void **state) {
    char main_path[256], trial_path[256];
    in_folder(state, "results.h5", main_path);
    in_folder(state, "trial.h5", trial_path);
    t5_error err = {0};
    t5_store *s = NULL;
    assert_int_equal(t5_store_create(main_path, &s, &err), T5_OK);
    t5_store_link(s, "/trials/one", "trial.h5", "/");
    assert_int_equal(t5_store_commit(s, &err), T5_OK);
    assert_int_equal(t5_store_create(trial_path, &s, &err), T5_OK);
    t5_store_attr_text(s, "/", "status", "completed");
    assert_int_equal(t5_store_commit(s, &err), T5_OK);
    hid_t f = open_file(main_path), one = H5Oopen(f, "/trials/one", H5P_DEFAULT);
    assert_true(one >= 0);
    char *text = read_text_attr(one, ".", "status");
    assert_string_equal(text, "completed");
    H5free_memory(text);
    H5Oclose(one);
    H5Fclose(f);
}

/* A commit replaces what was there; the library in use is the one that is named. */
static void test_replaces(void **state) {
    char path[256], version[32];
    in_folder(state, "x.h5", path);
    t5_error err = {0};
    assert_int_equal(write_bytes(path, 1000, &err), T5_OK);
    assert_int_equal(write_bytes(path, 3, &err), T5_OK);
    assert_int_equal(count_files(*state), 1);
    hid_t f = open_file(path), set = H5Dopen2(f, "/table", H5P_DEFAULT), space = H5Dget_space(set);
    assert_int_equal(H5Sget_simple_extent_npoints(space), 3);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(f);
    unsigned major, minor, release;
    H5get_libversion(&major, &minor, &release);
    snprintf(version, sizeof version, "%u.%u.%u", major, minor, release);
    assert_string_equal(t5_store_library(), version);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_folder_missing), TEST(test_first_error_sticks),
        TEST(test_bad_calls),      TEST(test_abandoned),
        TEST(test_modify_bad),     TEST(test_modify),
        TEST(test_disk_full),      TEST(test_rename_fails),
        TEST(test_tables),         TEST(test_attributes),
        TEST(test_link),           TEST(test_replaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
