/* The CUDA backend: GPU 0. */
#include "model/backend.h"

t5_status backend_open(t5_device **dev, t5_error *err) {
    return t5_device_open_cuda(0, false, dev, err);
}

/* An emulated GPU generates about 50 rows a second, and a tenth of that under the sanitizers. */
int backend_draws(void) {
#ifdef __SANITIZE_ADDRESS__
    return 0;
#else
    return 200;
#endif
}
