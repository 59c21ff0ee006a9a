/* What the files of the keeper share. Not for others. */
#ifndef T5_RUN_KEEPER_INTERNAL_H
#define T5_RUN_KEEPER_INTERNAL_H
#include "io/checkpoint.h"
#include "run/job.h"
#include "run/keeper.h"
#include "run/state_files.h"

/* The arrays of a checkpoint, by number; the last one may be left out. */
enum { T5_KEPT_WEIGHTS, T5_KEPT_M, T5_KEPT_V, T5_KEPT_BEST, T5_KEPT };
extern const char *const t5_kept_paths[T5_KEPT];
t5_arena t5_kept_arena(int i); /* where array i is in a model; best weights: the weights' */

/* The version of what is in the file beside the arrays. */
enum { T5_KEPT_VERSION = 2 };

/* Where a rank writes: what the leader tells the others. */
typedef struct t5_keeper_place {
    t5_error err; /* the file could not be made */
    char temporary[T5_STATE_PATH + 128];
    int64_t offset[T5_KEPT];
} t5_keeper_place;

struct t5_keeper {
    t5_comm *group;
    t5_model *model;
    bool leader;
    char *dir, *trial;
    t5_keeper_spec spec; /* its texts are the two above */
    t5_state_folder folder;
    uint64_t layout; /* t5_state_layout */
    int64_t n;       /* elements of an array */
    /* this rank's share of every array: spans, so that each has one writer */
    int64_t first, count, spans;
    float *copy[T5_KEPT]; /* count elements, or NULL so far */
    uint64_t *sums;       /* (T5_KEPT, spans) */
    /* what was begun and not committed */
    bool busy;
    int n_arrays;
    int64_t step;
    t5_keeper_place place;
    int fd;
    t5_error part; /* this rank's failure in it; the thread's while it works */
    t5_job writing;
    t5_checkpoint_writer *writer; /* the leader's */
    /* what was committed; `naming`, the same on all ranks: the leader's thread may be at it */
    bool naming;
    t5_checkpoint_writer *closing; /* the leader's thread's */
    int64_t closing_step;
    t5_error closed; /* how that went */
    t5_job finishing;
    t5_error last; /* how the last one that was begun has failed: on all ranks, or the leader's */
};

/* The leader says in a warning that a checkpoint is not there. */
void t5_keeper_warn(const t5_keeper *keeper, int64_t step, const t5_error *reason);
/* Waits for the last commit's thread; what failed goes into keeper->last and a warning. */
void t5_keeper_finish(t5_keeper *keeper);
/* Gives up what was begun; waits for this rank's thread only. */
void t5_keeper_give_up(t5_keeper *keeper);

#endif
