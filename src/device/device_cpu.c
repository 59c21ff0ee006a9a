/* The CPU backend's table, and the choice of the instruction set when a device is opened. */
#include "device/cpu.h"
#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

static void destroy(t5_device *dev) {
    t5_cpu *cpu = t5_cpu_of(dev);
    t5_cpu_matmul_destroy(cpu->matmul);
    t5_cpu_scratch_free(cpu);
    free(cpu);
}

/* Every operation has ended when it returns, so waiting is only reporting. */
static t5_status sync(t5_device *dev, t5_error *err) {
    t5_cpu *cpu = t5_cpu_of(dev);
    t5_status status = cpu->error.status;
    if (status != T5_OK)
        t5_fail(err, status, "%s", cpu->error.text);
    cpu->error = (t5_error){0};
    return status;
}

static void to_device(t5_device *dev, void *dst, const void *src, size_t bytes) {
    t5_cpu_copy(dev, dst, src, bytes);
}

static t5_status to_host(t5_device *dev, void *dst, const void *src, size_t bytes, t5_error *err) {
    t5_cpu_copy(dev, dst, src, bytes);
    return sync(dev, err);
}

/* Nothing is kept: an operation is run when it is queued. */
static void replay(t5_device *dev, t5_replay **kept, void (*queue)(void *arg), void *arg) {
    (void)dev, (void)kept;
    queue(arg);
}

static void replay_free(t5_device *dev, t5_replay *kept) {
    (void)dev, (void)kept;
}

static const t5_device_ops cpu_ops = {
    .name = "cpu",
    .destroy = destroy,
    .alloc = t5_cpu_alloc,
    .free = t5_cpu_free,
    .to_device = to_device,
    .to_host = to_host,
    .copy = t5_cpu_copy,
    .zero = t5_cpu_zero,
    .sync = sync,
    .matmul = t5_cpu_matmul_run,
    .cast = t5_cpu_cast,
    .widen = t5_cpu_widen,
    .narrow = t5_cpu_narrow,
    .pack = t5_cpu_pack,
    .embed_forward = t5_cpu_embed_forward,
    .embed_backward = t5_cpu_embed_backward,
    .norm_forward = t5_cpu_norm_forward,
    .norm_backward = t5_cpu_norm_backward,
    .act_forward = t5_cpu_act_forward,
    .act_backward = t5_cpu_act_backward,
    .attention_forward = t5_cpu_attention_forward,
    .attention_backward = t5_cpu_attention_backward,
    .loss = t5_cpu_loss,
    .sum_squares = t5_cpu_sum_squares,
    .adamw = t5_cpu_adamw,
    .gather_rows = t5_cpu_gather_rows,
    .topk = t5_cpu_topk,
    .replay = replay,
    .replay_free = replay_free,
};

/* What oneDNN will use, which a user can lower (ONEDNN_MAX_CPU_ISA). The sets are bit masks. */
static bool dnnl_has_bf16(void) {
    unsigned isa = dnnl_get_effective_cpu_isa(), wanted = dnnl_cpu_isa_avx512_core_bf16;
    return (isa & wanted) == wanted;
}

static const t5_cpu_kernels *choose_kernels(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return &t5_cpu_kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &t5_cpu_kernels_avx2;
#endif
    return &t5_cpu_kernels_generic;
}

t5_status t5_device_open_cpu(int threads, t5_device **dev, t5_error *err) {
    *dev = NULL;
    if (threads < 1)
        return t5_fail(err, T5_ERR_INPUT, "a CPU device needs at least 1 thread, not %d", threads);
    t5_cpu *cpu = calloc(1, sizeof *cpu);
    if (!cpu)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the CPU device");
    cpu->base.ops = &cpu_ops;
    cpu->threads = threads;
    cpu->kernels = choose_kernels();
    cpu->base.host_memory = true;
    cpu->base.has_bf16 = dnnl_has_bf16();
    const dnnl_version_t *v = dnnl_version();
    snprintf(cpu->base.info, sizeof cpu->base.info, "CPU, oneDNN %d.%d.%d, %s%s, %d thread%s",
             v->major, v->minor, v->patch, cpu->kernels->isa, cpu->base.has_bf16 ? ", bf16" : "",
             threads, threads == 1 ? "" : "s");
    t5_status status = t5_cpu_matmul_create(&cpu->matmul, err);
    if (status != T5_OK) {
        destroy(&cpu->base);
        return status;
    }
    *dev = &cpu->base;
    return T5_OK;
}
