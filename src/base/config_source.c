#include "base/config_source.h"
#include "base/utf8.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 10, MAX_BYTES = 16 << 20 };

t5_status t5_buffer_append(t5_buffer *b, const char *s, size_t n, t5_error *err) {
    if (b->capacity - b->n <= n) {
        size_t capacity = 2 * b->capacity + n + 64;
        char *grown = realloc(b->s, capacity);
        if (!grown)
            return t5_fail(err, T5_ERR_MEMORY, "out of memory reading the configuration");
        b->s = grown;
        b->capacity = capacity;
    }
    memcpy(b->s + b->n, s, n);
    b->n += n;
    b->s[b->n] = '\0';
    return T5_OK;
}

char *t5_path_beside(const char *file, const char *path) {
    const char *slash = strrchr(file, '/');
    size_t dir = path[0] == '/' || !slash ? 0 : (size_t)(slash - file) + 1;
    size_t n = strlen(path) + 1;
    char *joined = malloc(dir + n);
    if (joined) {
        memcpy(joined, file, dir);
        memcpy(joined + dir, path, n);
    }
    return joined;
}

void t5_config_source_free(t5_config_source *source) {
    free(source->text.s);
    free(source->code.s);
    free(source->lines);
    for (int i = 0; i < source->n_files; i++)
        free(source->files[i]);
    free(source->files);
    *source = (t5_config_source){0};
}

void t5_config_source_where(const t5_config_source *source, int line, const char **file,
                            int *file_line) {
    *file = source->n_files ? source->files[0] : "";
    *file_line = line;
    if (source->n_lines == 0)
        return;
    /* libconfig may report the line behind the last one. */
    int i = line < 1 ? 0 : line > source->n_lines ? source->n_lines - 1 : line - 1;
    *file = source->files[source->lines[i].file];
    *file_line = source->lines[i].line;
}

/* ---- reading a file ---- */

static t5_status read_bytes(const char *file, t5_buffer *bytes, t5_error *err) {
    t5_status status = T5_OK;
    FILE *stream = fopen(file, "rb");
    struct stat info;
    if (!stream)
        return t5_fail(err, T5_ERR_INPUT, "%s: cannot be read: %s", file, strerror(errno));
    if (fstat(fileno(stream), &info) == 0 && S_ISDIR(info.st_mode)) {
        status = t5_fail(err, T5_ERR_INPUT, "%s: is a directory, not a configuration file", file);
        goto done;
    }
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, stream)) > 0) {
        status = t5_buffer_append(bytes, chunk, n, err);
        if (status == T5_OK && bytes->n > MAX_BYTES)
            status = t5_fail(err, T5_ERR_INPUT, "%s: is larger than %d MiB, is it a configuration?",
                             file, MAX_BYTES >> 20);
        if (status != T5_OK)
            goto done;
    }
    if (ferror(stream))
        status = t5_fail(err, T5_ERR_INPUT, "%s: cannot be read: %s", file, strerror(errno));
done:
    fclose(stream);
    return status;
}

static t5_status add_file(t5_config_source *source, const char *file, t5_error *err) {
    char **grown = realloc(source->files, (size_t)(source->n_files + 1) * sizeof *grown);
    if (grown)
        source->files = grown;
    char *name = grown ? t5_path_beside("", file) : NULL;
    if (!name)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory reading %s", file);
    source->files[source->n_files++] = name;
    return T5_OK;
}

/* ---- scanning ---- */

/* One file being copied into the source. */
typedef struct scanner {
    t5_config_source *source;
    const char *s, *end; /* what is left of the file's bytes */
    int file, line;      /* file < 0: a string, errors without a place */
    int depth;           /* of includes */
    t5_error *err;
} scanner;

static t5_status scan(scanner *in);

static t5_status fail_at(scanner *in, int line, const char *what) {
    if (in->file < 0)
        return t5_fail(in->err, T5_ERR_INPUT, "%s", what);
    return t5_fail(in->err, T5_ERR_INPUT, "%s:%d: %s", in->source->files[in->file], line, what);
}

/* Takes n bytes over, into the text as they are, into the code as `code`. */
static t5_status take(scanner *in, size_t n, const char *code, size_t n_code) {
    t5_config_source *source = in->source;
    t5_status status = t5_buffer_append(&source->text, in->s, n, in->err);
    if (status == T5_OK)
        status = t5_buffer_append(&source->code, code, n_code, in->err);
    for (size_t i = 0; i < n && status == T5_OK; i++) {
        if (in->s[i] != '\n' || in->file < 0)
            continue;
        if (source->n_lines == source->cap_lines) {
            int cap = 2 * source->cap_lines + 64;
            t5_source_line *grown = realloc(source->lines, (size_t)cap * sizeof *grown);
            if (!grown)
                return t5_fail(in->err, T5_ERR_MEMORY, "out of memory reading the configuration");
            source->lines = grown;
            source->cap_lines = cap;
        }
        source->lines[source->n_lines++] = (t5_source_line){in->file, in->line++};
    }
    in->s += n;
    return status;
}

static t5_status take_plain(scanner *in, size_t n) {
    return take(in, n, in->s, n);
}

/* A comment or a string, from its first character to behind its last. */
static t5_status take_quoted(scanner *in, size_t opening, char first, char second,
                             const char *unclosed) {
    const char *p = in->s + opening;
    for (; p < in->end; p++) {
        if (first == '"' && *p == '\\' && p + 1 < in->end)
            p++;
        else if (*p == first && (!second || (p + 1 < in->end && p[1] == second)))
            break;
    }
    if (p == in->end)
        return unclosed ? fail_at(in, in->line, unclosed)
                        : take_plain(in, (size_t)(in->end - in->s));
    return take_plain(in, (size_t)(p - in->s) + (second ? 2 : 1));
}

static bool is_name_start(char c) {
    return isalpha((unsigned char)c) || c == '*';
}
static bool is_name_part(char c) {
    return isalnum((unsigned char)c) || c == '*' || c == '_' || c == '-';
}

static t5_status take_name(scanner *in) {
    const char *p = in->s;
    while (p < in->end && is_name_part(*p))
        p++;
    return take_plain(in, (size_t)(p - in->s));
}

/* A number, sign included. Integers are written anew where libconfig needs help. */
static t5_status take_number(scanner *in) {
    const char *p = in->s, *digits = in->s + (*in->s == '-' || *in->s == '+');
    bool hex = in->end - digits > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    p = digits + (hex ? 2 : 0);
    while (p < in->end && (hex ? isxdigit((unsigned char)*p) : isdigit((unsigned char)*p)))
        p++;
    size_t n = (size_t)(p - in->s);
    if (!hex && p < in->end && (*p == '.' || *p == 'e' || *p == 'E')) {
        while (p < in->end && (isdigit((unsigned char)*p) || *p == '.' || *p == 'e' || *p == 'E' ||
                               ((*p == '-' || *p == '+') && (p[-1] == 'e' || p[-1] == 'E'))))
            p++;
        return take_plain(in, (size_t)(p - in->s));
    }
    char literal[64];
    errno = n < sizeof literal ? 0 : ERANGE;
    long long value = 0;
    if (errno == 0) {
        memcpy(literal, in->s, n);
        literal[n] = '\0';
        value = strtoll(literal, NULL, hex ? 16 : 10);
    }
    if (errno == ERANGE) {
        char what[128];
        snprintf(what, sizeof what, "%.40s%s: an integer has at most 64 bits", literal,
                 n > 40 ? "..." : "");
        return fail_at(in, in->line, n < sizeof literal ? what : "an integer has at most 64 bits");
    }
    while (p < in->end && *p == 'L' && p < in->s + n + 2)
        p++;
    int n_code = snprintf(literal, sizeof literal, "%lld%s", value,
                          value < INT_MIN || value > INT_MAX ? "L" : "");
    return take(in, (size_t)(p - in->s), literal, (size_t)n_code);
}

/* At an '@'. libconfig's rule: at the start of a line, then a name in quotes. */
static t5_status take_include(scanner *in, bool line_start) {
    static const char word[] = "@include";
    const char *p = in->s + strlen(word);
    if (!line_start || in->file < 0 || (size_t)(in->end - in->s) < sizeof word ||
        memcmp(in->s, word, strlen(word)) != 0)
        return fail_at(in, in->line, "found @, allowed: @include \"FILE\" at the start of a line");
    while (p < in->end && (*p == ' ' || *p == '\t'))
        p++;
    const char *name = p + 1;
    const char *close = p < in->end && *p == '"' ? name : in->end;
    while (close < in->end && *close != '"' && *close != '\n')
        close++;
    if (close == in->end || *close != '"' || close == name)
        return fail_at(in, in->line, "@include: allowed: @include \"FILE\"");
    if (in->depth == MAX_DEPTH)
        return fail_at(in, in->line, "@include: files include each other, or more than 10 deep");
    t5_config_source *source = in->source;
    t5_buffer bytes = {0}, path = {0};
    char *beside = NULL;
    t5_status status = t5_buffer_append(&path, name, (size_t)(close - name), in->err);
    if (status == T5_OK && !(beside = t5_path_beside(source->files[0], path.s)))
        status = t5_fail(in->err, T5_ERR_MEMORY, "out of memory reading %s", path.s);
    if (status == T5_OK && (status = read_bytes(beside, &bytes, in->err)) != T5_OK)
        t5_error_prefix(in->err, "%s:%d: @include", source->files[in->file], in->line);
    if (status == T5_OK)
        status = add_file(source, beside, in->err);
    if (status == T5_OK) {
        const char *text = bytes.s ? bytes.s : ""; /* an empty file */
        scanner inner = {source, text,          text + bytes.n, source->n_files - 1,
                         1,      in->depth + 1, in->err};
        status = scan(&inner);
    }
    free(beside);
    free(path.s);
    free(bytes.s);
    in->s = close + 1;
    return status;
}

static t5_status take_next(scanner *in, bool line_start) {
    char c = *in->s, next = in->s + 1 < in->end ? in->s[1] : '\0';
    if (c == '#' || (c == '/' && next == '/'))
        return take_quoted(in, 1, '\n', '\0', NULL);
    if (c == '/' && next == '*')
        return take_quoted(in, 2, '*', '/', "the comment that begins here has no end");
    if (c == '"')
        return take_quoted(in, 1, '"', '\0', "the text that begins here has no closing quote");
    if (c == '@')
        return take_include(in, line_start);
    if (is_name_start(c))
        return take_name(in);
    if (isdigit((unsigned char)c) ||
        ((c == '-' || c == '+' || c == '.') && isdigit((unsigned char)next)))
        return take_number(in);
    if (c == '[' || c == ']')
        return take(in, 1, c == '[' ? "(" : ")", 1);
    return take_plain(in, 1);
}

/* libconfig's text ends at a NUL byte, wherever it is. */
static t5_status refuse_nul(scanner *in) {
    int line = in->line;
    for (const char *p = in->s; p < in->end; p++) {
        line += *p == '\n';
        if (*p == '\0')
            return fail_at(in, line, "found a NUL byte, allowed: text");
    }
    return T5_OK;
}

static t5_status scan(scanner *in) {
    t5_status status = refuse_nul(in);
    bool line_start = true;
    if (in->end - in->s >= 3 && memcmp(in->s, "\xef\xbb\xbf", 3) == 0)
        in->s += 3; /* a byte order mark */
    while (in->s < in->end && status == T5_OK) {
        const char *before = in->s;
        status = take_next(in, line_start);
        if (status == T5_OK) /* a comment takes its line's end along */
            line_start = in->s[-1] == '\n' ||
                         (line_start && in->s == before + 1 && (*before == ' ' || *before == '\t'));
    }
    /* A file ends with a line end, for the include's sake and for comments put behind. */
    if (status == T5_OK && in->file >= 0 && in->source->text.n > 0 &&
        in->source->text.s[in->source->text.n - 1] != '\n') {
        in->s = "\n";
        status = take_plain(in, 1);
    }
    return status;
}

t5_status t5_config_source_read(t5_config_source *source, const char *file, t5_error *err) {
    t5_buffer bytes = {0};
    t5_status status = read_bytes(file, &bytes, err);
    if (status == T5_OK)
        status = add_file(source, file, err);
    if (status == T5_OK)
        status = t5_buffer_append(&source->text, "", 0, err);
    if (status == T5_OK)
        status = t5_buffer_append(&source->code, "", 0, err);
    if (status == T5_OK) {
        scanner in = {source, bytes.s, bytes.s ? bytes.s + bytes.n : NULL, 0, 1, 0, err};
        status = scan(&in);
    }
    free(bytes.s);
    return status;
}

t5_status t5_config_source_string(t5_config_source *source, const char *text, t5_error *err) {
    scanner in = {source, text, text + strlen(text), -1, 1, 0, err};
    return scan(&in);
}
