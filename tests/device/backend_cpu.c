/* The CPU backend as the one under test: every instruction set that this processor has, with 1 and
 * 3 threads. */
#include "device/conformance.h"
#include "device/cpu.h"

/* What opening a device chooses, and what is below. */
static int instruction_sets(const t5_cpu_kernels **kernels) {
    int n = 0;
    kernels[n++] = &t5_cpu_kernels_generic;
#if defined(__x86_64__)
    t5_device *dev = NULL;
    if (t5_device_open_cpu(1, &dev, NULL) != T5_OK)
        return n;
    const t5_cpu_kernels *best = t5_cpu_of(dev)->kernels;
    t5_device_close(dev);
    if (best != &t5_cpu_kernels_generic)
        kernels[n++] = &t5_cpu_kernels_avx2;
    if (best == &t5_cpu_kernels_avx512)
        kernels[n++] = best;
#endif
    return n;
}

static const int threads[] = {1, 3};

static int devices(void) {
    const t5_cpu_kernels *kernels[3];
    return 2 * instruction_sets(kernels);
}

static t5_status open_device(int i, t5_device **dev, t5_error *err) {
    const t5_cpu_kernels *kernels[3];
    instruction_sets(kernels);
    t5_status status = t5_device_open_cpu(threads[i % 2], dev, err);
    if (status == T5_OK)
        t5_cpu_of(*dev)->kernels = kernels[i / 2];
    return status;
}

static void describe(int i, char *text, size_t size) {
    const t5_cpu_kernels *kernels[3];
    instruction_sets(kernels);
    snprintf(text, size, "cpu %s x%d", kernels[i / 2]->isa, threads[i % 2]);
}

static t5_status open_wrong(t5_device **dev, t5_error *err) {
    return t5_device_open_cpu(0, dev, err);
}

static void exhaust(t5_device *dev, float *x) {
    double sum = 0.0;
    dev->ops->sum_squares(dev, x, INT64_MAX / 4, &sum); /* partial sums */
}

const conformance_backend conformance_backend_under_test = {
    .name = "cpu",
    .info = "CPU, oneDNN ",
    .devices = devices,
    .open = open_device,
    .describe = describe,
    .open_wrong = open_wrong,
    .wrong = T5_ERR_INPUT,
    .wrong_text = "needs at least 1 thread, not 0",
    .products = "oneDNN",
    .exhaust = exhaust,
};
