/* Which device a rank computes on. */
#ifndef T5_SETUP_DEVICES_H
#define T5_SETUP_DEVICES_H
#include "base/config.h"
#include "device/device.h"
#include "mpi/comm.h"

typedef enum { T5_USE_AUTO, T5_USE_CPU, T5_USE_CUDA } t5_use; /* --device */
/* T5_ERR_INPUT: neither auto, cpu nor cuda. */
t5_status t5_use_parse(const char *text, t5_use *use, t5_error *err);

typedef struct t5_device_wish {
    t5_use use;
    t5_precision precision;
    int threads; /* of the CPU; 0: the cores that the process may use, shared by a host's ranks */
    bool share_gpu; /* several ranks may use one GPU */
} t5_device_wish;

/* Opens this rank's device: with auto a GPU where there is one (and a warning if it cannot be
 * used), else the CPU. The k-th rank of a host takes the k-th of the GPUs that it sees, so that
 * CUDA_VISIBLE_DEVICES and Slurm's binding count. *bf16: products in bfloat16, which precision
 * "auto" means on a GPU that has them. T5_ERR_INPUT: what was wished for is not to be had, or two
 * ranks have the same GPU (both numbers are named). Collective over world; the ranks agree. */
t5_status t5_devices_open(t5_comm *world, const t5_device_wish *wish, t5_device **device,
                          bool *bf16, t5_error *err);
/* The same for a command of one process, without MPI. */
t5_status t5_device_open_alone(const t5_device_wish *wish, t5_device **device, bool *bf16,
                               t5_error *err);

#endif
