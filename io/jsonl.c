#include "io/jsonl.h"
#include "base/text.h"
#include "base/utf8.h"
#include "io/json_file.h"
#include "io/lines.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_KEYS = sizeof((t5_jsonl_options *)0)->keys / sizeof(char *),
    MAX_LINE = 64 << 20, /* bytes; a row is a short text */
    /* another key's number may need more than 64 bits; the same key twice is no row to guess at */
    PARSE_FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL
};

typedef struct reader {
    const char *name; /* of the file, for messages */
    const t5_jsonl_options *options;
    int n_keys;
    char expected[256];
    json_t *object; /* of the current row; owns the values */
    const char *values[MAX_KEYS];
    size_t lengths[MAX_KEYS];
} reader;

static void describe_expected(reader *r) {
    size_t n = (size_t)snprintf(r->expected, sizeof r->expected, "expected a JSON object with");
    for (int k = 0; k < r->n_keys && n < sizeof r->expected; k++)
        n += (size_t)snprintf(r->expected + n, sizeof r->expected - n, "%s a string \"%.40s\"",
                              k == 0 ? "" : " and", r->options->keys[k]);
}

static const char *type_name(const json_t *value) {
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return names[json_typeof(value)];
}

static t5_status no_json(const reader *r, const json_error_t *error, t5_error *bad) {
    if (!*error->text || json_error_code(error) == json_error_out_of_memory)
        return t5_fail(bad, T5_ERR_MEMORY, "out of memory reading JSON");
    const char *what = "not JSON";
    if (json_error_code(error) == json_error_invalid_utf8)
        what = "not UTF-8";
    else if (json_error_code(error) == json_error_duplicate_key)
        what = "a key is there twice";
    return t5_fail(bad, T5_ERR_INPUT, "%s (column %d: %s); %s", what,
                   error->column > 0 ? error->column : 1, error->text, r->expected);
}

/* Names the keys that are there: most often one was misspelt in the configuration. */
static t5_status no_key(const reader *r, const char *wanted, t5_error *bad) {
    t5_fail(bad, T5_ERR_INPUT, "no key \"%s\"; %s; found", wanted, r->expected);
    size_t n = strlen(bad->text);
    if (json_object_size(r->object) == 0)
        snprintf(bad->text + n, sizeof bad->text - n, " none");
    const char *key, *separator = " ";
    json_t *value;
    json_object_foreach(r->object, key, value) {
        n += (size_t)snprintf(bad->text + n, sizeof bad->text - n, "%s\"%s\"", separator, key);
        if (n >= sizeof bad->text)
            break;
        separator = ", ";
    }
    bad->text[t5_utf8_cut(bad->text, strlen(bad->text))] = '\0';
    return bad->status;
}

/* The wanted values of one line, or in `bad` what is wrong with it. */
static t5_status parse(reader *r, const char *line, size_t length, t5_error *bad) {
    json_error_t error = {0};
    r->object = json_loadb(line, length, PARSE_FLAGS | JSON_DECODE_ANY, &error);
    if (!r->object)
        return no_json(r, &error, bad);
    if (!json_is_object(r->object))
        return t5_fail(bad, T5_ERR_INPUT, "%s; %s", type_name(r->object), r->expected);
    for (int k = 0; k < r->n_keys; k++) {
        const char *key = r->options->keys[k];
        const json_t *value = json_object_get(r->object, key);
        if (!value)
            return no_key(r, key, bad);
        if (!json_is_string(value))
            return t5_fail(bad, T5_ERR_INPUT, "\"%s\" is %s; expected a string", key,
                           type_name(value));
        r->values[k] = json_string_value(value);
        r->lengths[k] = json_string_length(value);
        if (!r->options->allow_empty && t5_is_blank(r->values[k], r->lengths[k]))
            return t5_fail(bad, T5_ERR_INPUT, "\"%s\" is empty%s; expected some text", key,
                           r->lengths[k] ? " but for white space" : "");
    }
    return T5_OK;
}

/* Fails, or counts the bad line where that is asked for. */
static t5_status bad_line(const reader *r, int64_t number, t5_error *bad, t5_jsonl_report *report,
                          t5_error *err) {
    t5_json_tame(bad);
    if (bad->status == T5_ERR_INPUT && r->options->skip_bad_rows) {
        if (report->skipped++ == 0) {
            size_t most = sizeof report->first_bad - 1, n = strlen(bad->text);
            report->first_bad_line = number;
            memcpy(report->first_bad, bad->text, t5_utf8_cut(bad->text, n < most ? n : most));
        }
        return T5_OK;
    }
    return t5_fail(err, bad->status, "%s:%lld: %s", r->name, (long long)number, bad->text);
}

static t5_status read_line(reader *r, int64_t number, const char *line, size_t length,
                           bool too_long, t5_jsonl_row *row, void *user, t5_jsonl_report *report,
                           t5_error *err) {
    t5_error bad = {0};
    t5_status status;
    if (too_long)
        status =
            t5_fail(&bad, T5_ERR_INPUT, "a line of more than %d bytes; %s", MAX_LINE, r->expected);
    else
        status = parse(r, line, length, &bad);
    if (status) {
        status = bad_line(r, number, &bad, report, err);
    } else {
        status = row(user, r->values, r->lengths, err);
        if (status)
            t5_error_prefix(err, "%s:%lld", r->name, (long long)number);
        else
            report->rows++;
    }
    json_decref(r->object);
    r->object = NULL;
    return status;
}

static t5_status open_input(const char *path, int *fd, t5_error *err) {
    struct stat info;
    *fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return t5_fail(err, T5_ERR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(*fd, &info) == 0 && S_ISDIR(info.st_mode))
        return t5_fail(err, T5_ERR_INPUT, "%s: is a folder, expected a file of JSON Lines", path);
    return T5_OK;
}

t5_status t5_jsonl_read(const char *path, const t5_jsonl_options *options, t5_jsonl_row *row,
                        void *user, t5_jsonl_report *report, t5_error *err) {
    reader r = {.name = strcmp(path, "-") == 0 ? "standard input" : path, .options = options};
    while (r.n_keys < MAX_KEYS && options->keys[r.n_keys])
        r.n_keys++;
    describe_expected(&r);
    *report = (t5_jsonl_report){0};
    int fd = -1;
    t5_status status = open_input(path, &fd, err);
    t5_lines lines;
    t5_lines_init(&lines, fd, MAX_LINE);
    while (!status) {
        const char *line;
        size_t length;
        bool too_long;
        status = t5_lines_next(&lines, &line, &length, &too_long, err);
        if (status)
            t5_error_prefix(err, "%s", r.name);
        else if (!line)
            break;
        else if (too_long || !t5_is_blank(line, length))
            status = read_line(&r, lines.number, line, length, too_long, row, user, report, err);
    }
    t5_lines_free(&lines);
    if (fd > STDIN_FILENO)
        close(fd);
    return status;
}
