#include "results/spent.h"

const char *const t5_spent_names[T5_N_ACTIVITIES] = {
    [T5_STARTING] = "seconds_start",        [T5_TRAINING] = "seconds_training",
    [T5_VALIDATING] = "seconds_validation", [T5_TESTING] = "seconds_test",
    [T5_KEEPING] = "seconds_checkpoints",
};

const char *const t5_spent_words[T5_N_ACTIVITIES] = {
    [T5_STARTING] = "start", [T5_TRAINING] = "training",   [T5_VALIDATING] = "validation",
    [T5_TESTING] = "test",   [T5_KEEPING] = "checkpoints",
};

double t5_spent_total(const t5_spent *spent) {
    double sum = 0;
    for (int i = 0; i < T5_N_ACTIVITIES; i++)
        sum += spent->seconds[i];
    return sum;
}

void t5_spent_add(t5_spent *to, const t5_spent *more) {
    for (int i = 0; i < T5_N_ACTIVITIES; i++)
        to->seconds[i] += more->seconds[i];
}
