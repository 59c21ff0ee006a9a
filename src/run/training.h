/* A trial in training: what trainer.c (epochs, validation, test) and training_steps.c (the steps of
 * an epoch) share. Nobody else includes it. */
#ifndef T5_RUN_TRAINING_H
#define T5_RUN_TRAINING_H
#include "run/epoch.h"
#include "run/evaluate.h"
#include "run/gradient_sum.h"
#include "run/keeper.h"
#include "run/trainer.h"

typedef struct t5_training {
    t5_worker *w;
    const t5_assignment *a;
    const t5_settings *settings;
    t5_trial_summary *summary;
    t5_record *record;
    t5_model *model;
    t5_gradient_sum *sum;
    t5_pack_row *rows; /* of one step */
    t5_evaluation validation;
    bool reached; /* by the tree, as far as rank 0 has said */
    int64_t total_steps, steps_per_epoch;
    float *best_weights;     /* host copy, NULL until an epoch was better */
    t5_training_state state; /* after the last step whose result has been read */
    int n_queued;            /* steps since then */
    t5_keeper *keeper;
    int64_t kept_step;    /* of the newest checkpoint that was begun or loaded */
    double kept_at;       /* when that was */
    t5_activity activity; /* what its time goes into since ... */
    double since;
    double told, asked;
    int stops; /* the signal on which the run stops, as far as this rank knows; 0: none */
    double epoch_started;
    int64_t rows_since; /* trained on since epoch_started */
    /* A failure of this rank alone. It rides along in the next sum, so that no rank waits for one
     * that has left. */
    t5_error alone;
} t5_training;

/* From now on the trial's time goes into another activity; returns the one before. t->state.spent
 * is up to date then. */
t5_activity t5_training_turn_to(t5_training *t, t5_activity activity);
/* Seconds of the trial, those before a resume included. */
double t5_training_seconds(const t5_training *t);
/* How it is going, for rank 0. */
t5_progress t5_training_progress(const t5_training *t);

/* The rest of the epoch that t->state stands in. Collective over the group; ranks agree.
 * T5_INTERRUPTED: a signal asked for it, t->state is where training stands. */
t5_status t5_training_epoch(t5_training *t, t5_error *err);

/* Is it time for a checkpoint, by the steps that are done, or by the leader's clock? Not while one
 * is being written, since beginning another one would wait for the disk: it is due afterwards. The
 * same on all ranks. */
bool t5_training_is_due(const t5_training *t, bool by_clock);
/* Begins a checkpoint of where training stands, nothing being queued. Collective. T5_ERR_COMM. */
t5_status t5_training_keep(t5_training *t, t5_error *err);

#endif
