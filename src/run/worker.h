/* A rank as a member of a group that trains trials: what it keeps from one trial to the next. */
#ifndef T5_RUN_WORKER_H
#define T5_RUN_WORKER_H
#include "device/device.h"
#include "mpi/reducer.h"
#include "mpi/service.h"
#include "run/host.h"
#include "setup/setup.h"

typedef struct t5_worker {
    t5_comm *world, *group;
    t5_service *service;
    const t5_setup *setup;
    t5_device *device;
    bool bf16;                 /* products in bfloat16 */
    t5_reducer *reducer;       /* of the group's gradients */
    t5_pretrained *pretrained; /* rank 0 with model.path; NULL elsewhere */
    const t5_stop *stop;       /* signals of this process, or NULL */
    bool leader; /* the group's first rank: talks to rank 0 and writes the trial's file */
    /* this rank's data, for one filter at a time; kept for the next trial with the same filter */
    int top_n;          /* -1: none */
    t5_shard *split[3]; /* by t5_split_kind */
    t5_texts texts[3];  /* leader only: validation and test */
} t5_worker;

/* Gets the shards (and the leader the texts) of a filter from rank 0, unless they are here already.
 * Collective over the group; ranks agree on failure (T5_ERR_EMPTY: the filter leaves nothing). */
t5_status t5_worker_get_data(t5_worker *w, int top_n, t5_error *err);
void t5_worker_drop_data(t5_worker *w);

/* Tells rank 0 of a signal (0: of none) and hears on which signal the run stops, 0: none. For the
 * leader, not collective. */
t5_status t5_worker_ask_stop(t5_worker *w, int signal, int *stops, t5_error *err);

/* Takes trials from rank 0 until there are none. A trial's own failure is recorded and not a
 * failure of this call. Collective over the group. */
t5_status t5_worker_run(t5_worker *w, t5_error *err);

#endif
