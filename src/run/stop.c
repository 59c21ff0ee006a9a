#include "run/stop.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct t5_stop {
    sigset_t signals;
    pthread_t thread;
    atomic_int first;
    atomic_bool ended;
};

static void *listen(void *arg) {
    t5_stop *stop = arg;
    for (;;) {
        int signal = 0, none = 0;
        if (sigwait(&stop->signals, &signal) != 0)
            continue;
        if (atomic_load(&stop->ended))
            return NULL;
        atomic_compare_exchange_strong(&stop->first, &none, signal);
        if (signal == SIGINT) {
            /* the next one is this thread's to take, by the default action */
            sigset_t again;
            sigemptyset(&again);
            sigaddset(&again, SIGINT);
            sigdelset(&stop->signals, SIGINT);
            pthread_sigmask(SIG_UNBLOCK, &again, NULL);
        }
    }
}

t5_status t5_stop_create(t5_stop **out, t5_error *err) {
    t5_stop *stop = calloc(1, sizeof *stop);
    *out = NULL;
    if (!stop)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for signals");
    sigemptyset(&stop->signals);
    sigaddset(&stop->signals, SIGUSR1);
    sigaddset(&stop->signals, SIGTERM);
    sigaddset(&stop->signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop->signals, NULL);
    if (pthread_create(&stop->thread, NULL, listen, stop) != 0) {
        pthread_sigmask(SIG_UNBLOCK, &stop->signals, NULL);
        free(stop);
        return t5_fail(err, T5_ERR_MEMORY, "no thread for signals");
    }
    *out = stop;
    return T5_OK;
}

void t5_stop_destroy(t5_stop *stop) {
    if (!stop)
        return;
    atomic_store(&stop->ended, true);
    pthread_kill(stop->thread, SIGUSR1); /* out of sigwait, which alone takes it */
    pthread_join(stop->thread, NULL);
    sigaddset(&stop->signals, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &stop->signals, NULL);
    free(stop);
}

int t5_stop_signal(const t5_stop *stop) {
    return stop ? atomic_load(&stop->first) : 0;
}

const char *t5_stop_name(int signal) {
    return signal == SIGUSR1   ? "SIGUSR1"
           : signal == SIGTERM ? "SIGTERM"
           : signal == SIGINT  ? "SIGINT"
                               : "a signal";
}
