/* The parts of t5bench: its options (options.c), what is trained on (workload.c), what it is
 * compared with (yardstick.c), where the time goes (profile.c), and generation instead of training
 * (generation.c). */
#ifndef T5_BENCH_H
#define T5_BENCH_H
#include "data/batch.h"
#include "device/device.h"
#include "model/model.h"
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static inline double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- options --- */

typedef struct bench_options {
    bool base, bf16, tf32, cuda, profile, evaluate, dump;
    int threads, steps, rows, rounds, tokens;
    int vocab;         /* of the model; the data set uses less */
    int join;          /* rows of the data set in a row of the workload */
    int input, target; /* not 0: exactly as many tokens a row, of as many rows as that takes */
    int side;          /* of the yardstick's matrices; 0: what suits the device */
    const char *data;  /* folder of the data set */
} bench_options;

/* 1: go on; 0: help was printed; -1: wrong, and said so. */
int bench_options_parse(int argc, char **argv, bench_options *o);

/* --- workload: packed batches with the lengths of the shipped data set --- */

typedef struct bench_workload {
    int n;
    t5_batch *batches; /* consecutive batches of a shuffled epoch, all different */
    int largest;       /* the one with the most tokens */
    t5_pack_row *rows; /* the same batches as rows of `ids` */
    int32_t *ids;
    int64_t n_ids;
} bench_workload;

/* n batches of o->rows rows made of the data set in o->data (v3like.jsonl, spiece.model) with the
 * lengths that the options say; the epoch starts over, shuffled anew, when the rows run out. Freed
 * by bench_workload_free, also after a failure. */
t5_status bench_workload_make(const bench_options *o, int n, bench_workload *work, t5_error *err);
void bench_workload_free(bench_workload *work);
/* A line of JSON for each row, in order: {"input_ids": [...], "labels": [...]}. */
t5_status bench_workload_print(const bench_workload *work, FILE *out, t5_error *err);

/* --- yardsticks: what this machine can do, measured in this process --- */

typedef struct bench_yardstick bench_yardstick;

/* threads: of the training, on the CPU; side: of the square matrices, 0: what suits the device.
 * Buffers of 1 to 2 GiB until destroyed. */
t5_status bench_yardstick_create(t5_device *dev, int threads, bool bf16, int side,
                                 bench_yardstick **y, t5_error *err);
void bench_yardstick_destroy(bench_yardstick *y);
/* Measures both once more and keeps the best so far. */
t5_status bench_yardstick_measure(bench_yardstick *y, t5_error *err);
double bench_yardstick_flops(const bench_yardstick *y); /* of a large matrix product, per second */
double
bench_yardstick_bytes(const bench_yardstick *y); /* read + written by a large copy, per second */

/* --- generation: rows a second of greedy decoding --- */

typedef struct bench_generation {
    int rounds, batches; /* batches a round */
    int rows, tokens;    /* of a batch, put out for each row: the end token is forbidden */
} bench_generation;

/* Needs rounds + 1 times as many batches as a round has: one round warms up. Prints. */
t5_status bench_generate(t5_model *model, const bench_workload *work, const bench_generation *g,
                         t5_error *err);
/* A line of /proc/self/status ("VmHWM:") in bytes; 0 where there is none. */
size_t bench_process_memory(const char *key);

/* --- profile: the device's table with a stopwatch around every operation --- */

/* Between start and stop the device's operations are timed, each waited for. One device a process;
 * times add up over several starts. Stop gives the device its own table back: before
 * t5_device_close. */
void bench_profile_start(t5_device *dev);
void bench_profile_stop(t5_device *dev);
/* A mean step: its time and the operations of its matrix products, attention's among them; and the
 * yardsticks. */
typedef struct bench_step {
    double seconds, flops, peak, bandwidth;
} bench_step;
/* A table of what was timed, per step: what each kind of operation does at the least, the time that
 * takes by the yardsticks, and the time that it took. */
void bench_profile_print(int steps, const bench_step *whole);

#endif
