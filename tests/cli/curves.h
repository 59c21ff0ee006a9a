/* Columns of a run's tables. */
#ifndef T5_TESTS_CLI_CURVES_H
#define T5_TESTS_CLI_CURVES_H
#include "cli/program.h"
#include <hdf5.h>

static inline hid_t double_of_row(const char *column) {
    hid_t t = H5Tcreate(H5T_COMPOUND, sizeof(double));
    H5Tinsert(t, column, 0, H5T_NATIVE_DOUBLE);
    return t;
}

/* At most `most` rows of a table's column; returns how many there are. */
static inline int read_column(hid_t group, const char *table, const char *column, int most,
                              double *out) {
    hid_t set = H5Dopen2(group, table, H5P_DEFAULT), type = double_of_row(column);
    assert_true(set >= 0);
    hid_t space = H5Dget_space(set);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    assert_in_range(n, 1, most);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(set);
    return (int)n;
}

#endif
