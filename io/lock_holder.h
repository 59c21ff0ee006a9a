/* Who holds a lock: what its file says, and whether that process is still there. Not for others. */
#ifndef T5_IO_LOCK_HOLDER_H
#define T5_IO_LOCK_HOLDER_H
#include <stdbool.h>
#include <stddef.h>

/* Texts without blanks at their ends; "" or 0: not known. */
typedef struct t5_lock_holder {
    char host[256];
    char boot[64];              /* identifies this start of the machine */
    char space[64];             /* the process numbers' name space: a container has its own */
    char job[64];               /* NUMBER.START of a batch job */
    char since[64];             /* for people */
    long pid;                   /* in that name space */
    unsigned long long started; /* the kernel's time of the process's start: numbers come again */
    bool locked;                /* it holds a lock of fcntl on the file, too */
} t5_lock_holder;

/* This process, now; locked is false. job: see io/lock.h. */
void t5_lock_holder_self(const char *job, t5_lock_holder *self);

/* As lines "KEY VALUE". Returns the length; size 1024 is enough. */
size_t t5_lock_holder_format(const t5_lock_holder *holder, char *text, size_t size);
/* false: not such a text, or not all of it. */
bool t5_lock_holder_parse(const char *text, t5_lock_holder *holder);

typedef enum t5_lock_trace {
    T5_LOCK_RUNS,     /* the process is there */
    T5_LOCK_GONE,     /* it is not */
    T5_LOCK_UNSEEN,   /* another container of this machine: cannot be told */
    T5_LOCK_ELSEWHERE /* another machine: cannot be told */
} t5_lock_trace;

/* What self can find out about the holder by its number. A batch job that was started again is not
 * what it was before. */
t5_lock_trace t5_lock_holder_trace(const t5_lock_holder *holder, const t5_lock_holder *self);

#endif
