/* The device that the model's tests run on. Which backend that is is decided by what the test is
 * linked with: backend_cpu.c or backend_cuda.c. */
#ifndef T5_TESTS_MODEL_BACKEND_H
#define T5_TESTS_MODEL_BACKEND_H
#include "device/device.h"

/* A new device, in full float32 precision; t5_device_close ends it. */
t5_status backend_open(t5_device **dev, t5_error *err);

/* How many rows a test of random draws takes; 0: none, sampling takes minutes there. */
int backend_draws(void);

#endif
