/* How many threads a rank may have, by the cores that the ranks of its host may run on. */
#ifndef T5_SETUP_CORES_H
#define T5_SETUP_CORES_H
#include "mpi/comm.h"
#include <sched.h>

/* Where a rank may run: mpirun and batch systems bind ranks to cores of their own, to sockets, or
 * not at all. */
typedef struct t5_cores {
    char host[64];
    cpu_set_t set;
} t5_cores;

/* Rank i's share: its cores, over the ranks of its host that share any of them; at least 1. Pure.
 */
int t5_cores_share(const t5_cores *ranks, int n, int i);
/* Of this rank among all of them. Collective over world; the ranks agree. */
t5_status t5_cores_threads(t5_comm *world, int *threads, t5_error *err);
/* Of a process that is alone. */
int t5_cores_alone(void);

#endif
