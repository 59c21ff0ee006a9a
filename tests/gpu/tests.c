/* gpu_tests NAME [ARGUMENT]...: all tests and the benchmark in one program, because each would
 * carry the kernels for every GPU. gpu.cmake makes the list: SUITE, a main without arguments;
 * PROGRAM, one with. `gpu_tests gpu` says which GPU there is. Without one: exit status 77. */
#include "device/device.h"
#include "gpu_mains.h"
#include <stdio.h>
#include <string.h>

#define SUITE(name) {#name, gpu_main_##name, NULL},
#define PROGRAM(name) {#name, NULL, gpu_main_##name},
static const struct {
    const char *name;
    int (*suite)(void);
    int (*program)(int argc, char **argv);
} mains[] = {GPU_MAINS};

static int find_gpu(bool say) {
    t5_device *dev = NULL;
    t5_error err = {0};
    const t5_status status = t5_device_open_cuda(0, false, &dev, &err);
    const bool none = status != T5_OK && t5_device_count_cuda() == 0;
    if (status != T5_OK)
        fprintf(stderr, "%s%s\n", none ? "skipped: " : "", err.text);
    else if (say)
        printf("%s\n", dev->info);
    t5_device_close(dev);
    return status == T5_OK ? 0 : none ? 77 : 1;
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof mains / sizeof *mains; i++)
        if (strcmp(argv[1], mains[i].name) == 0) {
            const int missing = find_gpu(false);
            if (missing)
                return missing;
            return mains[i].suite ? mains[i].suite() : mains[i].program(argc - 1, argv + 1);
        }
    if (argc == 2 && strcmp(argv[1], "gpu") == 0)
        return find_gpu(true);
    fputs("usage: gpu_tests gpu | NAME [ARGUMENT]..., NAME one of:\n", stderr);
    for (size_t i = 0; i < sizeof mains / sizeof *mains; i++)
        fprintf(stderr, "  %s%s\n", mains[i].name, mains[i].suite ? " (conformance)" : "");
    return 2;
}
