/* usage: faults NAME. Does one thing that must not go unnoticed, and says "survived" if it does. */
#include "cuda_on_cpu/sample/kernels.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    int *out = NULL, host[64];
    const char *name = argc > 1 ? argv[1] : "";
    if (cudaMalloc((void **)&out, sizeof host) != cudaSuccess)
        return 1;
    if (!strcmp(name, "host")) {
        out[3] = 1; /* the host writes device memory */
    } else if (!strcmp(name, "after_free")) {
        cudaFreeAsync(out, 0);
        sample_fault("overrun", out, 0);
    } else if (sample_fault(name, out, 0) != cudaSuccess) {
        printf("no fault \"%s\"\n", name);
        return 1;
    }
    cudaMemcpy(host, out, sizeof host, cudaMemcpyDeviceToHost);
    printf("survived\n");
    return 0;
}
