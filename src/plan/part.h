/* One part of a sweep that several jobs share (--part I/N): every N-th trial of the grid, from the
 * I-th on, in a folder of its own below the run's. */
#ifndef T5_PLAN_PART_H
#define T5_PLAN_PART_H
#include "plan/plan.h"

enum { T5_PARTS_MOST = 10000 };
#define T5_PART_FOLDER "part-%d-of-%d" /* number, count */

typedef struct t5_part {
    int number, count; /* 1 <= number <= count; count 0: not in parts */
} t5_part;

/* "I/N". T5_ERR_INPUT says what was expected. */
t5_status t5_part_parse(const char *text, t5_part *part, t5_error *err);

/* Is trial t of the whole plan in it? */
bool t5_part_has(t5_part part, int trial);
/* Its trials, freed by t5_plan_free; a copy of the whole plan if count is 0. T5_ERR_INPUT: the
 * whole is a tree, whose trials follow from each other, or has fewer trials than that. */
t5_status t5_part_plan(const t5_plan *whole, t5_part part, t5_plan *plan, t5_error *err);

/* "DIR/part-I-of-N", malloc'd; DIR if count is 0. NULL: out of memory. */
char *t5_part_folder(const char *dir, t5_part part);

/* The part whose folder is called `name`; false: none is. */
bool t5_part_of_folder(const char *name, t5_part *part);

#endif
