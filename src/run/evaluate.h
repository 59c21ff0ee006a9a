/* Evaluation of a split, shared among the ranks of a group: the loss, and generated answers scored
 * against the gold ones. */
#ifndef T5_RUN_EVALUATE_H
#define T5_RUN_EVALUATE_H
#include "run/worker.h"

typedef struct t5_evaluation {
    const t5_decode_spec *decode;
    int n_labels; /* of the trial: which tokens restrict_to_labels allows */
    t5_loss_settings loss;
    bool want_loss, want_answers;
} t5_evaluation;

/* Collective over w->group; ranks agree on failure. *loss: mean over the split's target tokens, on
 * every rank, NaN without rows (or if not wanted). *metrics and *answers (n strings, malloc'd, in
 * the split's order): leader only; answers may be NULL. */
t5_status t5_evaluate(t5_worker *w, t5_model *model, t5_split_kind kind, const t5_evaluation *e,
                      double *loss, t5_metrics *metrics, char ***answers, t5_error *err);
void t5_answers_free(char **answers, int64_t n);

#endif
