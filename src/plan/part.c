#include "plan/part.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits only: no sign, no space. */
static const char *read_number(const char *text, int *value) {
    *value = 0;
    if (*text < '1' || *text > '9')
        return NULL;
    for (; *text >= '0' && *text <= '9'; text++) {
        *value = 10 * *value + *text - '0';
        if (*value > T5_PARTS_MOST)
            return NULL;
    }
    return text;
}

t5_status t5_part_parse(const char *text, t5_part *part, t5_error *err) {
    const char *end = read_number(text, &part->number);
    if (end && *end == '/')
        end = read_number(end + 1, &part->count);
    else
        end = NULL;
    return end && *end == 0 && part->number <= part->count
               ? T5_OK
               : t5_fail(err, T5_ERR_INPUT,
                         "--part: found \"%s\", expected I/N with 1 <= I <= N <= %d: the I-th of N "
                         "parts",
                         text, T5_PARTS_MOST);
}

bool t5_part_has(t5_part part, int trial) {
    return part.count == 0 || trial % part.count == part.number - 1;
}

t5_status t5_part_plan(const t5_plan *whole, t5_part part, t5_plan *plan, t5_error *err) {
    *plan = (t5_plan){.is_tree = whole->is_tree, .baseline = -1};
    if (part.count > 0 && whole->is_tree)
        return t5_fail(err, T5_ERR_INPUT,
                       "--part %d/%d: an experiment tree cannot be run in parts: which trial "
                       "comes next depends on how the ones before it came out (a sweep can)",
                       part.number, part.count);
    if (part.number > whole->n)
        return t5_fail(err, T5_ERR_INPUT, "--part %d/%d: the sweep has %d trial%s only",
                       part.number, part.count, whole->n, whole->n == 1 ? "" : "s");
    if (!(plan->trials = calloc((size_t)whole->n, sizeof *plan->trials)))
        return t5_fail(err, T5_ERR_MEMORY, "no memory for %d trials", whole->n);
    for (int t = 0; t < whole->n; t++)
        if (t5_part_has(part, t)) {
            if (t == whole->baseline)
                plan->baseline = plan->n;
            plan->trials[plan->n++] = whole->trials[t];
        }
    return T5_OK;
}

char *t5_part_folder(const char *dir, t5_part part) {
    char *folder = NULL;
    if (part.count == 0)
        return strdup(dir);
    return asprintf(&folder, "%s/" T5_PART_FOLDER, dir, part.number, part.count) < 0 ? NULL
                                                                                     : folder;
}

bool t5_part_of_folder(const char *name, t5_part *part) {
    static const char before[] = "part-", between[] = "-of-";
    if (strncmp(name, before, sizeof before - 1) != 0)
        return false;
    name = read_number(name + sizeof before - 1, &part->number);
    if (!name || strncmp(name, between, sizeof between - 1) != 0)
        return false;
    name = read_number(name + sizeof between - 1, &part->count);
    return name && *name == 0 && part->number <= part->count;
}
