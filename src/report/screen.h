/* The terminal that output ends up on, if it does. Needs Linux's /proc for programs under mpirun.
 */
#ifndef T5_REPORT_SCREEN_H
#define T5_REPORT_SCREEN_H
#include <stdbool.h>
#include <stdio.h>

/* Whether somebody sees `out` on a terminal, and its size (either may be NULL; 0 where the terminal
 * does not know it). isatty() is not enough: mpirun gives every rank a pseudo terminal of its own,
 * also when its output goes into a file. Such a one has no size, and then it is the parent process
 * that knows. */
bool t5_screen_find(FILE *out, int *columns, int *rows);

#endif
