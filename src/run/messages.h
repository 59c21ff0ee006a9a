/* What the ranks say to rank 0 through mpi/service.h: kinds of requests and their plain structs.
 * All ranks run the same binary, so structs travel as bytes. */
#ifndef T5_RUN_MESSAGES_H
#define T5_RUN_MESSAGES_H
#include "data/dataset.h"
#include "report/console.h"
#include "results/summary.h"
#include <stdint.h>

enum {
    T5_MSG_NEXT,     /* a group's first rank is free; reply t5_assignment (deferred while a
                        decision is needed) */
    T5_MSG_SHARD,    /* t5_shard_request; reply: a shard's block, or a t5_error if it failed */
    T5_MSG_TEXTS,    /* t5_shard_request (part 0 of 1); reply: texts of the split, see host.c */
    T5_MSG_WEIGHTS,  /* t5_weights_request; reply: the elements, or a t5_error if it failed */
    T5_MSG_PROGRESS, /* t5_progress, told, no reply */
    T5_MSG_VERDICT,  /* t5_progress at the end of an epoch; reply t5_verdict */
    T5_MSG_STOP,     /* t5_stop_request; reply: int, the signal on which the run stops, or 0 */
    T5_MSG_DONE      /* t5_done; reply: any number of t5_status_change to be written */
};

typedef struct t5_assignment {
    int trial; /* number in the plan, or T5_SCHEDULE_OVER */
    char name[128];
    t5_trial_spec spec;
    bool speculative;
    uint64_t fingerprint; /* of what the trial's course depends on */
} t5_assignment;

typedef struct t5_shard_request {
    int top_n;
    t5_split_kind kind;
    int part, parts;
} t5_shard_request;

/* Elements [first, first + n) of a pre-trained model's parameter. */
enum { T5_WEIGHTS_PIECE = 1 << 20 }; /* elements at most: a wait for every 4 MiB */
typedef struct t5_weights_request {
    char name[96];
    int64_t first, n;
} t5_weights_request;

/* Has anybody been asked to stop? From a group that knows of a signal (else 0). */
typedef struct t5_stop_request {
    int signal;
} t5_stop_request;

typedef struct t5_done {
    int trial;
    t5_trial_summary summary;
} t5_done;

/* A trial that ran ahead and whose file must say how that turned out. Given out once, to whoever
 * ends a trial next. */
typedef struct t5_status_change {
    char name[128];
    char status[24];
} t5_status_change;

typedef struct t5_verdict {
    bool pruned;  /* give the trial up: the tree cannot reach it any more */
    bool reached; /* the tree has reached it */
} t5_verdict;

#endif
