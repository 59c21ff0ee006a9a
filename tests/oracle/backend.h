/* The device that an oracle test runs on, by name. A new backend is one more line in `backends`;
 * nothing else here knows which one it is. Test code: header only. */
#ifndef TESTS_ORACLE_BACKEND_H
#define TESTS_ORACLE_BACKEND_H
#include "device/device.h"
#include <stdio.h>
#include <string.h>

static inline t5_status backend_open_cpu(t5_device **dev, t5_error *err) {
    return t5_device_open_cpu(2, dev, err);
}

/* GPU 0, in full float32 precision: the limits are those of float32. */
static inline t5_status backend_open_cuda(t5_device **dev, t5_error *err) {
    return t5_device_open_cuda(0, false, dev, err);
}

/* NULL, and a line on stderr, if there is none of this name or it does not open. */
static inline t5_device *backend_open(const char *name) {
    static const struct {
        const char *name;
        t5_status (*open)(t5_device **dev, t5_error *err);
    } backends[] = {{"cpu", backend_open_cpu}, {"cuda", backend_open_cuda}};
    t5_device *dev = NULL;
    t5_error err = {0};
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strcmp(name, backends[i].name) == 0 && backends[i].open(&dev, &err) == T5_OK)
            return dev;
    fprintf(stderr, "no backend %s: %s\n", name,
            err.status == T5_OK ? "there are cpu and cuda" : err.text);
    return NULL;
}

#endif
