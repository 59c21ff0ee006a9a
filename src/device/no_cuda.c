/* In place of the CUDA backend, in a program that was built without it. */
#include "device/device.h"

int t5_device_count_cuda(void) {
    return 0;
}

t5_status t5_device_open_cuda(int gpu, bool tf32, t5_device **dev, t5_error *err) {
    (void)gpu, (void)tf32;
    *dev = 0;
    return t5_fail(
        err, T5_ERR_DEVICE,
        "this program was built without CUDA (cmake -DT5MPI_CUDA=on says what it needs)");
}
