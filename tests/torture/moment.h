/* Moments at which a run is disturbed: after some time, or while it writes. */
#ifndef T5_TESTS_TORTURE_MOMENT_H
#define T5_TESTS_TORTURE_MOMENT_H
#include "process.h"

typedef enum moment_kind {
    MOMENT_TIME,    /* after `seconds` */
    MOMENT_WRITING, /* `seconds` after the count-th temporary file appeared in the output folder */
    MOMENT_RENAMED  /* ... after the count-th file was put in its place */
} moment_kind;

typedef struct moment {
    moment_kind kind;
    int count;
    double seconds;
} moment;

/* Waits for the moment; false: the run ended before. output: its folder, which may not be there
 * yet. */
bool moment_wait(const moment *m, const char *output, process *p);

#endif
