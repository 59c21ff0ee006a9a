/* Are two runs' results the same, bit for bit? */
#ifndef T5_TESTS_TORTURE_COMPARE_H
#define T5_TESTS_TORTURE_COMPARE_H
#include <stdbool.h>
#include <stdio.h>

typedef enum compare_verdict {
    COMPARE_SAME = 0,
    COMPARE_DIFFERENT = 1,
    COMPARE_UNREADABLE = 2
} compare_verdict;

typedef struct compare_rules {
    bool other_ranks; /* how many ranks there were, on what devices, and the text of the
                         configuration may differ */
    /* > 0: floating-point values may differ by this much of the larger one (or of 1), and which
     * answers were given, and how they were scored, is not looked at; how many there are is */
    double within;
    /* the same for weights: AdamW divides by the gradient's own size, so that where a gradient is
     * nothing but rounding a weight may move by up to the learning rate */
    double weights_within;
    FILE *out; /* the first difference of every item */
} compare_rules;

/* Compares all files of two output folders: there are the same ones, and in each HDF5 file the same
 * groups, links, attributes and data sets with the same values; only the times that things took may
 * differ. */
compare_verdict compare_runs(const char *a, const char *b, const compare_rules *rules);

#endif
