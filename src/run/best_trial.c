#include "run/best_trial.h"
#include "io/file.h"
#include "io/store_read.h"
#include "run/run_folder.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* HDF5 follows no link to a file that is not there (any more): no trial to choose. One that is
 * there and damaged might be the best one, so that no other may be taken for it. */
static t5_status check_missing(const char *run, const char *name, t5_error *err) {
    char path[4480], *folder = t5_run_folder(run, name, err);
    if (!folder)
        return err->status;
    snprintf(path, sizeof path, "%s/trials/%s.h5", folder, name);
    free(folder);
    return t5_file_exists(path)
               ? t5_fail(err, T5_ERR_INPUT,
                         "%s: cannot be read or is damaged, so that the best trial is not known",
                         path)
               : T5_OK;
}

/* NaN: the trial is not completed, or has no figure. */
static t5_status value_of(t5_store_reader *r, const char *run, const char *name, double *value,
                          t5_error *err) {
    char object[192], *status = NULL;
    *value = NAN;
    snprintf(object, sizeof object, "/trials/%s", name);
    if (!t5_store_has(r, object))
        return check_missing(run, name, err);
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
        if (value_of(r, run, names[t], &value, err) != T5_OK) {
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
