/* What rank 0 does before anything is trained: configuration, plan, data, settings. Both `run` and
 * `plan` start with it. */
#ifndef T5_RUN_PREPARE_H
#define T5_RUN_PREPARE_H
#include "plan/plan.h"
#include "run/sweep.h"
#include "setup/setup.h"
#include "setup/source.h"

typedef struct t5_prepared {
    t5_config *config;
    t5_part part;
    t5_plan whole; /* of the configuration */
    t5_plan plan;  /* what of it runs here */
    t5_source source;
    t5_settings settings;
} t5_prepared;

/* With a part, the output folder is that of the part. Not collective. On failure everything is
 * freed. writes: the output folder must be usable and hold no results yet, which is found out
 * before the data are read. */
t5_status t5_prepare(const t5_command *command, int ranks, bool writes, t5_prepared *p,
                     t5_error *err);
void t5_prepared_free(t5_prepared *p);

/* A few lines before the first trial: data, trials, ranks. */
void t5_prepared_greet(const t5_prepared *p, int ranks, const char *device, FILE *out);

#endif
