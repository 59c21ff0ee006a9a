#include "compare.h"
#include <dirent.h>
#include <hdf5.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct pair {
    const compare_rules *rules;
    compare_verdict verdict;
    const char *file; /* relative to the runs */
    const char *path; /* of the data set that is compared, in it */
    bool is_weight;   /* what is compared */
} pair;

static void differ(pair *p, const char *where, const char *what) {
    fprintf(p->rules->out, "%s: %s: %s\n", p->file, where, what);
    if (p->verdict == COMPARE_SAME)
        p->verdict = COMPARE_DIFFERENT;
}

static void unreadable(pair *p, const char *where) {
    fprintf(p->rules->out, "%s: %s: cannot be read\n", p->file, where);
    p->verdict = COMPARE_UNREADABLE;
}

/* Times, and by which ranks it was done. */
static bool may_differ(const pair *p, const char *name) {
    static const char *const ranks[] = {"ranks", "device", "config"}; /* it says how many */
    if (strncmp(name, "seconds", strlen("seconds")) == 0)
        return true;
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++)
        if (p->rules->other_ranks && strcmp(name, ranks[i]) == 0)
            return true;
    return false;
}

/* What jumps when a value is a little different: answers and what counts them. name: of an
 * attribute or a column, or NULL. */
static bool jumps(const pair *p, const char *path, const char *name) {
    if (p->rules->within <= 0)
        return false;
    if (strncmp(path, "/test", strlen("/test")) == 0)
        return true;
    if (!name)
        return false;
    if (strcmp(path, "/predictions") == 0)
        return strcmp(name, "pred") == 0;
    if (strcmp(path, "/eval") == 0)
        return strcmp(name, "epoch") != 0 && strcmp(name, "loss") != 0;
    return strncmp(name, "best_", strlen("best_")) == 0;
}

/* ---- values ---- */

static bool same_float(const pair *p, const void *a, const void *b, size_t size) {
    double within = p->is_weight ? p->rules->weights_within : p->rules->within, x, y;
    if (memcmp(a, b, size) == 0)
        return true;
    if (within <= 0)
        return false;
    if (size == sizeof(double)) {
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
    } else {
        float f, g;
        memcpy(&f, a, sizeof f);
        memcpy(&g, b, sizeof g);
        x = (double)f;
        y = (double)g;
    }
    return fabs(x - y) <= within * fmax(1, fmax(fabs(x), fabs(y)));
}

static bool same_value(const pair *p, hid_t type, const char *a, const char *b);

static bool same_members(const pair *p, hid_t type, const char *a, const char *b) {
    bool same = true;
    for (int m = 0; m < H5Tget_nmembers(type) && same; m++) {
        char *name = H5Tget_member_name(type, (unsigned)m);
        hid_t member = H5Tget_member_type(type, (unsigned)m);
        size_t at = H5Tget_member_offset(type, (unsigned)m);
        same =
            may_differ(p, name) || jumps(p, p->path, name) || same_value(p, member, a + at, b + at);
        H5Tclose(member);
        H5free_memory(name);
    }
    return same;
}

static bool same_value(const pair *p, hid_t type, const char *a, const char *b) {
    char *s, *t;
    switch (H5Tget_class(type)) {
    case H5T_COMPOUND:
        return same_members(p, type, a, b);
    case H5T_FLOAT:
        return same_float(p, a, b, H5Tget_size(type));
    case H5T_STRING:
        if (H5Tis_variable_str(type) <= 0)
            break;
        memcpy(&s, a, sizeof s);
        memcpy(&t, b, sizeof t);
        return strcmp(s ? s : "", t ? t : "") == 0;
    default:
        break;
    }
    return memcmp(a, b, H5Tget_size(type)) == 0;
}

/* n values of a type in memory, read from an attribute or a data set. */
typedef struct values {
    hid_t type, space;
    hssize_t n;
    char *data;
} values;

static void free_values(values *v) {
    if (v->data)
        H5Dvlen_reclaim(v->type, v->space, H5P_DEFAULT, v->data);
    free(v->data);
    if (v->type >= 0)
        H5Tclose(v->type);
    if (v->space >= 0)
        H5Sclose(v->space);
}

static bool read_values(hid_t id, bool attribute, values *v) {
    hid_t stored = attribute ? H5Aget_type(id) : H5Dget_type(id);
    *v = (values){.type = H5Tget_native_type(stored, H5T_DIR_ASCEND),
                  .space = attribute ? H5Aget_space(id) : H5Dget_space(id)};
    H5Tclose(stored);
    v->n = H5Sget_simple_extent_npoints(v->space);
    v->data = v->n >= 0 ? calloc((size_t)v->n + 1, H5Tget_size(v->type)) : NULL;
    if (!v->data)
        return false;
    return (attribute ? H5Aread(id, v->type, v->data)
                      : H5Dread(id, v->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, v->data)) >= 0;
}

static void compare_values(pair *p, hid_t a, hid_t b, bool attribute, const char *where) {
    values x, y;
    char text[128];
    bool x_fine = read_values(a, attribute, &x), y_fine = read_values(b, attribute, &y);
    if (!x_fine || !y_fine)
        unreadable(p, where);
    else if (H5Tequal(x.type, y.type) <= 0)
        differ(p, where, "another type");
    else if (H5Sextent_equal(x.space, y.space) <= 0) {
        snprintf(text, sizeof text, "%lld and %lld values", (long long)x.n, (long long)y.n);
        differ(p, where, text);
    } else {
        size_t size = H5Tget_size(x.type);
        for (size_t i = 0; i < (size_t)x.n; i++)
            if (!same_value(p, x.type, x.data + i * size, y.data + i * size)) {
                snprintf(text, sizeof text, "value %zu of %lld", i, (long long)x.n);
                differ(p, where, text);
                break;
            }
    }
    free_values(&x);
    free_values(&y);
}

/* ---- attributes ---- */

static void compare_attributes(pair *p, hid_t a, hid_t b, const char *path) {
    H5O_info_t of_a, of_b;
    char name[256], where[1300];
    if (H5Oget_info2(a, &of_a, H5O_INFO_NUM_ATTRS) < 0 ||
        H5Oget_info2(b, &of_b, H5O_INFO_NUM_ATTRS) < 0) {
        unreadable(p, path);
        return;
    }
    if (of_a.num_attrs != of_b.num_attrs)
        differ(p, path, "another number of attributes");
    for (hsize_t i = 0; i < of_a.num_attrs; i++) {
        hid_t x = H5Aopen_by_idx(a, ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT);
        if (x < 0 || H5Aget_name(x, sizeof name, name) < 0) {
            unreadable(p, path);
        } else {
            snprintf(where, sizeof where, "%s@%s", path, name);
            hid_t y = H5Aexists(b, name) > 0 ? H5Aopen(b, name, H5P_DEFAULT) : -1;
            if (y < 0)
                differ(p, where, "only in the first");
            else if (!may_differ(p, name) && !jumps(p, path, name))
                compare_values(p, x, y, true, where);
            if (y >= 0)
                H5Aclose(y);
        }
        if (x >= 0)
            H5Aclose(x);
    }
}

/* ---- groups ---- */

static void compare_objects(pair *p, hid_t a, hid_t b, const char *path);

/* A link to another file is compared as a link; that file is compared by itself. */
static void compare_link(pair *p, hid_t a, hid_t b, const char *name, const char *where) {
    H5L_info_t of_a, of_b;
    char x[1024] = "", y[1024] = "";
    if (H5Lexists(b, name, H5P_DEFAULT) <= 0) {
        differ(p, where, "only in the first");
        return;
    }
    if (H5Lget_info(a, name, &of_a, H5P_DEFAULT) < 0 ||
        H5Lget_info(b, name, &of_b, H5P_DEFAULT) < 0) {
        unreadable(p, where);
    } else if (of_a.type != of_b.type) {
        differ(p, where, "another kind of link");
    } else if (of_a.type == H5L_TYPE_HARD) {
        hid_t s = H5Oopen(a, name, H5P_DEFAULT), t = H5Oopen(b, name, H5P_DEFAULT);
        if (s < 0 || t < 0)
            unreadable(p, where);
        else
            compare_objects(p, s, t, where);
        if (s >= 0)
            H5Oclose(s);
        if (t >= 0)
            H5Oclose(t);
    } else if (of_a.u.val_size > sizeof x || of_b.u.val_size > sizeof y ||
               H5Lget_val(a, name, x, sizeof x, H5P_DEFAULT) < 0 ||
               H5Lget_val(b, name, y, sizeof y, H5P_DEFAULT) < 0) {
        unreadable(p, where);
    } else if (memcmp(x, y, sizeof x) != 0) {
        differ(p, where, "leads elsewhere");
    }
}

static void compare_groups(pair *p, hid_t a, hid_t b, const char *path) {
    H5G_info_t of_a, of_b;
    char name[512], where[1024];
    if (H5Gget_info(a, &of_a) < 0 || H5Gget_info(b, &of_b) < 0) {
        unreadable(p, path);
        return;
    }
    if (of_a.nlinks != of_b.nlinks)
        differ(p, path, "another number of members");
    for (hsize_t i = 0; i < of_a.nlinks; i++) {
        if (H5Lget_name_by_idx(a, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                               H5P_DEFAULT) < 0) {
            unreadable(p, path);
            continue;
        }
        snprintf(where, sizeof where, "%s/%s", strcmp(path, "/") ? path : "", name);
        compare_link(p, a, b, name, where);
    }
}

static void compare_objects(pair *p, hid_t a, hid_t b, const char *path) {
    H5I_type_t kind = H5Iget_type(a);
    if (kind != H5Iget_type(b)) {
        differ(p, path, "another kind of object");
        return;
    }
    compare_attributes(p, a, b, path);
    if (kind == H5I_GROUP)
        compare_groups(p, a, b, path);
    else if (kind != H5I_DATASET)
        differ(p, path, "no group and no data set");
    else if (!jumps(p, path, NULL) &&
             !(p->rules->within > 0 && strncmp(path, "/arrays/", 8) == 0)) {
        p->path = path;
        p->is_weight = strncmp(path, "/weights/", 9) == 0; /* /arrays/places has their checksums */
        compare_values(p, a, b, false, path);
        p->is_weight = false;
    }
}

/* ---- files ---- */

static hid_t open_file(const char *run, const char *file) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", run, file);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_file_locking(access, false, true);
    hid_t id = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    return id;
}

static void compare_files(pair *p, const char *run_a, const char *run_b) {
    hid_t a = open_file(run_a, p->file), b = open_file(run_b, p->file);
    hid_t x = a >= 0 ? H5Gopen2(a, "/", H5P_DEFAULT) : -1;
    hid_t y = b >= 0 ? H5Gopen2(b, "/", H5P_DEFAULT) : -1;
    if (x < 0 || y < 0)
        unreadable(p, x < 0 ? run_a : run_b);
    else
        compare_objects(p, x, y, "/");
    if (x >= 0)
        H5Gclose(x);
    if (y >= 0)
        H5Gclose(y);
    if (a >= 0)
        H5Fclose(a);
    if (b >= 0)
        H5Fclose(b);
}

typedef struct listing {
    char **names;
    int n;
} listing;

static void list_folder(const char *run, const char *below, listing *l) {
    char path[PATH_MAX], name[PATH_MAX];
    struct dirent **entries = NULL;
    snprintf(path, sizeof path, "%s/%s", run, below);
    int n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *entry = entries[i]->d_name;
        struct stat about;
        bool self = strcmp(entry, ".") == 0 || strcmp(entry, "..") == 0;
        snprintf(name, sizeof name, "%.1024s%s%s", below, *below ? "/" : "", entry);
        snprintf(path, sizeof path, "%.2048s/%.1400s", run, name);
        if (!self && lstat(path, &about) == 0) {
            l->names = realloc(l->names, ((size_t)l->n + 1) * sizeof *l->names);
            l->names[l->n++] = strdup(name);
            if (S_ISDIR(about.st_mode))
                list_folder(run, name, l);
        }
        free(entries[i]);
    }
    free(entries);
}

static bool is_listed(const listing *l, const char *name) {
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->names[i], name) == 0)
            return true;
    return false;
}

static void free_listing(listing *l) {
    for (int i = 0; i < l->n; i++)
        free(l->names[i]);
    free(l->names);
}

static bool is_hdf5(const char *name) {
    size_t n = strlen(name);
    return n > 3 && strcmp(name + n - 3, ".h5") == 0;
}

compare_verdict compare_runs(const char *a, const char *b, const compare_rules *rules) {
    listing of_a = {0}, of_b = {0};
    pair p = {.rules = rules, .file = ""};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    list_folder(a, "", &of_a);
    list_folder(b, "", &of_b);
    if (!is_listed(&of_a, "results.h5") || !is_listed(&of_b, "results.h5"))
        unreadable(&p, is_listed(&of_a, "results.h5") ? b : a);
    for (int i = 0; i < of_a.n; i++) {
        p.file = of_a.names[i];
        if (!is_listed(&of_b, p.file))
            differ(&p, a, "is only there");
        else if (is_hdf5(p.file))
            compare_files(&p, a, b);
    }
    for (int i = 0; i < of_b.n; i++) {
        p.file = of_b.names[i];
        if (!is_listed(&of_a, p.file))
            differ(&p, b, "is only there");
    }
    free_listing(&of_a);
    free_listing(&of_b);
    return p.verdict;
}
