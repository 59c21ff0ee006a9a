/* The CPU backend, with more than one thread. */
#include "model/backend.h"

t5_status backend_open(t5_device **dev, t5_error *err) {
    return t5_device_open_cpu(2, dev, err);
}

int backend_draws(void) {
    return 4000;
}
