/* The CUDA backend as the one under test: GPU 0, in full float32 precision. */
#include "device/conformance.h"

static int devices(void) {
    return 1;
}

static t5_status open_device(int i, t5_device **dev, t5_error *err) {
    return t5_device_open_cuda(i, false, dev, err);
}

static void describe(int i, char *text, size_t size) {
    snprintf(text, size, "cuda %d", i);
}

static t5_status open_wrong(t5_device **dev, t5_error *err) {
    return t5_device_open_cuda(1000, false, dev, err);
}

static void exhaust(t5_device *dev, float *x) {
    int64_t n = INT64_MAX / 64;
    t5_loss_args a = {.n = n, .vocab = 1, .logits = {x, T5_F32, n, 1, 1}}; /* a sum for each row */
    dev->ops->loss(dev, &a);
}

const conformance_backend conformance_backend_under_test = {
    .name = "cuda",
    .info = ", sm_",
    .devices = devices,
    .open = open_device,
    .describe = describe,
    .open_wrong = open_wrong,
    .wrong = T5_ERR_DEVICE,
    .wrong_text = "no GPU number 1000",
    .products = "cuBLASLt",
    .exhaust = exhaust,
};
