#include "io/archive.h"
#include "io/weights_list.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

/* libzip reads through this and closes nothing. */
typedef struct source {
    int fd;
    int64_t size, at;
    int64_t last, last_n; /* where its last read began, and its bytes */
    zip_error_t error;
} source;

struct t5_archive {
    source source;
    zip_t *zip;
    /* the member that is being decompressed, and the content's bytes so far */
    zip_file_t *stream;
    int64_t stream_member, stream_at;
};

static zip_int64_t source_read(source *s, void *out, zip_uint64_t n) {
    t5_error err = {0};
    int64_t left = s->size - s->at;
    if (n > (zip_uint64_t)left)
        n = (zip_uint64_t)left;
    if (t5_weights_pread(s->fd, out, (size_t)n, s->at, &err)) {
        zip_error_set(&s->error, ZIP_ER_READ, EIO);
        return -1;
    }
    s->last = s->at;
    s->last_n = (int64_t)n;
    s->at += (int64_t)n;
    return (zip_int64_t)n;
}

static zip_int64_t source_seek(source *s, void *data, zip_uint64_t n) {
    zip_int64_t to = zip_source_seek_compute_offset((zip_uint64_t)s->at, (zip_uint64_t)s->size,
                                                    data, n, &s->error);
    if (to < 0)
        return -1;
    s->at = to;
    return 0;
}

static zip_int64_t source_stat(const source *s, void *data, zip_uint64_t n) {
    zip_stat_t *stat = data;
    if (n < sizeof *stat)
        return -1;
    zip_stat_init(stat);
    stat->size = (zip_uint64_t)s->size;
    stat->valid |= ZIP_STAT_SIZE;
    return (zip_int64_t)sizeof *stat;
}

static zip_int64_t source_call(void *user, void *data, zip_uint64_t n, zip_source_cmd_t command) {
    source *s = user;
    switch (command) {
    case ZIP_SOURCE_OPEN:
        s->at = 0;
        return 0;
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    case ZIP_SOURCE_READ:
        return source_read(s, data, n);
    case ZIP_SOURCE_SEEK:
        return source_seek(s, data, n);
    case ZIP_SOURCE_TELL:
        return s->at;
    case ZIP_SOURCE_STAT:
        return source_stat(s, data, n);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&s->error, data, n);
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(
            ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
            ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, -1);
    default:
        zip_error_set(&s->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

static t5_status fail_zip(const zip_error_t *error, const char *what, t5_error *err) {
    zip_error_t copy = *error;
    copy.str = NULL;
    t5_status status = T5_ERR_INPUT;
    if (zip_error_code_zip(error) == ZIP_ER_MEMORY)
        status = T5_ERR_MEMORY;
    else if (zip_error_code_zip(error) == ZIP_ER_READ)
        status = T5_ERR_IO;
    t5_fail(err, status, "%s: %s", what, zip_error_strerror(&copy));
    zip_error_fini(&copy);
    return status;
}

t5_status t5_archive_open(int fd, int64_t size, t5_archive **archive, t5_error *err) {
    t5_archive *a = calloc(1, sizeof *a);
    zip_source_t *zip_source = NULL;
    zip_error_t error;
    t5_status status = T5_OK;
    if (!a)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for an archive");
    a->source = (source){.fd = fd, .size = size};
    zip_error_init(&a->source.error);
    zip_error_init(&error);
    zip_source = zip_source_function_create(source_call, &a->source, &error);
    if (zip_source)
        a->zip = zip_open_from_source(zip_source, ZIP_RDONLY, &error);
    if (!a->zip) {
        if (zip_source)
            zip_source_free(zip_source);
        status = fail_zip(&error, "not a zip archive that can be read", err);
        t5_archive_close(a);
        a = NULL;
    }
    zip_error_fini(&error);
    *archive = a;
    return status;
}

static void close_stream(t5_archive *a) {
    if (a->stream)
        zip_fclose(a->stream);
    a->stream = NULL;
}

void t5_archive_close(t5_archive *a) {
    if (!a)
        return;
    close_stream(a);
    if (a->zip)
        zip_discard(a->zip);
    zip_error_fini(&a->source.error);
    free(a);
}

const char *t5_archive_first(const t5_archive *a) {
    return zip_get_num_entries(a->zip, 0) > 0 ? zip_get_name(a->zip, 0, ZIP_FL_ENC_RAW) : NULL;
}

int64_t t5_archive_find(const t5_archive *a, const char *name) {
    return zip_name_locate(a->zip, name, ZIP_FL_ENC_RAW);
}

/* Where a stored member's content begins: where libzip reads when it is asked for the first byte.
 * Its interface has no other way of saying it. */
static t5_status find_content(t5_archive *a, int64_t member, int64_t bytes, int64_t *offset,
                              t5_error *err) {
    char head[16], same[16];
    size_t n = bytes < (int64_t)sizeof head ? (size_t)bytes : sizeof head;
    t5_status status = t5_archive_read(a, member, 0, head, n, err);
    *offset = a->source.last;
    close_stream(a); /* the values are not read through it */
    if (status)
        return status;
    if (n == 0 || *offset < 0 || *offset > a->source.size || bytes > a->source.size - *offset)
        return t5_fail(err, T5_ERR_INPUT, "a member of %lld bytes is not within the file",
                       (long long)bytes);
    status = t5_weights_pread(a->source.fd, same, n, *offset, err);
    /* another libzip, which reads in larger pieces: leave the reading to it */
    if (!status && (a->source.last_n != (int64_t)n || memcmp(head, same, n) != 0))
        *offset = -1;
    return status;
}

t5_status t5_archive_member(t5_archive *a, int64_t member, int64_t *bytes, int64_t *offset,
                            t5_error *err) {
    const zip_uint64_t needed =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_COMP_SIZE | ZIP_STAT_ENCRYPTION_METHOD;
    zip_stat_t stat;
    *offset = -1;
    if (zip_stat_index(a->zip, (zip_uint64_t)member, 0, &stat) != 0)
        return fail_zip(zip_get_error(a->zip), "a member of the archive cannot be found", err);
    if ((stat.valid & needed) != needed || stat.size > INT64_MAX)
        return t5_fail(err, T5_ERR_INPUT, "a member of the archive has no size");
    if (stat.encryption_method != ZIP_EM_NONE)
        return t5_fail(err, T5_ERR_INPUT, "the archive is encrypted");
    *bytes = (int64_t)stat.size;
    if (stat.comp_method != ZIP_CM_STORE || stat.size == 0)
        return T5_OK;
    if (stat.comp_size != stat.size)
        return t5_fail(err, T5_ERR_INPUT, "a stored member of %llu bytes has %llu",
                       (unsigned long long)stat.size, (unsigned long long)stat.comp_size);
    return find_content(a, member, *bytes, offset, err);
}

t5_status t5_archive_load(t5_archive *a, int64_t member, size_t limit, void **data, size_t *bytes,
                          t5_error *err) {
    zip_stat_t stat;
    *data = NULL;
    if (zip_stat_index(a->zip, (zip_uint64_t)member, 0, &stat) != 0 ||
        !(stat.valid & ZIP_STAT_SIZE))
        return fail_zip(zip_get_error(a->zip), "a member of the archive cannot be found", err);
    if (stat.size > limit)
        return t5_fail(err, T5_ERR_INPUT, "%llu bytes, expected at most %zu",
                       (unsigned long long)stat.size, limit);
    char *content = malloc((size_t)stat.size + 1);
    if (!content)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for a member of the archive");
    t5_status status = t5_archive_read(a, member, 0, content, (size_t)stat.size, err);
    /* only the attempt to read beyond the end makes libzip compare the checksum */
    if (!status && zip_fread(a->stream, content + stat.size, 1) != 0)
        status = fail_zip(zip_file_get_error(a->stream), "a member of the archive is damaged", err);
    close_stream(a);
    if (status) {
        free(content);
        return status;
    }
    *data = content;
    *bytes = (size_t)stat.size;
    return T5_OK;
}

static t5_status read_stream(t5_archive *a, char *out, size_t n, t5_error *err) {
    while (n > 0) {
        zip_int64_t got = zip_fread(a->stream, out, n);
        if (got < 0)
            return fail_zip(zip_file_get_error(a->stream), "a member of the archive is damaged",
                            err);
        if (got == 0)
            return t5_fail(err, T5_ERR_INPUT, "a member of the archive is shorter than it says");
        a->stream_at += got;
        out += got;
        n -= (size_t)got;
    }
    return T5_OK;
}

t5_status t5_archive_read(t5_archive *a, int64_t member, int64_t offset, void *out, size_t n,
                          t5_error *err) {
    char skipped[4096];
    t5_status status = T5_OK;
    if (!a->stream || a->stream_member != member || a->stream_at > offset) {
        close_stream(a);
        a->stream = zip_fopen_index(a->zip, (zip_uint64_t)member, 0);
        if (!a->stream)
            return fail_zip(zip_get_error(a->zip), "a member of the archive cannot be read", err);
        a->stream_member = member;
        a->stream_at = 0;
    }
    while (!status && a->stream_at < offset) {
        int64_t left = offset - a->stream_at;
        status = read_stream(a, skipped,
                             left < (int64_t)sizeof skipped ? (size_t)left : sizeof skipped, err);
    }
    return status ? status : read_stream(a, out, n, err);
}
