/* The program and mpirun as child processes that may be killed. Everything ends the test program
 * with a message on a failure of its own. */
#ifndef T5_TESTS_TORTURE_PROCESS_H
#define T5_TESTS_TORTURE_PROCESS_H
#include <stdbool.h>
#include <sys/types.h>

enum { MAX_RANKS = 8, MAX_ARGS = 48 };

typedef struct process {
    pid_t pid;       /* mpirun, or the program itself */
    const char *log; /* where its output goes */
    bool ended;
    int status; /* as a shell gives it, once it has ended */
} process;

/* Prints a message and leaves with status 2. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* What MPI puts on the disk and in shared memory goes into `folder` instead of /tmp and /dev/shm,
 * where a killed run would leave it. */
void process_settings(const char *folder);

/* Runs argv (NULL at its end), which is found in PATH, with its output appended to log. */
process process_start(const char *const *argv, const char *log);
/* Has it ended? Never waits. */
bool process_over(process *p);
/* Waits; false: it goes on after that many seconds. */
bool process_wait(process *p, double seconds);

/* The processes that p started whose program is `name`, at most MAX_RANKS. */
int process_children(const process *p, const char *name, pid_t children[MAX_RANKS]);
/* Is there a process of this number that is not only waiting to be asked for its status? */
bool process_lives(pid_t pid);

void sleep_seconds(double seconds);

#endif
