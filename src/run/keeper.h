/* Keeps a trial in training on disk, so that it can go on exactly where it was: the last few of
 * RUN/checkpoints/TRIAL/state-STEP.h5 (io/checkpoint.h), each with the weights, AdamW's two
 * moments, the best epoch's weights where they are not the current ones, the state and the curves.
 *
 * A checkpoint is written while training goes on: begin copies this rank's share of the arenas to
 * host memory and has a thread write and fsync it; when that is so on all ranks, commit gives the
 * file its checksums and its name, also by a thread, which then removes the oldest ones. Until then
 * it has a temporary name and nothing of what was there is touched. A checkpoint that cannot be
 * written (a full disk, ...) is no failure of the trial: the leader says so in a warning, nothing
 * of it is left behind, and the next one is tried all the same.
 *
 * Calls that are "collective" are so over the group; those that return a status return the same on
 * all ranks unless it is T5_ERR_COMM: the job cannot go on. */
#ifndef T5_RUN_KEEPER_H
#define T5_RUN_KEEPER_H
#include "mpi/comm.h"
#include "run/state.h"

typedef struct t5_keeper t5_keeper;

typedef struct t5_keeper_spec {
    const char *dir, *trial; /* the run's folder, the trial's name */
    uint64_t fingerprint;    /* of all that the trial's course depends on: settings, the trial's own
                                ones, rows, tokeniser */
    int keep;                /* checkpoints, >= 1 */
    uint64_t seed;           /* the trial's */
} t5_keeper_spec;

/* Makes nothing on the disk. group and model are borrowed, model must have been made to train;
 * spec is copied. Host memory is taken by the first begin and kept: t5_keeper_bytes. Collective.
 * T5_ERR_MEMORY. */
t5_status t5_keeper_open(t5_comm *group, t5_model *model, const t5_keeper_spec *spec,
                         t5_keeper **keeper, t5_error *err);
/* Host memory of a rank for checkpoints of a model of n_arena elements on `ranks` ranks. */
int64_t t5_keeper_bytes(int64_t n_arena, int ranks);

/* Begins a checkpoint of the model as it is now; waits for the copy only. best_weights (n_arena, on
 * every rank) may be NULL: there are none, or they are the model's current ones; nothing is kept of
 * it. record: on the leader, may be NULL. One that was begun is waited for until it is safe: to be
 * asked before is t5_keeper_busy. Collective. Only T5_ERR_COMM: for all else see above. */
t5_status t5_keeper_begin(t5_keeper *keeper, const float *best_weights,
                          const t5_training_state *state, const t5_record *record, t5_error *err);
/* Where one that was begun is; safe ones are IDLE. The same on all ranks. */
typedef enum { T5_KEEPER_IDLE, T5_KEEPER_WRITES, T5_KEEPER_NAMES } t5_keeper_phase;
t5_keeper_phase t5_keeper_busy(const t5_keeper *keeper);
/* Has this rank done its part of what is going on (or failed in it), so that t5_keeper_advance need
 * not wait for this rank? Does not wait itself. */
bool t5_keeper_done(t5_keeper *keeper);
/* Of one that was begun, the next thing: when all ranks have written, the leader's thread is to
 * give the file its checksums and its name; when that is done, it is safe, and no longer busy.
 * Waits for this rank's part of what went before. Collective. Only T5_ERR_COMM. */
t5_status t5_keeper_advance(t5_keeper *keeper, t5_error *err);
/* Commits and waits until the checkpoint is safe on the disk: what a trial that stops does last.
 * How the last one that was begun has failed (T5_ERR_IO, ...), also if a warning has said so;
 * T5_OK: it is there, or none was begun. Collective. */
t5_status t5_keeper_settle(t5_keeper *keeper, t5_error *err);

/* Puts the newest good checkpoint into the model, *state and (on the leader) record. A damaged or
 * cut-short one, or one of other settings, is named in a warning and the one before it is taken.
 * *best_weights: malloc'd on every rank (NULL: no epoch was best yet), also where they are the
 * current ones. *found false: there is none, nothing was changed. What was begun is given up.
 * Collective. T5_ERR_MEMORY, T5_ERR_DEVICE; T5_ERR_IO: the disk failed after the file was found to
 * be good, and the model is not what it was. */
t5_status t5_keeper_load(t5_keeper *keeper, float **best_weights, t5_training_state *state,
                         t5_record *record, bool *found, t5_error *err);

/* The trial has ended: removes its checkpoints, what was begun, and the folder if that leaves it
 * empty. Only the leader does something. Not collective. */
void t5_keeper_remove(t5_keeper *keeper);
/* The same for a trial that has no keeper; nobody may be writing there. */
void t5_keeper_forget(const char *dir, const char *trial);
/* Gives up what not all have written, waits for the threads. Not collective. NULL is fine. */
void t5_keeper_close(t5_keeper *keeper);

#endif
