#include "io/pytorch_bin.h"
#include "io/pickle.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTEORDER = 16, MAX_MEMBER_NAME = 512 };

/* What the files before PyTorch 1.6 begin with: a pickle of a number of ten bytes. */
static const unsigned char old_magic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                          0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};

static t5_status refuse_old_format(int fd, int64_t size, t5_error *err) {
    unsigned char begin[sizeof old_magic];
    if (size < (int64_t)sizeof begin)
        return T5_OK;
    t5_status status = t5_weights_pread(fd, begin, sizeof begin, 0, err);
    if (!status && memcmp(begin, old_magic, sizeof begin) == 0)
        status = t5_fail(err, T5_ERR_INPUT,
                         "is in PyTorch's old format, from before version 1.6; convert it: in "
                         "Python, torch.save(torch.load(\"FILE\", weights_only=True), \"FILE\")");
    return status;
}

/* "NAME/rest" in `name`; NULL if it is too long. NAME is the archive's folder: what comes before
 * the first slash of its first member. */
static const char *member_name(const t5_archive *a, const char *rest, size_t rest_bytes,
                               char name[MAX_MEMBER_NAME]) {
    const char *first = t5_archive_first(a);
    const char *slash = first ? strchr(first, '/') : NULL;
    size_t folder = slash ? (size_t)(slash - first) + 1 : 0;
    if (folder + rest_bytes >= MAX_MEMBER_NAME)
        return NULL;
    memcpy(name, first ? first : "", folder);
    memcpy(name + folder, rest, rest_bytes);
    name[folder + rest_bytes] = '\0';
    return name;
}

static int64_t find_member(const t5_archive *a, const char *rest) {
    char name[MAX_MEMBER_NAME];
    return member_name(a, rest, strlen(rest), name) ? t5_archive_find(a, name) : -1;
}

/* Archives of PyTorch before 2.0 do not say; they are little-endian. */
static t5_status check_byte_order(t5_archive *a, t5_error *err) {
    void *text = NULL;
    size_t n = 0;
    int64_t member = find_member(a, "byteorder");
    if (member < 0)
        return T5_OK;
    t5_status status = t5_archive_load(a, member, MAX_BYTEORDER, &text, &n, err);
    if (status)
        t5_error_prefix(err, "byteorder");
    else if (n != 6 || memcmp(text, "little", 6) != 0)
        status = t5_fail(err, T5_ERR_INPUT, "byteorder: found \"%.*s\", expected \"little\"",
                         (int)n, (const char *)text);
    free(text);
    return status;
}

/* The bytes of a tensor's storage. Several tensors may have the same one. */
static t5_status find_storage(t5_archive *a, const t5_pickle_tensor *t, int64_t *member,
                              int64_t *offset, t5_error *err) {
    char rest[64], name[MAX_MEMBER_NAME];
    int64_t bytes, width = t5_weights_width(t->type);
    int shown = T5_WEIGHTS_SHOWN(t->name_bytes);
    int n = t->storage_bytes < sizeof rest - sizeof "data/"
                ? snprintf(rest, sizeof rest, "data/%.*s", (int)t->storage_bytes, t->storage)
                : -1;
    *member = -1;
    if (n > 0 && member_name(a, rest, (size_t)n, name))
        *member = t5_archive_find(a, name);
    if (*member < 0)
        return t5_fail(err, T5_ERR_INPUT, "tensor %.*s: no storage %.*s in the archive", shown,
                       t->name, T5_WEIGHTS_SHOWN(t->storage_bytes), t->storage);
    t5_status status = t5_archive_member(a, *member, &bytes, offset, err);
    if (status) {
        t5_error_prefix(err, "tensor %.*s: storage %s", shown, t->name, rest);
        return status;
    }
    if (bytes % width != 0 || bytes / width != t->storage_count)
        return t5_fail(err, T5_ERR_INPUT,
                       "tensor %.*s: storage %s has %lld bytes, expected %lld elements of %lld",
                       shown, t->name, rest, (long long)bytes, (long long)t->storage_count,
                       (long long)width);
    return T5_OK;
}

static t5_status add_tensor(t5_archive *a, const t5_pickle_tensor *t, int file,
                            t5_weights_list *list, t5_error *err) {
    int64_t member, offset;
    t5_weights_entry *entry;
    t5_status status =
        t5_weights_list_add(list, t->name, t->name_bytes, t->n_dims, t->dims, &entry, err);
    if (!status)
        status = find_storage(a, t, &member, &offset, err);
    if (status)
        return status;
    int64_t within = t->first * t5_weights_width(t->type);
    entry->type = t->type;
    entry->file = file;
    entry->member = offset < 0 ? member : -1;
    entry->offset = offset < 0 ? within : offset + within;
    return T5_OK;
}

static t5_status list_tensors(t5_archive *a, int file, t5_weights_list *list, t5_error *err) {
    void *data = NULL;
    size_t bytes = 0;
    t5_pickle *pickle = NULL;
    int64_t member = find_member(a, "data.pkl");
    if (member < 0)
        return t5_fail(err, T5_ERR_INPUT,
                       "a zip archive without data.pkl: not written by torch.save");
    t5_status status = check_byte_order(a, err);
    if (status)
        return status;
    status = t5_archive_load(a, member, T5_PICKLE_MAX_BYTES, &data, &bytes, err);
    if (!status)
        status = t5_pickle_read(data, bytes, &pickle, err);
    if (status)
        t5_error_prefix(err, "data.pkl");
    for (int i = 0; !status && i < t5_pickle_size(pickle); i++)
        status = add_tensor(a, t5_pickle_at(pickle, i), file, list, err);
    t5_pickle_free(pickle);
    free(data);
    return status;
}

t5_status t5_pytorch_bin_list(int fd, int64_t size, int file, t5_weights_list *list,
                              t5_archive **archive, t5_error *err) {
    *archive = NULL;
    t5_status status = refuse_old_format(fd, size, err);
    if (!status)
        status = t5_archive_open(fd, size, archive, err);
    if (!status)
        status = list_tensors(*archive, file, list, err);
    return status;
}
