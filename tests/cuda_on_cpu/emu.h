/* Shared by the parts of the emulated runtime; neither kernels nor the host layer see it. */
#ifndef T5_TESTS_CUDA_ON_CPU_EMU_H
#define T5_TESTS_CUDA_ON_CPU_EMU_H
#include <cuda_runtime_api.h>
#include <functional>

#if defined(__SANITIZE_ADDRESS__)
#define EMU_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define EMU_ASAN 0
#endif
/* Not __SANITIZE_THREAD__: the emulation itself is compiled without it, so that what its scheduler
 * does with the memory of many threads is no race. */
#if defined(EMU_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace emu {
using Op = std::function<void()>;
/* A part of an operation that may have to wait for others; asked again until it says that it is
 * done. A new one is made for each time that the operation runs. */
using Step = std::function<bool()>;
using MakeStep = std::function<Step()>;

/* What a GPU answers by a fault, or by undefined behaviour: says where it happened and ends the
 * process, since a test that went on would prove nothing. */
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* device.cpp */
cudaError_t result(cudaError_t e);              /* e, remembered for cudaGetLastError */
long setting(const char *name, long otherwise); /* a number of the environment */
enum { SHARED_DEFAULT = 48 * 1024, SHARED_MAX = 227 * 1024 };
cudaError_t check_shared(const void *kernel, size_t bytes); /* over 48 KiB only after asking */

/* memory.cpp */
bool is_device(const void *p, size_t bytes); /* all of it inside one allocation, or bytes is 0 */
void expose(bool open); /* device memory is the host's to touch only while an operation runs */

/* stream.cpp */
void submit(cudaStream_t, Op); /* runs, queues or records an operation of a stream */
void submit_steps(cudaStream_t, MakeStep);
bool is_capturing(); /* some stream is */
bool is_capturing(cudaStream_t);
/* What must not be called during a capture: the capture under way is lost, which its end says. */
cudaError_t lose_capture(cudaError_t e = cudaErrorStreamCaptureUnsupported);
void drain(cudaStream_t);
void drain_all();
} // namespace emu
#endif
