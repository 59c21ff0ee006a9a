/* One run at a time in a folder: a file there that names the process that runs, and is locked.
 *
 * The file appears whole, by link(2), which is one step on network file systems, too. Every process
 * of the run also holds a lock of the file itself (fcntl, shared) where the file system has such
 * locks: the kernel drops it when a process ends in whatever way, and it is seen from other
 * containers. So a file that a killed run has left is told from one of a run that goes on: its
 * lock, the process's number and start, the machine and its start. What cannot be told is taken
 * for a run that goes on. */
#ifndef T5_IO_LOCK_H
#define T5_IO_LOCK_H
#include "base/status.h"

typedef struct t5_lock t5_lock;

/* T5_ERR_INPUT if a run holds the lock, saying which process, where, and since when. To be asked
 * before long work; only t5_lock_take is sure. job: as there. */
t5_status t5_lock_check(const char *path, const char *job, t5_error *err);

/* Takes the lock, also from a run whose process is gone; while other processes of that run are not
 * yet, waits for some seconds. job: "NUMBER.START" of a batch job that may be started again, or
 * NULL: an earlier start of the same job is over. T5_ERR_INPUT as above, also if the file is none
 * of this program's or a symbolic link; T5_ERR_IO, T5_ERR_MEMORY.
 * Two runs that take it from the same dead one at the same time: one is refused, but for file
 * systems without locks, where the two steps of taking over can meet. */
t5_status t5_lock_take(const char *path, const char *job, t5_lock **lock, t5_error *err);

/* For the other processes of the run that took it: as long as one of them is there the run is not
 * over. NULL: the file system has no such locks; nothing is lost but that. */
t5_lock *t5_lock_join(const char *path);

/* Frees it; the file goes if this is who took it. NULL is fine. */
void t5_lock_release(t5_lock *lock);

#endif
