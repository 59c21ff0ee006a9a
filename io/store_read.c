#include "io/file.h"
#include "io/store_internal.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------- open and close */

static hid_t open_to_read(const char *path, t5_error *err) {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), file = -1;
    /* no lock: files are replaced, never changed, and some file systems have no locks */
    if (access >= 0 && H5Pset_fapl_sec2(access) >= 0 &&
        H5Pset_file_locking(access, false, true) >= 0)
        file = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (file < 0) /* before another call of HDF5 forgets why */
        t5_fail(err, T5_ERR_INPUT, "%s: is not a readable HDF5 file: %s", path,
                t5_store_cause().text);
    if (access >= 0)
        H5Pclose(access);
    return file;
}

/* For the reasons that the system gives: HDF5 says "unable to open file" to everything. */
static t5_status check_file(const char *path, t5_error *err) {
    int fd = -1;
    size_t size = 0;
    t5_status status = t5_file_open(path, &fd, &size, err);
    if (fd >= 0)
        close(fd);
    return status;
}

t5_status t5_store_open(const char *path, t5_store_reader **reader, t5_error *err) {
    *reader = NULL;
    t5_error cause = {0};
    t5_status status = check_file(path, err);
    if (status != T5_OK)
        return status;
    t5_store_reader *r = calloc(1, sizeof *r);
    char *copy = strdup(path);
    if (!r || !copy) {
        free(r);
        free(copy);
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    }
    r->path = copy;
    t5_store_quiet();
    r->text_type = t5_store_text_type();
    if (r->text_type < 0)
        t5_fail(&cause, T5_ERR_MEMORY, "%s: HDF5 cannot make a type for texts", path);
    r->file = open_to_read(path, &cause);
    if (cause.status != T5_OK) {
        t5_store_close(r);
        return t5_fail(err, cause.status, "%s", cause.text);
    }
    *reader = r;
    return T5_OK;
}

void t5_store_close(t5_store_reader *r) {
    if (!r)
        return;
    if (r->text_type >= 0)
        H5Tclose(r->text_type);
    if (r->file >= 0)
        H5Fclose(r->file);
    free(r->path);
    free(r);
}

/* The file that a link leads to, beside this one unless absolute; false: it is no such link. */
static bool linked_file(const t5_store_reader *r, const char *link, char *file, size_t size) {
    char value[PATH_MAX + 256];
    const char *name, *slash = strrchr(r->path, '/');
    H5L_info_t info;
    if (H5Lget_info(r->file, link, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_EXTERNAL ||
        info.u.val_size > sizeof value ||
        H5Lget_val(r->file, link, value, sizeof value, H5P_DEFAULT) < 0 ||
        H5Lunpack_elink_val(value, info.u.val_size, NULL, &name, NULL) < 0)
        return false;
    int folder = slash && name[0] != '/' ? (int)(slash + 1 - r->path) : 0;
    return snprintf(file, size, "%.*s%s", folder, r->path, name) < (int)size;
}

/* After a link that could not be opened: where does it lead to? */
static t5_status explain_link(t5_store_reader *r, const char *link, bool *found, t5_error *err) {
    t5_error cause = {0};
    char file[PATH_MAX];
    struct stat about;
    t5_store_reader *other = NULL;
    t5_fail(&cause, T5_ERR_INPUT, "%s: %s cannot be opened: %s", r->path, link,
            t5_store_cause().text);
    if (linked_file(r, link, file, sizeof file)) {
        if (stat(file, &about) != 0 && errno == ENOENT) {
            *found = false;
            return T5_OK;
        }
        if (t5_store_open(file, &other, err) != T5_OK)
            return err->status;
        t5_store_close(other);
    }
    *err = cause;
    return err->status;
}

/* One step of a path: *type of what is there, if something is. */
static t5_status step_to(t5_store_reader *r, const char *path, bool *found, H5I_type_t *type,
                         t5_error *err) {
    htri_t exists = H5Lexists(r->file, path, H5P_DEFAULT);
    *found = exists > 0;
    if (exists < 0)
        return t5_fail(err, T5_ERR_INPUT, "%s: %s cannot be looked for: %s", r->path, path,
                       t5_store_cause().text);
    if (!*found)
        return T5_OK;
    hid_t object = H5Oopen(r->file, path, H5P_DEFAULT);
    if (object < 0)
        return explain_link(r, path, found, err);
    *type = H5Iget_type(object);
    H5Oclose(object);
    return *type == H5I_BADID ? t5_fail(err, T5_ERR_INPUT, "%s: %s cannot be told from others: %s",
                                        r->path, path, t5_store_cause().text)
                              : T5_OK;
}

t5_status t5_store_find(t5_store_reader *r, const char *path, bool *found, t5_error *err) {
    H5I_type_t type = H5I_GROUP;
    char *part = strdup(path);
    if (!part)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", r->path);
    *found = path[0] == '/';
    for (char *end = part + 1; *found && *end && err->status == T5_OK;) {
        end = strchrnul(end, '/');
        const char was = *end;
        *end = '\0';
        if (type == H5I_GROUP)
            step_to(r, part, found, &type, err);
        else
            *found = false; /* nothing is below a data set */
        *end = was;
        end += was != '\0';
    }
    *found = *found && (type == H5I_GROUP || type == H5I_DATASET);
    free(part);
    return err->status;
}

/* ---------------------------------------------------------------- types */

static const char *type_name(t5_column_type type) {
    static const char *const names[] = {[T5_COLUMN_INT] = "whole numbers of 64 bits",
                                        [T5_COLUMN_DOUBLE] = "numbers of double precision",
                                        [T5_COLUMN_TEXT] = "texts of any length",
                                        [T5_COLUMN_BYTE] = "bytes"};
    return names[type];
}

/* Are values of this type in the file what the store writes for `type`? */
static bool is_type(const t5_store_reader *r, hid_t found, t5_column_type type) {
    if (type == T5_COLUMN_TEXT)
        return H5Tis_variable_str(found) > 0;
    return H5Tequal(found, t5_store_column_type(r->text_type, type)) > 0;
}

/* ---------------------------------------------------------------- attributes */

/* The attribute's one value into `value`: an int64_t, a double, or a char * of HDF5's. */
static t5_status read_attr(t5_store_reader *r, const char *object, const char *name,
                           t5_column_type type, void *value, t5_error *err) {
    /* not H5Aopen_by_name: where the object is in another file, 1.10.8 takes texts from this one */
    hid_t holder = H5Oopen(r->file, object, H5P_DEFAULT);
    hid_t attr = holder >= 0 ? H5Aopen(holder, name, H5P_DEFAULT) : -1;
    if (holder >= 0)
        H5Oclose(holder);
    if (attr < 0)
        return t5_fail(err, T5_ERR_INPUT, "%s: %s has no attribute \"%s\"%s", r->path, object, name,
                       holder >= 0 ? "" : ": there is no such object");
    hid_t found = H5Aget_type(attr), space = H5Aget_space(attr);
    t5_status status = T5_OK;
    if (found < 0 || space < 0 || H5Sget_simple_extent_npoints(space) != 1 ||
        !is_type(r, found, type))
        status = t5_fail(err, T5_ERR_INPUT, "%s: the attribute \"%s\" of %s is not one of %s",
                         r->path, name, object, type_name(type));
    else if (H5Aread(attr, t5_store_column_type(r->text_type, type), value) < 0)
        status = t5_fail(err, T5_ERR_INPUT, "%s: the attribute \"%s\" of %s cannot be read: %s",
                         r->path, name, object, t5_store_cause().text);
    if (space >= 0)
        H5Sclose(space);
    if (found >= 0)
        H5Tclose(found);
    H5Aclose(attr);
    return status;
}

t5_status t5_store_get_int(t5_store_reader *r, const char *object, const char *name, int64_t *value,
                           t5_error *err) {
    return read_attr(r, object, name, T5_COLUMN_INT, value, err);
}

t5_status t5_store_get_double(t5_store_reader *r, const char *object, const char *name,
                              double *value, t5_error *err) {
    return read_attr(r, object, name, T5_COLUMN_DOUBLE, value, err);
}

t5_status t5_store_get_text(t5_store_reader *r, const char *object, const char *name, char **value,
                            t5_error *err) {
    char *text = NULL;
    *value = NULL;
    t5_status status = read_attr(r, object, name, T5_COLUMN_TEXT, &text, err);
    if (status != T5_OK)
        return status;
    *value = strdup(text ? text : "");
    H5free_memory(text);
    return *value ? T5_OK
                  : t5_fail(err, T5_ERR_MEMORY, "%s: out of memory for \"%s\" of %s", r->path, name,
                            object);
}

/* ---------------------------------------------------------------- arrays and columns */

/* What is being read: a data set, or a column of one. */
typedef struct source {
    const char *path, *column; /* column NULL: plain values */
    t5_column_type type;
    hid_t set, space, memory; /* memory: the type of a value as it is read */
    int64_t n;
} source;

static void close_source(source *from) {
    if (from->memory >= 0)
        H5Tclose(from->memory);
    if (from->space >= 0)
        H5Sclose(from->space);
    if (from->set >= 0)
        H5Dclose(from->set);
}

/* The type by which the values are read; -1 with an error: they are of another type. */
static hid_t memory_type(t5_store_reader *r, const source *from, t5_error *err) {
    hid_t row = H5Dget_type(from->set), found = -1, memory = -1;
    hid_t value = t5_store_column_type(r->text_type, from->type);
    int member = -1;
    if (!from->column) {
        found = H5Tcopy(row);
    } else {
        if (H5Tget_class(row) == H5T_COMPOUND)
            member = H5Tget_member_index(row, from->column);
        if (member < 0) {
            t5_fail(err, T5_ERR_INPUT, "%s: %s has no column \"%s\"", r->path, from->path,
                    from->column);
            goto done;
        }
        found = H5Tget_member_type(row, (unsigned)member);
    }
    if (found < 0 || !is_type(r, found, from->type)) {
        t5_fail(err, T5_ERR_INPUT, "%s: %s%s%s does not hold %s", r->path, from->path,
                from->column ? ", column " : "", from->column ? from->column : "",
                type_name(from->type));
        goto done;
    }
    memory = from->column ? H5Tcreate(H5T_COMPOUND, H5Tget_size(value)) : H5Tcopy(value);
    if (memory < 0 || (from->column && H5Tinsert(memory, from->column, 0, value) < 0))
        t5_fail(err, T5_ERR_MEMORY, "%s: HDF5 cannot make a type for %s", r->path, from->path);
done:
    if (found >= 0)
        H5Tclose(found);
    if (row >= 0)
        H5Tclose(row);
    return memory;
}

static t5_status open_source(t5_store_reader *r, source *from, t5_error *err) {
    from->set = H5Dopen2(r->file, from->path, H5P_DEFAULT);
    if (from->set < 0)
        return t5_fail(err, T5_ERR_INPUT, "%s: there is no data set %s: %s", r->path, from->path,
                       t5_store_cause().text);
    from->space = H5Dget_space(from->set);
    if (H5Sget_simple_extent_ndims(from->space) != 1)
        return t5_fail(err, T5_ERR_INPUT, "%s: %s is not a list of values", r->path, from->path);
    from->n = (int64_t)H5Sget_simple_extent_npoints(from->space);
    t5_error cause = {0};
    from->memory = memory_type(r, from, &cause);
    return cause.status == T5_OK ? T5_OK : t5_fail(err, cause.status, "%s", cause.text);
}

/* HDF5's texts into one block: n pointers, then the texts. NULL: out of memory. */
static char **pack_texts(char *const *texts, int64_t n) {
    size_t bytes = (size_t)n * sizeof *texts + 1; /* malloc of 0 may be NULL */
    for (int64_t i = 0; i < n; i++)
        bytes += (texts[i] ? strlen(texts[i]) : 0) + 1;
    char **block = malloc(bytes);
    if (!block)
        return NULL;
    char *end = (char *)(block + n);
    for (int64_t i = 0; i < n; i++) {
        const char *text = texts[i] ? texts[i] : "";
        size_t length = strlen(text) + 1;
        block[i] = memcpy(end, text, length);
        end += length;
    }
    return block;
}

static t5_status read_values(t5_store_reader *r, const source *from, void **data, t5_error *err) {
    size_t size = H5Tget_size(from->memory);
    void *values = NULL;
    if (from->n >= 0 && (uint64_t)from->n < SIZE_MAX / size)
        values = calloc((size_t)from->n + 1, size);
    if (!values)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory for the %lld values of %s", r->path,
                       (long long)from->n, from->path);
    if (H5Dread(from->set, from->memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        free(values);
        return t5_fail(err, T5_ERR_INPUT, "%s: %s cannot be read: %s", r->path, from->path,
                       t5_store_cause().text);
    }
    *data = values;
    if (from->type == T5_COLUMN_TEXT) {
        *data = pack_texts(values, from->n);
        H5Dvlen_reclaim(from->memory, from->space, H5P_DEFAULT, values);
        free(values);
    }
    return *data ? T5_OK
                 : t5_fail(err, T5_ERR_MEMORY, "%s: out of memory for the texts of %s", r->path,
                           from->path);
}

t5_status t5_store_get_array(t5_store_reader *r, const char *path, const char *column,
                             t5_column_type type, void **data, int64_t *n, t5_error *err) {
    source from = {path, column, type, -1, -1, -1, 0};
    *data = NULL;
    *n = 0;
    t5_status status = open_source(r, &from, err);
    if (status == T5_OK)
        status = read_values(r, &from, data, err);
    if (status == T5_OK)
        *n = from.n;
    close_source(&from);
    return status;
}

/* ---------------------------------------------------------------- names */

/* The name of link i; malloc'd. */
static char *link_name(hid_t group, hsize_t i) {
    ssize_t n =
        H5Lget_name_by_idx(group, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, i, NULL, 0, H5P_DEFAULT);
    char *name = n < 0 ? NULL : malloc((size_t)n + 1);
    if (name && H5Lget_name_by_idx(group, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, i, name,
                                   (size_t)n + 1, H5P_DEFAULT) < 0) {
        free(name);
        return NULL;
    }
    return name;
}

t5_status t5_store_list(t5_store_reader *r, const char *group, char ***names, int *n,
                        t5_error *err) {
    H5G_info_t info;
    char **list = NULL;
    hsize_t got = 0;
    hid_t id = H5Gopen2(r->file, group, H5P_DEFAULT);
    *names = NULL;
    *n = 0;
    if (id < 0 || H5Gget_info(id, &info) < 0) {
        if (id >= 0)
            H5Gclose(id);
        return t5_fail(err, T5_ERR_INPUT, "%s: there is no group %s: %s", r->path, group,
                       t5_store_cause().text);
    }
    list = info.nlinks < INT_MAX ? calloc(info.nlinks + 1, sizeof *list) : NULL;
    while (list && got < info.nlinks && (list[got] = link_name(id, got)))
        got++;
    if (list && got == info.nlinks)
        *names = pack_texts(list, (int64_t)got);
    if (*names)
        *n = (int)got;
    else
        t5_fail(err, T5_ERR_INPUT, "%s: the names in %s cannot be listed: %s", r->path, group,
                t5_store_cause().text);
    for (hsize_t i = 0; i < got; i++)
        free(list[i]);
    free(list);
    H5Gclose(id);
    return err->status;
}
