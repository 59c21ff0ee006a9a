/* `t5mpi score`: the metrics of anybody's answers. */
#ifndef T5_RUN_SCORE_H
#define T5_RUN_SCORE_H
#include "base/status.h"
#include <stdio.h>

/* Reads JSON Lines with the string values "gold" and "pred" (empty is fine, other keys are ignored;
 * path "-": standard input) and writes their metrics to out as one JSON object, named and ordered
 * as t5_metric_names: doubles with 17 significant digits, counts as integers. top5: the Top-5 of
 * the diversity metric, separated by white space, NULL: the five most frequent of the file's gold
 * labels, ties in the order of first appearance. T5_ERR_INPUT: a row is wrong (its line is named),
 * there is none, top5 has none or more than five labels. T5_ERR_IO: out cannot be written. Not
 * collective. */
t5_status t5_score_file(const char *path, const char *top5, FILE *out, t5_error *err);

#endif
