#include "io/replace.h"
#include "io/store_internal.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GROWTH = 1 << 20, /* bytes by which the file in memory grows */
    MAX_PATH = 1024
};

/* ---------------------------------------------------------------- errors */

/* The system's part of what HDF5's drivers say over two lines, or else the first line. */
static void tell(const char *said, t5_store_reason *cause) {
    static const char begin[] = "error message = '";
    const char *reason = strstr(said, begin);
    if (reason) {
        reason += strlen(begin);
        snprintf(cause->text, sizeof cause->text, "%.*s: %.*s", (int)strcspn(said, ":,"), said,
                 (int)strcspn(reason, "'"), reason);
    } else {
        snprintf(cause->text, sizeof cause->text, "%.*s", (int)strcspn(said, "\n"), said);
    }
}

/* Takes the innermost message: what went wrong, rather than who was told of it. */
static herr_t take_cause(unsigned n, const H5E_error2_t *e, void *user) {
    if (n == 0 && e->desc && *e->desc)
        tell(e->desc, user);
    return 0;
}

t5_store_reason t5_store_cause(void) {
    t5_store_reason cause = {"unknown cause"};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_cause, &cause);
    return cause;
}

void t5_store_fail(t5_store *s, const char *what, const char *where) {
    t5_fail(&s->err, T5_ERR_IO, "%s: HDF5 cannot %s %s: %s", s->path, what, where,
            t5_store_cause().text);
}

void t5_store_quiet(void) {
    if (H5open() >= 0)
        H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* ---------------------------------------------------------------- open and close */

/* Remembers the order in which groups and attributes were made, so that readers see the plan's. */
static hid_t ordered_plist(hid_t class) {
    hid_t plist = H5Pcreate(class);
    unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    if (plist >= 0 && (H5Pset_link_creation_order(plist, order) < 0 ||
                       H5Pset_attr_creation_order(plist, order) < 0)) {
        H5Pclose(plist);
        return -1;
    }
    return plist;
}

hid_t t5_store_text_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 &&
        (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

static hid_t open_in_memory(const char *path, bool existing) {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = ordered_plist(H5P_FILE_CREATE), file = -1;
    /* no lock: file systems without locks would refuse, and a rename needs none */
    if (access >= 0 && create >= 0 && H5Pset_fapl_core(access, GROWTH, false) >= 0 &&
        H5Pset_file_locking(access, false, true) >= 0)
        file = existing ? H5Fopen(path, H5F_ACC_RDWR, access)
                        : H5Fcreate(path, H5F_ACC_TRUNC, create, access);
    if (access >= 0)
        H5Pclose(access);
    if (create >= 0)
        H5Pclose(create);
    return file;
}

static t5_status open_store(const char *path, bool existing, t5_store **store, t5_error *err) {
    *store = NULL;
    t5_store *s = calloc(1, sizeof *s);
    if (!s)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
    s->file = s->text_type = s->link_plist = s->group_plist = -1;
    t5_status status = T5_OK;
    s->path = strdup(path);
    if (!s->path) {
        status = t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", path);
        goto done;
    }
    status = t5_file_check_folder(path, err);
    if (status != T5_OK)
        goto done;
    t5_store_quiet();
    s->file = open_in_memory(path, existing);
    if (s->file < 0 && existing) {
        t5_store_fail(s, "read", "it");
        status = t5_fail(err, s->err.status, "%s", s->err.text);
        goto done;
    }
    s->text_type = t5_store_text_type();
    s->link_plist = H5Pcreate(H5P_LINK_CREATE);
    s->group_plist = ordered_plist(H5P_GROUP_CREATE);
    if (s->file < 0 || s->text_type < 0 || s->group_plist < 0 || s->link_plist < 0 ||
        H5Pset_char_encoding(s->link_plist, H5T_CSET_UTF8) < 0) {
        t5_store_fail(s, "create", "a file in memory");
        status = t5_fail(err, s->err.status, "%s", s->err.text);
    }
done:
    if (status == T5_OK)
        *store = s;
    else
        t5_store_abandon(s);
    return status;
}

t5_status t5_store_create(const char *path, t5_store **store, t5_error *err) {
    return open_store(path, false, store, err);
}

t5_status t5_store_modify(const char *path, t5_store **store, t5_error *err) {
    return open_store(path, true, store, err);
}

/* H5Fclose only: the library keeps the file's ids that are still open, and there are none. */
static herr_t close_file(t5_store *s) {
    herr_t rc = s->file >= 0 ? H5Fclose(s->file) : 0;
    s->file = -1;
    return rc;
}

void t5_store_abandon(t5_store *s) {
    if (!s)
        return;
    close_file(s);
    if (s->text_type >= 0)
        H5Tclose(s->text_type);
    if (s->link_plist >= 0)
        H5Pclose(s->link_plist);
    if (s->group_plist >= 0)
        H5Pclose(s->group_plist);
    free(s->path);
    free(s);
}

/* The file's bytes, malloc'd; NULL and a sticky error if they cannot be had. */
static void *file_image(t5_store *s, size_t *bytes) {
    if (H5Fflush(s->file, H5F_SCOPE_GLOBAL) < 0) {
        t5_store_fail(s, "flush", "the file in memory");
        return NULL;
    }
    ssize_t n = H5Fget_file_image(s->file, NULL, 0);
    if (n <= 0) {
        t5_store_fail(s, "measure", "the file in memory");
        return NULL;
    }
    void *image = malloc((size_t)n);
    if (!image) {
        t5_fail(&s->err, T5_ERR_MEMORY, "%s: out of memory for %zd bytes", s->path, n);
        return NULL;
    }
    if (H5Fget_file_image(s->file, image, (size_t)n) != n) {
        t5_store_fail(s, "copy", "the file in memory");
        free(image);
        return NULL;
    }
    *bytes = (size_t)n;
    return image;
}

t5_status t5_store_image(t5_store *s, void **image, size_t *bytes, t5_error *err) {
    *image = s->err.status == T5_OK ? file_image(s, bytes) : NULL;
    if (*image && close_file(s) < 0)
        t5_store_fail(s, "close", "the file in memory");
    if (s->err.status != T5_OK) {
        free(*image);
        *image = NULL;
        return t5_fail(err, s->err.status, "%s", s->err.text);
    }
    return T5_OK;
}

t5_status t5_store_commit(t5_store *s, t5_error *err) {
    void *image = NULL;
    size_t bytes = 0;
    t5_status status = t5_store_image(s, &image, &bytes, err);
    if (status == T5_OK)
        status = t5_file_replace(s->path, image, bytes, err);
    free(image);
    t5_store_abandon(s);
    return status;
}

/* ---------------------------------------------------------------- groups */

/* Makes the group `path` and its parents, where missing. */
static void make_group(t5_store *s, const char *path) {
    char part[MAX_PATH];
    size_t n = strlen(path);
    if (path[0] != '/' || n >= sizeof part) {
        t5_fail(&s->err, T5_ERR_IO, "%s: not a path of a group: %s", s->path, path);
        return;
    }
    for (size_t end = 1; end <= n; end++) {
        if ((end < n && path[end] != '/') || path[end - 1] == '/')
            continue;
        memcpy(part, path, end);
        part[end] = '\0';
        htri_t exists = H5Lexists(s->file, part, H5P_DEFAULT);
        if (exists > 0)
            continue;
        hid_t group =
            exists < 0 ? -1 : H5Gcreate2(s->file, part, s->link_plist, s->group_plist, H5P_DEFAULT);
        if (group < 0) {
            t5_store_fail(s, "make the group", path);
            return;
        }
        H5Gclose(group);
    }
}

void t5_store_parents(t5_store *s, const char *path) {
    char parent[MAX_PATH];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (!slash || n >= sizeof parent) {
        t5_fail(&s->err, T5_ERR_IO, "%s: not an absolute path: %s", s->path, path);
        return;
    }
    memcpy(parent, path, n);
    parent[n] = '\0';
    if (n > 0)
        make_group(s, parent);
}

void t5_store_group(t5_store *s, const char *group) {
    if (s->err.status == T5_OK)
        make_group(s, group);
}

/* ---------------------------------------------------------------- attributes */

static void write_attr(t5_store *s, const char *object, const char *name, hid_t type,
                       const void *value) {
    if (s->err.status == T5_OK)
        make_group(s, object); /* a table at that path counts as there */
    if (s->err.status != T5_OK)
        return;
    /* the object last, so that nothing comes between its failure and the message about it */
    hid_t space = H5Screate(H5S_SCALAR), attr = -1;
    hid_t target = H5Oopen(s->file, object, H5P_DEFAULT);
    htri_t exists = target >= 0 ? H5Aexists(target, name) : -1;
    if (exists >= 0 && (exists == 0 || H5Adelete(target, name) >= 0))
        attr = H5Acreate2(target, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attr < 0 || H5Awrite(attr, type, value) < 0)
        t5_store_fail(s, "write the attribute", name);
    if (attr >= 0)
        H5Aclose(attr);
    if (space >= 0)
        H5Sclose(space);
    if (target >= 0)
        H5Oclose(target);
}

void t5_store_attr_int(t5_store *s, const char *object, const char *name, int64_t value) {
    write_attr(s, object, name, H5T_NATIVE_INT64, &value);
}

void t5_store_attr_double(t5_store *s, const char *object, const char *name, double value) {
    write_attr(s, object, name, H5T_NATIVE_DOUBLE, &value);
}

void t5_store_attr_text(t5_store *s, const char *object, const char *name, const char *value) {
    if (!value)
        value = "";
    write_attr(s, object, name, s->text_type, &value);
}

/* ---------------------------------------------------------------- links */

void t5_store_link(t5_store *s, const char *path, const char *file, const char *object) {
    if (s->err.status == T5_OK)
        t5_store_parents(s, path);
    if (s->err.status == T5_OK &&
        H5Lcreate_external(file, object, s->file, path, s->link_plist, H5P_DEFAULT) < 0)
        t5_store_fail(s, "link", path);
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *t5_store_library(void) {
    return TEXT(H5_VERS_MAJOR) "." TEXT(H5_VERS_MINOR) "." TEXT(H5_VERS_RELEASE);
}
