#include "saved/best_trial.h"
#include "io/store_read.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NaN: the trial is not completed, or has no figure. */
static t5_status value_of(t5_store_reader *r, const char *name, double *value, t5_error *err) {
    char object[192], *status = NULL;
    bool found;
    *value = NAN;
    snprintf(object, sizeof object, "/trials/%s", name);
    /* one that is there and damaged might be the best one: no other may be taken for it */
    if (t5_store_find(r, object, &found, err) != T5_OK)
        return t5_error_prefix(err, "the best trial is not known");
    if (!found)
        return T5_OK;
    if (t5_store_get_text(r, object, "status", &status, err) == T5_OK &&
        strcmp(status, "completed") == 0)
        t5_store_get_double(r, object, "best_value", value, err);
    free(status);
    return err->status;
}

/* The way out of an error. */
static void advise(const char *run, t5_error *err) {
    t5_error why = *err;
    *err = (t5_error){0};
    t5_fail(err, why.status, "%s; name a trial as %s:TRIAL", why.text, run);
}

static t5_status nothing_to_choose(const char *run, char **names, int n, t5_error *err) {
    char list[512] = "none";
    size_t used = 0;
    for (int i = 0; i < n && used + strlen(names[i]) + 8 < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    return t5_fail(err, T5_ERR_INPUT,
                   "%s: no completed trial has a figure of the validation split to choose it by; "
                   "name one as %s:TRIAL (there are: %s)",
                   run, run, list);
}

t5_status t5_best_trial(const char *run, char name[128], t5_error *err) {
    char path[4352], **names = NULL;
    t5_store_reader *r = NULL;
    int n = 0, best = -1;
    double most = -INFINITY, value;

    snprintf(path, sizeof path, "%s/results.h5", run);
    if (t5_store_open(path, &r, err) != T5_OK ||
        t5_store_list(r, "/trials", &names, &n, err) != T5_OK)
        goto done;
    for (int t = 0; t < n; t++) {
        if (value_of(r, names[t], &value, err) != T5_OK) {
            advise(run, err);
            goto done;
        }
        if (value > most) {
            most = value;
            best = t;
        }
    }
    if (best < 0 || strlen(names[best]) >= 128)
        nothing_to_choose(run, names, n, err);
    else
        strcpy(name, names[best]);
done:
    free(names);
    t5_store_close(r);
    return err->status;
}
