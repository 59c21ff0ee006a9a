#include "setup/cores.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static t5_cores mine(void) {
    t5_cores c;
    memset(&c, 0, sizeof c);
    if (gethostname(c.host, sizeof c.host - 1) != 0)
        c.host[0] = 0;
    if (sched_getaffinity(0, sizeof c.set, &c.set) != 0)
        CPU_ZERO(&c.set); /* more cores than a cpu_set_t has: one thread */
    return c;
}

int t5_cores_share(const t5_cores *ranks, int n, int i) {
    const t5_cores *me = &ranks[i];
    int sharing = 0;
    for (int k = 0; k < n; k++) {
        cpu_set_t both;
        CPU_AND(&both, &me->set, &ranks[k].set);
        sharing += strcmp(me->host, ranks[k].host) == 0 && CPU_COUNT(&both) > 0;
    }
    int threads = sharing > 0 ? CPU_COUNT(&me->set) / sharing : 1;
    return threads > 0 ? threads : 1;
}

t5_status t5_cores_threads(t5_comm *world, int *threads, t5_error *err) {
    const t5_cores here = mine();
    const int n = t5_comm_size(world);
    void *all = NULL;
    size_t *offsets = NULL;
    int *share = malloc((size_t)n * sizeof *share);
    if (!share)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the cores of %d ranks", n);
    if (t5_comm_agree(world, err) != T5_OK ||
        t5_comm_gather(world, &here, sizeof here, &all, &offsets, err) != T5_OK)
        goto done;
    for (int i = 0; all && i < n; i++)
        share[i] = t5_cores_share(all, n, i);
    if (t5_comm_bcast(world, 0, share, (size_t)n * sizeof *share, err) == T5_OK)
        *threads = share[t5_comm_rank(world)];
done:
    free(all);
    free(offsets);
    free(share);
    return err->status;
}

int t5_cores_alone(void) {
    const t5_cores here = mine();
    return t5_cores_share(&here, 1, 0);
}
