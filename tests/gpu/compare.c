/* gpu_tests compare RUN OTHER: every trial of both runs has the same curve of the training loss.
 * Step by step while the rounding of one device has not yet led another way than that of the other,
 * then by the mean of all steps. On the CPU one and two ranks a trial differ in an epoch of the
 * demo by about a hundredth of these limits. */
#include "io/store_read.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { EARLY = 25 };
static const double early_limit = 1e-5, mean_limit = 1e-3;

typedef struct curve {
    double *loss;
    int64_t n;
} curve;

static t5_status read_curve(t5_store_reader *run, const char *trial, curve *c, t5_error *err) {
    char path[512];
    snprintf(path, sizeof path, "/trials/%s/train", trial);
    return t5_store_get_array(run, path, "loss", T5_COLUMN_DOUBLE, (void **)&c->loss, &c->n, err);
}

static double mean(const curve *c) {
    double sum = 0;
    for (int64_t i = 0; i < c->n; i++)
        sum += c->loss[i] / (double)c->n;
    return sum;
}

static t5_status compare_curves(const char *trial, const curve *a, const curve *b, t5_error *err) {
    double worst = 0;
    if (a->n != b->n || a->n < 1)
        return t5_fail(err, T5_ERR_NUMERIC, "%s: %d and %d steps", trial, (int)a->n, (int)b->n);
    for (int64_t i = 0; i < a->n && i < EARLY; i++) {
        const double apart = fabs(a->loss[i] - b->loss[i]) / fabs(b->loss[i]);
        if (!(apart <= early_limit))
            return t5_fail(err, T5_ERR_NUMERIC, "%s, step %d: the loss is %.8g and %.8g", trial,
                           (int)i + 1, a->loss[i], b->loss[i]);
        worst = apart > worst ? apart : worst;
    }
    const double ma = mean(a), mb = mean(b);
    if (!(fabs(ma - mb) <= mean_limit * mb))
        return t5_fail(err, T5_ERR_NUMERIC, "%s: the mean loss is %.8g and %.8g", trial, ma, mb);
    printf("%s: %d steps, the first %d at most %.1e apart, the means %.1e\n", trial, (int)a->n,
           EARLY, worst, fabs(ma - mb) / mb);
    return T5_OK;
}

static t5_status compare_trial(t5_store_reader *const run[2], const char *trial, t5_error *err) {
    curve c[2] = {{0}, {0}};
    t5_status status = read_curve(run[0], trial, &c[0], err);
    if (status == T5_OK)
        status = read_curve(run[1], trial, &c[1], err);
    if (status == T5_OK)
        status = compare_curves(trial, &c[0], &c[1], err);
    free(c[0].loss);
    free(c[1].loss);
    return status;
}

int main(int argc, char **argv) {
    t5_store_reader *run[2] = {NULL, NULL};
    t5_error err = {0};
    char **trials = NULL, path[4096];
    int n = 0;
    if (argc != 3)
        t5_fail(&err, T5_ERR_INPUT, "usage: compare RUN OTHER");
    for (int i = 0; i < 2 && err.status == T5_OK; i++) {
        snprintf(path, sizeof path, "%s/results.h5", argv[1 + i]);
        t5_store_open(path, &run[i], &err);
    }
    if (err.status == T5_OK && t5_store_list(run[0], "/trials", &trials, &n, &err) == T5_OK &&
        n < 1)
        t5_fail(&err, T5_ERR_INPUT, "%s has no trials", argv[1]);
    for (int i = 0; i < n && err.status == T5_OK; i++)
        compare_trial(run, trials[i], &err);
    free(trials);
    t5_store_close(run[0]);
    t5_store_close(run[1]);
    if (err.status != T5_OK)
        fprintf(stderr, "compare: %s\n", err.text);
    return err.status == T5_OK ? 0 : 1;
}
