/* What a trial leaves behind and how it is laid out in HDF5 (docs/results.md): a file per trial,
 * trials/NAME.h5, and results.h5 with links to all of them. The writers are the groups' first ranks
 * (their trial's file) and rank 0 (everything else;
 * results/index.h: results.h5). */
#ifndef T5_RESULTS_RESULTS_H
#define T5_RESULTS_RESULTS_H
#include "io/store.h"
#include "plan/plan.h"
#include "results/summary.h"
#include "setup/source.h"

typedef struct t5_step_row {
    int64_t step; /* 1-based optimiser step of the trial */
    int64_t epoch;
    double loss, learning_rate, grad_norm;
    int64_t tokens; /* input and target tokens of the global batch */
    double seconds; /* since the trial began */
} t5_step_row;

typedef struct t5_eval_row {
    int64_t epoch;
    double loss;
    t5_metrics metrics; /* of the validation split */
} t5_eval_row;

/* The curves of a trial, kept by its group's first rank. */
typedef struct t5_record {
    t5_step_row *steps;
    t5_eval_row *evals;
    int64_t n_steps, n_evals, room_steps, room_evals;
    char **predictions; /* (n_predictions) answers on the test split, in its order; owned */
    int64_t n_predictions;
} t5_record;

/* Room for so many rows in all, if there is less, so that adding one cannot fail in the middle of a
 * step. Of more than T5_RECORD_STEPS steps fewer are kept (below). T5_ERR_MEMORY. */
enum { T5_RECORD_STEPS = 50000 };
t5_status t5_record_reserve(t5_record *record, int64_t steps, int64_t evals, t5_error *err);
/* Rows come in the order of their steps, from 1 on. Where T5_RECORD_STEPS are there, every second
 * one goes, and from then on every second step is left out, and so on: what is kept depends on the
 * steps done alone, not on how many are to come, which a resume may change. */
void t5_record_step(t5_record *record, const t5_step_row *row);
void t5_record_eval(t5_record *record, const t5_eval_row *row);
void t5_record_free(t5_record *record);
/* Adds the tables /train and /eval, those that have rows, to a store; errors of calls on it stick
 * to it. T5_ERR_MEMORY. */
t5_status t5_record_put(t5_store *store, const t5_record *record, t5_error *err);

/* T5_ERR_INPUT if DIR holds results already (with resume: that is fine), or cannot be made or
 * written to. Makes nothing. */
t5_status t5_results_check_folder(const char *dir, bool resume, t5_error *err);

/* Writes DIR/trials/NAME.h5. record and test may be NULL (a trial that has not run). The status is
 * summary->status. */
t5_status t5_results_write_trial(const char *dir, const t5_trial_summary *summary,
                                 const t5_record *record, const t5_texts *test, t5_error *err);
/* Changes the status (and only that) of a trial's file. */
t5_status t5_results_set_status(const char *dir, const char *name, const char *status,
                                t5_error *err);
/* Metrics as attributes of a group. */
void t5_results_put_metrics(t5_store *store, const char *group, const t5_metrics *metrics);

/* The first n_labels labels and how often they occur, as two arrays of a file, errors of which
 * stick to the store. T5_ERR_MEMORY. */
t5_status t5_results_put_labels(t5_store *store, const t5_labels *labels, int n_labels,
                                const char *names_path, const char *counts_path, t5_error *err);

#endif
