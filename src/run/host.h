/* Rank 0's side of the sweep: gives out trials and shards, follows progress, keeps the summaries.
 * Its handler runs on the service's helper thread; between t5_service_start and t5_service_stop
 * nobody else may touch a host. */
#ifndef T5_RUN_HOST_H
#define T5_RUN_HOST_H
#include "mpi/service.h"
#include "plan/schedule.h"
#include "run/messages.h"
#include "run/stop.h"
#include "setup/source.h"

typedef struct t5_host t5_host;

/* config, plan, source, console and stop (NULL: no signals) must outlive the host. */
t5_status t5_host_create(const t5_config *config, const t5_plan *plan, t5_source *source,
                         t5_console *console, const t5_stop *stop, t5_host **host, t5_error *err);
void t5_host_destroy(t5_host *host);
t5_service_handler t5_host_handle; /* user: the host */

/* One per trial of the plan. Those that never ran are "pending"; after t5_host_settle, "skipped".
 */
t5_trial_summary *t5_host_summaries(t5_host *host);
/* Before the service starts: a number for the run's settings and data (t5_assignment has one for
 * each trial made of it). */
void t5_host_set_fingerprint(t5_host *host, uint64_t run);
/* The signal on which the run stops, 0: none. No trial is given out any more then. */
int t5_host_signal(const t5_host *host);
/* Before the service starts: a trial has ended in an earlier run, as its file says. */
void t5_host_keep(t5_host *host, int trial, const t5_trial_summary *summary);
/* After the service has stopped: final statuses in summaries and files. */
t5_status t5_host_settle(t5_host *host, const char *dir, t5_error *err);

/* A reply that may be a failure: every reply to T5_MSG_SHARD and T5_MSG_TEXTS is an error (status
 * not T5_OK) or a block. Takes over *reply on failure. */
t5_status t5_host_check_reply(void **reply, size_t *bytes, t5_error *err);

#endif
