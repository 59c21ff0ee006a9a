/* A fiber: a stack of its own, switched to and back by hand. One is one CUDA thread. */
#ifndef T5_TESTS_CUDA_ON_CPU_FIBER_H
#define T5_TESTS_CUDA_ON_CPU_FIBER_H
#include "emu.h"

namespace emu {
struct Fiber {
    void *sp;
    char *stack;
    void *fake, *tsan; /* the sanitizers' own idea of it */
};

void fiber_make(Fiber *f, void (*entry)()); /* entry must begin with fiber_entered, never return */
void fiber_entered();
void fiber_resume(Fiber *f); /* from the scheduler to the fiber, until it yields */
void fiber_yield(Fiber *f);  /* from the fiber to the scheduler */
void fiber_scheduler_here(); /* before the first resume: these are the scheduler's stack and thread
                              */

/* What the race detector is told of order between fibers; nothing in other builds. */
void acquire(void *);
void release(void *);
} // namespace emu
#endif
