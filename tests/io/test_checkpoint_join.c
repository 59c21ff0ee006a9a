/* Checkpoints that several processes write: what each of them may do wrong, and that the file is
 * the one that a single writer makes. */
#include "checkpoint_check.h"
#include "io/checkpoint.h"
#include <sys/wait.h>

enum { SPAN = T5_CHECKPOINT_SPAN, SPANS = 4, ELEMENTS = 3 * SPAN + 5 };
static const t5_checkpoint_array large[] = {{"/weights", 1, {ELEMENTS, 0}},
                                            {"/adam/m", 1, {ELEMENTS, 0}}};

static float *make_data(int array) {
    float *data = malloc(ELEMENTS * sizeof *data);
    assert_non_null(data);
    for (int64_t k = 0; k < ELEMENTS; k++)
        data[k] = check_value(array, k, 0);
    return data;
}

static t5_checkpoint_writer *begin(const char *path) {
    t5_error err = {0};
    t5_checkpoint_writer *w = NULL;
    if (t5_checkpoint_begin(path, make_values(), large, 2, &w, &err))
        fail_msg("%s", err.text);
    return w;
}

/* Spans [first, last) of both arrays by another file descriptor. */
static void write_spans(const t5_checkpoint_writer *w, int first, int last, uint64_t *sums) {
    t5_error err = {0};
    int fd = -1;
    assert_int_equal(t5_checkpoint_join(t5_checkpoint_temporary(w), &fd, &err), T5_OK);
    for (int i = 0; i < 2; i++) {
        float *data = make_data(i);
        int64_t at = (int64_t)first * SPAN;
        int64_t end = last == SPANS ? ELEMENTS : (int64_t)last * SPAN;
        assert_int_equal(t5_checkpoint_write_range("x", fd, t5_checkpoint_offset(w, i), at,
                                                   end - at, data + at, sums + i * SPANS + first,
                                                   &err),
                         T5_OK);
        free(data);
    }
    assert_int_equal(t5_checkpoint_sync("x", fd, &err), T5_OK);
}

static void check_large(const char *path) {
    t5_error err = {0};
    t5_checkpoint *c = NULL;
    if (t5_checkpoint_open(path, &c, &err))
        fail_msg("%s", err.text);
    check_values(t5_checkpoint_values(c));
    float *found = malloc(ELEMENTS * sizeof *found);
    assert_non_null(found);
    for (int i = 0; i < 2; i++) {
        float *data = make_data(i);
        assert_int_equal(t5_checkpoint_read(c, i, 0, ELEMENTS, found, &err), T5_OK);
        assert_memory_equal(found, data, ELEMENTS * sizeof *data);
        free(data);
    }
    free(found);
    t5_checkpoint_close(c);
}

static void test_wrong_use(void **state) {
    (void)state;
    static const uint64_t sums[SPANS];
    const int order[][2] = {{1, 0}, {-1, 0}, {2, 0}, {0, 0}};
    assert_int_equal(mkdir("wrong", 0777), 0);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        t5_error err = {0};
        t5_checkpoint_writer *w = begin("wrong/x");
        t5_checkpoint_written(w, order[i][0], sums, &err);
        t5_checkpoint_written(w, order[i][1], sums, &err);
        assert_int_equal(err.status, T5_ERR_IO);
        assert_text(err, "wrong/x: array ");
        assert_text(err, "is not written in the order of the file");
        assert_int_equal(t5_checkpoint_commit(w, &err), T5_ERR_IO);
        assert_int_equal(count_files("wrong"), 0);
    }
    t5_error err = {0};
    t5_checkpoint_writer *w = begin("wrong/x");
    assert_int_equal(t5_checkpoint_written(w, 0, sums, &err), T5_OK);
    assert_int_equal(t5_checkpoint_commit(w, &err), T5_ERR_IO);
    assert_text(err, "wrong/x: array 1 was not written to its end");
    assert_int_equal(count_files("wrong"), 0);
}

static void test_cannot_join(void **state) {
    (void)state;
    t5_error err = {0};
    int fd = 0;
    assert_int_equal(t5_checkpoint_join("nowhere/x", &fd, &err), T5_ERR_IO);
    assert_int_equal(fd, -1);
    assert_text(err, "nowhere/x: cannot be opened by every rank: No such file or directory");
    write_file("target", "text", 4);
    assert_int_equal(symlink("target", "link"), 0);
    err = (t5_error){0};
    assert_int_equal(t5_checkpoint_join("link", &fd, &err), T5_ERR_IO);
    assert_text(err, "link: cannot be opened by every rank: ");
}

/* A disk that takes no more: /dev/full. */
static void test_write_fails(void **state) {
    (void)state;
    t5_error err = {0};
    uint64_t sums[SPANS];
    int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    float *data = make_data(0);
    assert_int_equal(t5_checkpoint_write_range("x.h5", fd, 0, 0, ELEMENTS, data, sums, &err),
                     T5_ERR_IO);
    assert_text(err, "x.h5: cannot be written: No space left on device");
    free(data);
    close(fd);
    err = (t5_error){0};
    assert_int_equal(t5_checkpoint_sync("x.h5", -1, &err), T5_ERR_IO);
    assert_text(err, "x.h5: cannot be written: Bad file descriptor");
}

/* A checksum of a span that is not in the file: as if a rank had written something else. */
static void test_wrong_sum_is_found(void **state) {
    (void)state;
    for (int wrong = 0; wrong < SPANS; wrong++) {
        t5_error err = {0};
        t5_checkpoint *c = NULL;
        uint64_t sums[2 * SPANS];
        t5_checkpoint_writer *w = begin("sum");
        write_spans(w, 0, SPANS, sums);
        sums[SPANS + wrong]++;
        for (int i = 0; i < 2; i++)
            assert_int_equal(t5_checkpoint_written(w, i, sums + i * SPANS, &err), T5_OK);
        assert_int_equal(t5_checkpoint_commit(w, &err), T5_OK);
        assert_int_equal(t5_checkpoint_open("sum", &c, &err), T5_ERR_INPUT);
        assert_text(err, "sum: is damaged: the array /adam/m");
    }
}

/* Each of several processes its spans; in pipes come the checksums. */
static void test_processes(void **state) {
    (void)state;
    enum { PROCESSES = 3 };
    static const int ends[] = {0, 1, 3, SPANS};
    t5_error err = {0};
    uint64_t sums[2 * SPANS], theirs[2 * SPANS];
    int pipes[2];
    t5_checkpoint_writer *w = begin("several");
    for (int p = 0; p < PROCESSES; p++) {
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            write_spans(w, ends[p], ends[p + 1], theirs);
            _exit(write(pipes[1], theirs, sizeof theirs) != sizeof theirs);
        }
        int status = 0;
        assert_int_equal(read(pipes[0], theirs, sizeof theirs), sizeof theirs);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        for (int i = 0; i < 2; i++)
            memcpy(sums + i * SPANS + ends[p], theirs + i * SPANS + ends[p],
                   (size_t)(ends[p + 1] - ends[p]) * sizeof *sums);
        close(pipes[0]);
        close(pipes[1]);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(t5_checkpoint_written(w, i, sums + i * SPANS, &err), T5_OK);
    assert_int_equal(t5_checkpoint_commit(w, &err), T5_OK);
    check_large("several");
}

/* In pieces that end anywhere, by one writer: the same checksums, of the same spans. */
static void test_single_writer_makes_the_same(void **state) {
    (void)state;
    t5_error err = {0};
    t5_checkpoint_writer *w = begin("single");
    for (int i = 0; i < 2; i++) {
        float *data = make_data(i);
        for (int64_t first = 0, n = 1; first < ELEMENTS; first += n, n = n * 3 + 1) {
            n = n < ELEMENTS - first ? n : ELEMENTS - first;
            assert_int_equal(t5_checkpoint_write(w, i, first, n, data + first, &err), T5_OK);
        }
        free(data);
    }
    assert_int_equal(t5_checkpoint_commit(w, &err), T5_OK);
    check_large("single");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_use),   cmocka_unit_test(test_cannot_join),
        cmocka_unit_test(test_write_fails), cmocka_unit_test(test_wrong_sum_is_found),
        cmocka_unit_test(test_processes),   cmocka_unit_test(test_single_writer_makes_the_same),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
