/* JSON Lines: the input is the file, read as strictly and as leniently as can be asked for. */
#include "fuzz/fuzz.h"
#include "io/jsonl.h"

static t5_status check_row(void *user, const char *const *values, const size_t *lengths,
                           t5_error *err) {
    int64_t *rows = user;
    (void)err;
    for (int k = 0; k < 2; k++) {
        fuzz_check(t5_utf8_valid(values[k], lengths[k]));
        fuzz_check(!memchr(values[k], 0, lengths[k]));
    }
    ++*rows;
    return T5_OK;
}

static void read_rows(const char *path, bool lenient) {
    const t5_jsonl_options options = {
        .keys = {"in", "out"}, .allow_empty = lenient, .skip_bad_rows = lenient};
    t5_jsonl_report report;
    t5_error err = {0};
    int64_t rows = 0;
    t5_status status = t5_jsonl_read(path, &options, check_row, &rows, &report, &err);
    fuzz_check_error(status, &err);
    fuzz_check(report.rows == rows);
    fuzz_check(lenient ? status == T5_OK : report.skipped == 0);
    fuzz_check((report.skipped == 0) == (report.first_bad_line == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(data, size);
    read_rows(path, false);
    read_rows(path, true);
    return 0;
}
