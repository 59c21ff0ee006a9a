/* Fibers on x86-64: the callee-saved registers and the stack pointer are all there is to save. */
#include "fiber.h"
#include <cstdlib>
#include <sys/mman.h>

#if !defined(__x86_64__)
#error "cuda_on_cpu switches stacks in x86-64 assembly"
#endif

enum { STACK = 128 * 1024, GUARD = 4096 };

extern "C" void emu_switch(void **from, void *to);
asm(".text\n"
    ".globl emu_switch\n"
    ".type emu_switch,@function\n"
    "emu_switch:\n"
    "pushq %rbp\n"
    "pushq %rbx\n"
    "pushq %r12\n"
    "pushq %r13\n"
    "pushq %r14\n"
    "pushq %r15\n"
    "movq %rsp,(%rdi)\n"
    "movq %rsi,%rsp\n"
    "popq %r15\n"
    "popq %r14\n"
    "popq %r13\n"
    "popq %r12\n"
    "popq %rbx\n"
    "popq %rbp\n"
    "popq %rcx\n" /* not ret, which the processor would expect to lead back to the caller */
    "jmp *%rcx\n"
    ".size emu_switch,.-emu_switch\n");

namespace emu {
static void *scheduler_sp;
[[maybe_unused]] static void *scheduler_fake, *scheduler_tsan;
[[maybe_unused]] static const void *scheduler_stack;
[[maybe_unused]] static size_t scheduler_size;

#if defined(EMU_TSAN)
void acquire(void *p) {
    __tsan_acquire(p);
}
void release(void *p) {
    __tsan_release(p);
}
#else
void acquire(void *) {}
void release(void *) {}
#endif

void fiber_scheduler_here() {
#if defined(EMU_TSAN)
    scheduler_tsan = __tsan_get_current_fiber();
#endif
}

void fiber_make(Fiber *f, void (*entry)()) {
    void *m = mmap(nullptr, STACK + GUARD, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m == MAP_FAILED || mprotect(m, GUARD, PROT_NONE))
        fail("no memory for the stack of a thread");
    f->stack = (char *)m + GUARD;
    void **sp = (void **)(f->stack + STACK) - 2; /* aligned as after a call */
    *sp = (void *)entry;
    f->sp = sp - 6; /* the registers that emu_switch will pop */
#if defined(EMU_TSAN)
    f->tsan = __tsan_create_fiber(0);
#endif
}

void fiber_entered() {
#if EMU_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);
#endif
}

void fiber_yield(Fiber *f) {
#if EMU_ASAN
    __sanitizer_start_switch_fiber(&f->fake, scheduler_stack, scheduler_size);
#elif defined(EMU_TSAN)
    __tsan_switch_to_fiber(scheduler_tsan, __tsan_switch_to_fiber_no_sync);
#endif
    emu_switch(&f->sp, scheduler_sp);
#if EMU_ASAN
    __sanitizer_finish_switch_fiber(f->fake, nullptr, nullptr);
#endif
}

void fiber_resume(Fiber *f) {
#if EMU_ASAN
    __sanitizer_start_switch_fiber(&scheduler_fake, f->stack, STACK);
#elif defined(EMU_TSAN)
    __tsan_switch_to_fiber(f->tsan, __tsan_switch_to_fiber_no_sync);
#endif
    emu_switch(&scheduler_sp, f->sp);
#if EMU_ASAN
    __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
#endif
}
} // namespace emu
