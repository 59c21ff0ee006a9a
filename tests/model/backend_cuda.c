/* The CUDA backend: GPU 0. */
#include "model/backend.h"

t5_status backend_open(t5_device **dev, t5_error *err) {
    return t5_device_open_cuda(0, false, dev, err);
}
