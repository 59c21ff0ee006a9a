#include "io/store_internal.h"
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    BLOCK_ROWS = 1024,    /* rows that are put together at a time, and a chunk */
    COMPRESS_FROM = 4096, /* rows */
    COMPRESSION_LEVEL = 4 /* of deflate; more costs time and gains nothing on numbers */
};

/* Every column of a table takes eight bytes of a row: an int64_t, a double, a pointer to text, or a
 * byte. */
typedef union cell {
    int64_t i;
    double d;
    const char *text;
    uint8_t byte;
} cell;

hid_t t5_store_column_type(hid_t text_type, t5_column_type type) {
    switch (type) {
    case T5_COLUMN_INT:
        return H5T_NATIVE_INT64;
    case T5_COLUMN_DOUBLE:
        return H5T_NATIVE_DOUBLE;
    case T5_COLUMN_TEXT:
        return text_type;
    case T5_COLUMN_BYTE:
        return H5T_NATIVE_UINT8;
    }
    return -1;
}

/* The compound type of a row, in memory and in the file (HDF5 finds the places there itself). */
static hid_t row_type(const t5_store *s, const t5_column *columns, int n_columns) {
    hid_t row = H5Tcreate(H5T_COMPOUND, (size_t)n_columns * sizeof(cell));
    for (int c = 0; row >= 0 && c < n_columns; c++)
        if (H5Tinsert(row, columns[c].name, (size_t)c * sizeof(cell),
                      t5_store_column_type(s->text_type, columns[c].type)) < 0) {
            H5Tclose(row);
            row = -1;
        }
    return row;
}

/* Long tables of numbers are compressed. Text is not: HDF5 keeps it outside of what it compresses.
 * Nor are bytes: they are other files' contents, of which rows are no measure. */
static bool is_compressible(const t5_column *columns, int n_columns, int64_t n_rows) {
    for (int c = 0; c < n_columns; c++)
        if (columns[c].type == T5_COLUMN_TEXT || columns[c].type == T5_COLUMN_BYTE)
            return false;
    return n_rows >= COMPRESS_FROM && H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0;
}

static hid_t table_plist(const t5_column *columns, int n_columns, int64_t n_rows) {
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    if (plist < 0 || !is_compressible(columns, n_columns, n_rows))
        return plist;
    hsize_t chunk = BLOCK_ROWS;
    if (H5Pset_chunk(plist, 1, &chunk) < 0 || H5Pset_shuffle(plist) < 0 ||
        H5Pset_deflate(plist, COMPRESSION_LEVEL) < 0) {
        H5Pclose(plist);
        return -1;
    }
    return plist;
}

static void fill_block(cell *block, const t5_column *columns, int n_columns, int64_t first,
                       int64_t n) {
    for (int c = 0; c < n_columns; c++)
        for (int64_t r = 0; r < n; r++) {
            cell *to = &block[r * n_columns + c];
            if (columns[c].type == T5_COLUMN_INT)
                to->i = ((const int64_t *)columns[c].data)[first + r];
            else if (columns[c].type == T5_COLUMN_DOUBLE)
                to->d = ((const double *)columns[c].data)[first + r];
            else if (columns[c].type == T5_COLUMN_BYTE)
                to->byte = ((const uint8_t *)columns[c].data)[first + r];
            else
                to->text = ((const char *const *)columns[c].data)[first + r];
            if (columns[c].type == T5_COLUMN_TEXT && !to->text)
                to->text = "";
        }
}

static void write_rows(t5_store *s, const char *path, hid_t set, hid_t file_space, hid_t row,
                       cell *block, const t5_column *columns, int n_columns, int64_t n_rows) {
    for (int64_t first = 0; first < n_rows && s->err.status == T5_OK; first += BLOCK_ROWS) {
        hsize_t start = (hsize_t)first;
        hsize_t n = (hsize_t)(n_rows - first < BLOCK_ROWS ? n_rows - first : BLOCK_ROWS);
        fill_block(block, columns, n_columns, first, (int64_t)n);
        hid_t space = H5Screate_simple(1, &n, NULL);
        if (space < 0 ||
            H5Sselect_hyperslab(file_space, H5S_SELECT_SET, &start, NULL, &n, NULL) < 0 ||
            H5Dwrite(set, row, space, file_space, H5P_DEFAULT, block) < 0)
            t5_store_fail(s, "write the table", path);
        if (space >= 0)
            H5Sclose(space);
    }
}

/* A one-dimensional data set whose elements have the type `row`, which is closed. */
static void write_set(t5_store *s, const char *path, hid_t row, const t5_column *columns,
                      int n_columns, int64_t n_rows) {
    hsize_t rows = (hsize_t)n_rows;
    cell *block = calloc((size_t)BLOCK_ROWS * (size_t)n_columns, sizeof *block);
    hid_t plist = table_plist(columns, n_columns, n_rows);
    hid_t space = H5Screate_simple(1, &rows, NULL);
    hid_t set = -1;
    if (!block)
        t5_fail(&s->err, T5_ERR_MEMORY, "%s: out of memory for the table %s", s->path, path);
    else if (row >= 0 && plist >= 0 && space >= 0)
        set = H5Dcreate2(s->file, path, row, space, s->link_plist, plist, H5P_DEFAULT);
    if (set < 0)
        t5_store_fail(s, "make the table", path);
    else if (H5Tget_size(row) == (size_t)n_columns * sizeof(cell))
        write_rows(s, path, set, space, row, block, columns, n_columns, n_rows);
    /* an array of bytes is as it should be already */
    else if (n_rows > 0 && H5Dwrite(set, row, H5S_ALL, H5S_ALL, H5P_DEFAULT, columns->data) < 0)
        t5_store_fail(s, "write the array", path);
    if (set >= 0)
        H5Dclose(set);
    if (row >= 0)
        H5Tclose(row);
    if (space >= 0)
        H5Sclose(space);
    if (plist >= 0)
        H5Pclose(plist);
    free(block);
}

void t5_store_table(t5_store *s, const char *path, const t5_column *columns, int n_columns,
                    int64_t n_rows) {
    assert(n_columns >= 1 && n_rows >= 0);
    if (s->err.status == T5_OK)
        t5_store_parents(s, path);
    if (s->err.status == T5_OK)
        write_set(s, path, row_type(s, columns, n_columns), columns, n_columns, n_rows);
}

void t5_store_array(t5_store *s, const char *path, t5_column_type type, const void *data,
                    int64_t n) {
    t5_column column = {path, type, data};
    if (s->err.status == T5_OK)
        t5_store_parents(s, path);
    if (s->err.status == T5_OK)
        write_set(s, path, H5Tcopy(t5_store_column_type(s->text_type, type)), &column, 1, n);
}
