/* full_disk [SIZES]: runs the sweep on a disk (a tmpfs of its own) that is too small for it, in so
 * many sizes: it must end with an error message and status 1, or go on; then the disk becomes large
 * enough, and --resume must end with the results of the undisturbed run and no other files. Status
 * 1: it does not; 77: a tmpfs cannot be mounted here. */
#include "compare.h"
#include "sweep.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const sweep_shape shapes[] = {{0, 1, true}, {2, 2, true}};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };
static const char *const references[N_SHAPES] = {"whole.1", "whole.2"};

static int errors, successes;

/* In a mount name space of this process and its children: nothing is left of it. */
static const char *mount_disk(void) {
    if (mkdir("disk", 0777) != 0)
        die("disk: %s", strerror(errno));
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("t5mpi", "disk", "tmpfs", 0, "size=1m") != 0)
        return strerror(errno);
    return NULL;
}

static void resize(long kib) {
    char size[64];
    snprintf(size, sizeof size, "size=%ldk", kib);
    if (mount("t5mpi", "disk", "tmpfs", MS_REMOUNT, size) != 0)
        die("the tmpfs cannot be resized: %s", strerror(errno));
}

static long used_kib(const char *folder) {
    char command[128], line[64];
    snprintf(command, sizeof command, "du -sk %s", folder);
    FILE *p = popen(command, "r");
    long n = p && fgets(line, sizeof line, p) ? strtol(line, NULL, 10) : 0;
    if (!p || pclose(p) != 0 || n <= 0)
        die("%s: cannot be measured", folder);
    return n;
}

/* NULL, or what is wrong. */
static const char *one_size(int s, long kib, long enough) {
    shell("rm -rf disk/out log mpi/*");
    resize(kib);
    int status = sweep_run(shapes[s], "disk/out", NULL, "log");
    if (status < 0)
        return "hangs";
    if (status >= 126)
        return "ended by a signal";
    if (status != 0 &&
        system("grep -q -e 't5mpi: ' -e 'failed: ' -e 'its weights are not kept' log") != 0)
        return "no error message";
    if (system("grep -q 'No space left on device' log") != 0 && status != 0)
        return "does not say that the disk is full";
    errors += status != 0;
    successes += status == 0;
    shell("cp log first.log");
    resize(enough);
    status = sweep_run(shapes[s], "disk/out", NULL, "log");
    if (status != 0)
        return status < 0 ? "--resume hangs" : "--resume fails";
    compare_rules rules = {.out = stdout};
    return compare_runs(references[s], "disk/out", &rules) == COMPARE_SAME
               ? NULL
               : "the results are not those of the undisturbed run";
}

static int all_sizes(int sizes) {
    int bad = 0;
    for (int i = 0; i < sizes; i++) {
        int s = i % N_SHAPES;
        long need = used_kib(references[s]);
        double part = (2 * i + 1) / (2.0 * sizes); /* more small disks: the first files are
                                                       small, checkpoints in training large */
        long kib = 16 + (long)(4 * (double)need * part * part);
        const char *wrong = one_size(s, kib, 16 * need);
        if (!wrong)
            continue;
        printf("a disk of %ld KiB for a run of %ld: %s\n", kib, need, wrong);
        show_log("first.log");
        show_log("log");
        bad++;
    }
    printf("%d disks that were too small: %d runs ended with an error, %d went on to their end; %d "
           "not as it should be\n",
           sizes, errors, successes, bad);
    return bad;
}

int main(int argc, char **argv) {
    int sizes = argc > 1 ? atoi(argv[1]) : 4;
    sweep_prepare(T5MPI, T5MPI_MPIRUN, T5MPI_SOURCE_DIR);
    const char *reason = mount_disk();
    if (reason) {
        printf("skipped: a tmpfs cannot be mounted: %s\n", reason);
        sweep_clean();
        return 77;
    }
    for (int s = 0; s < N_SHAPES; s++)
        if (sweep_run(shapes[s], references[s], NULL, "log") != 0) {
            show_log("log");
            die("the undisturbed run failed");
        }
    int bad = all_sizes(sizes);
    umount("disk");
    sweep_clean();
    return bad > 0;
}
