#include "setup/devices.h"
#include "base/log.h"
#include "setup/cores.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

t5_status t5_use_parse(const char *text, t5_use *use, t5_error *err) {
    static const char *const names[] = {
        [T5_USE_AUTO] = "auto", [T5_USE_CPU] = "cpu", [T5_USE_CUDA] = "cuda"};
    for (int i = 0; i <= T5_USE_CUDA; i++)
        if (strcmp(text, names[i]) == 0) {
            *use = (t5_use)i;
            return T5_OK;
        }
    return t5_fail(err, T5_ERR_INPUT, "--device %s: auto, cpu or cuda was expected", text);
}

static t5_status open_gpu(const t5_device_wish *wish, int local_rank, t5_device **device,
                          t5_error *err) {
    int n = t5_device_count_cuda();
    return t5_device_open_cuda(n > 0 ? local_rank % n : 0, wish->precision == T5_PRECISION_TF32,
                               device, err);
}

/* threads: of a CPU, where none are wished for. */
static t5_status open_one(const t5_device_wish *wish, int local_rank, int threads,
                          t5_device **device, t5_error *err) {
    t5_error why = {0};
    bool gpu = wish->use == T5_USE_CUDA || (wish->use == T5_USE_AUTO && t5_device_count_cuda() > 0);
    *device = NULL;
    if (gpu && open_gpu(wish, local_rank, device, &why) == T5_OK)
        return T5_OK;
    if (wish->use == T5_USE_CUDA)
        return t5_fail(err, T5_ERR_INPUT, "--device cuda: %s", why.text);
    if (gpu)
        t5_log(T5_LOG_WARNING, "computing on the CPU: %s", why.text);
    return t5_device_open_cpu(wish->threads > 0 ? wish->threads : threads, device, err);
}

/* bf16 or not; what the device cannot do is an error. */
static t5_status settle_precision(t5_precision precision, const t5_device *device, bool *bf16,
                                  t5_error *err) {
    bool gpu = !device->host_memory;
    *bf16 = precision == T5_PRECISION_BF16 ||
            (precision == T5_PRECISION_AUTO && gpu && device->has_bf16);
    if (precision == T5_PRECISION_AUTO && gpu && !device->has_bf16)
        t5_log(T5_LOG_WARNING, "%s has no bfloat16: precision \"auto\" is \"fp32\"", device->info);
    if (precision == T5_PRECISION_TF32 && !gpu)
        return t5_fail(err, T5_ERR_INPUT,
                       "train.precision = \"tf32\" is for GPUs; this is %s: use \"fp32\" or "
                       "\"bf16\"",
                       device->info);
    if (*bf16 && !device->has_bf16)
        return t5_fail(err, T5_ERR_INPUT,
                       "train.precision = \"bf16\": %s has no bfloat16 products; use \"fp32\"",
                       device->info);
    return T5_OK;
}

/* ---- a GPU of its own for every rank ---- */

typedef struct claim {
    char host[64], id[16];
    int local_size, gpus; /* ranks of the host, GPUs that this one sees */
} claim;

static t5_status compare_claims(const claim *claims, int n, t5_error *err) {
    for (int i = 1; i < n; i++)
        for (int k = 0; k < i; k++)
            if (claims[i].id[0] && strcmp(claims[i].id, claims[k].id) == 0 &&
                strcmp(claims[i].host, claims[k].host) == 0)
                return t5_fail(err, T5_ERR_INPUT,
                               "ranks %d and %d have the same GPU: host %s has %d ranks, and they "
                               "see %d GPU%s each; start as many ranks as there are GPUs, or set "
                               "parallel.share_gpu = true",
                               k, i, claims[i].host, claims[i].local_size, claims[i].gpus,
                               claims[i].gpus == 1 ? "" : "s");
    return T5_OK;
}

static t5_status check_sharing(t5_comm *world, const t5_device *device, t5_error *err) {
    claim mine = {.local_size = t5_comm_local_size(world), .gpus = t5_device_count_cuda()};
    void *all = NULL;
    size_t *offsets = NULL;
    if (gethostname(mine.host, sizeof mine.host - 1) != 0)
        mine.host[0] = 0;
    memcpy(mine.id, device->id, sizeof mine.id);
    if (t5_comm_gather(world, &mine, sizeof mine, &all, &offsets, err) != T5_OK)
        return err->status;
    if (t5_comm_rank(world) == 0)
        compare_claims(all, t5_comm_size(world), err);
    free(all);
    free(offsets);
    return t5_comm_agree(world, err);
}

t5_status t5_devices_open(t5_comm *world, const t5_device_wish *wish, t5_device **device,
                          bool *bf16, t5_error *err) {
    int threads = 1;
    *device = NULL;
    if (t5_cores_threads(world, &threads, err) == T5_OK &&
        open_one(wish, t5_comm_local_rank(world), threads, device, err) == T5_OK)
        settle_precision(wish->precision, *device, bf16, err);
    if (t5_comm_agree(world, err) == T5_OK && !wish->share_gpu)
        check_sharing(world, *device, err);
    if (err->status != T5_OK) {
        t5_device_close(*device);
        *device = NULL;
    }
    return err->status;
}

t5_status t5_device_open_alone(const t5_device_wish *wish, t5_device **device, bool *bf16,
                               t5_error *err) {
    if (open_one(wish, 0, t5_cores_alone(), device, err) == T5_OK &&
        settle_precision(wish->precision, *device, bf16, err) != T5_OK) {
        t5_device_close(*device);
        *device = NULL;
    }
    return err->status;
}
