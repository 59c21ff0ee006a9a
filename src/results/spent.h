/* What a trial's time goes into. */
#ifndef T5_RESULTS_SPENT_H
#define T5_RESULTS_SPENT_H

typedef enum t5_activity {
    T5_STARTING, /* data, weights, memory; going on from a checkpoint */
    T5_TRAINING, /* steps, and the exchange of rows before an epoch's first */
    T5_VALIDATING,
    T5_TESTING,
    T5_KEEPING, /* waiting for checkpoints and for the best weights' file, not what is written
                   while training goes on */
    T5_N_ACTIVITIES
} t5_activity;

/* Seconds on the leader's clock, by activity; together they are the trial's. */
typedef struct t5_spent {
    double seconds[T5_N_ACTIVITIES];
} t5_spent;

/* The attributes in HDF5 files: "seconds_start", ... */
extern const char *const t5_spent_names[T5_N_ACTIVITIES];
/* For people: "start", "training", ... */
extern const char *const t5_spent_words[T5_N_ACTIVITIES];

double t5_spent_total(const t5_spent *spent);
void t5_spent_add(t5_spent *to, const t5_spent *more);

#endif
