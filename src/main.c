/* The program: parses the command line, starts MPI where a command needs it, prints errors, and
 * turns a status into the exit status that docs/config.md and --help promise. */
#include "base/log.h"
#include "device/device.h"
#include "io/store.h"
#include "mpi/comm.h"
#include "report/report_command.h"
#include "run/cli.h"
#include "run/score.h"
#include "saved/export.h"
#include "saved/predict.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_WRONG_INPUT = 2, EXIT_GO_ON = 75 };

static int exit_status(const t5_error *err) {
    switch (err->status) {
    case T5_OK:
        return EXIT_SUCCESS;
    case T5_ERR_INPUT:
        return EXIT_WRONG_INPUT;
    case T5_INTERRUPTED:
        return EXIT_GO_ON;
    default:
        return EXIT_FAILED;
    }
}

static int complain(const t5_error *err) {
    fprintf(stderr, "t5mpi: %s\n", err->text);
    return exit_status(err);
}

static int print_version(void) {
    t5_error err = {0};
    t5_device *device;
    if (t5_device_open_cpu(1, &device, &err) != T5_OK)
        return complain(&err);
    printf("t5mpi %s\n%s\nHDF5 %s\n%s\n", T5MPI_VERSION, t5_comm_library(), t5_store_library(),
           device->info);
    t5_device_close(device);
    return EXIT_SUCCESS;
}

/* Commands that run on the ranks that mpirun started. */
static int with_ranks(int argc, char **argv, t5_cli *cli, t5_error *err) {
    t5_comm *world = NULL;
    t5_stop *stop = NULL;
    t5_error start = {0};
    int n_failed = 0;

    if (cli->verb == T5_CLI_RUN) /* before MPI makes threads */
        t5_stop_create(&stop, &start);
    if (start.status != T5_OK || t5_comm_start(&argc, &argv, &world, &start) != T5_OK) {
        t5_stop_destroy(stop);
        return complain(&start);
    }
    cli->command.stop = stop;
    bool root = t5_comm_rank(world) == 0;
    t5_log_setup(T5_LOG_WARNING, t5_comm_size(world) > 1 ? t5_comm_rank(world) : -1);
    if (err->status == T5_OK && cli->verb == T5_CLI_PLAN)
        t5_sweep_plan(world, &cli->command, stdout, err);
    else if (err->status == T5_OK)
        t5_sweep_run(world, &cli->command, stdout, &n_failed, err);
    int status = exit_status(err);
    if (err->status != T5_OK && root)
        complain(err);
    else if (n_failed > 0)
        status = EXIT_FAILED;
    t5_comm_finish(world);
    t5_stop_destroy(stop);
    return status;
}

/* Started by mpirun, several times? Without MPI only Open MPI's environment tells. */
static int rank_of(const char *variable, int otherwise) {
    const char *text = getenv(variable);
    return text ? atoi(text) : otherwise;
}

/* A batch job that is started again has its number again, and counts. */
static const char *job_of_slurm(char *job, size_t size) {
    const char *number = getenv("SLURM_JOB_ID"), *start = getenv("SLURM_RESTART_COUNT");
    if (!number || !*number)
        return NULL;
    snprintf(job, size, "%s.%s", number, start && *start ? start : "0");
    return job;
}

/* Commands of one process. Among the ranks of an mpirun the first one says that this is wrong; the
 * others end without an error, or mpirun would end the first one before it has spoken. */
static int alone(const t5_cli *cli, t5_error *err) {
    if (rank_of("OMPI_COMM_WORLD_SIZE", 1) > 1) {
        if (rank_of("OMPI_COMM_WORLD_RANK", 0) > 0)
            return EXIT_SUCCESS;
        t5_fail(err, T5_ERR_INPUT, "this command is one process: start it without mpirun");
    }
    if (err->status == T5_OK && cli->verb == T5_CLI_SCORE) {
        t5_score_file(cli->file, cli->top5, stdout, err);
    } else if (err->status == T5_OK && cli->verb == T5_CLI_PREDICT) {
        signal(SIGPIPE, SIG_IGN); /* a reader that goes away is an error to see, not a death */
        t5_predict(&cli->predict, stdout, stderr, err);
    } else if (err->status == T5_OK && cli->verb == T5_CLI_REPORT) {
        t5_report_run(cli->run, cli->plots, stdout, err);
    } else if (err->status == T5_OK) {
        t5_export(cli->model, cli->directory, stdout, err);
    }
    if (err->status == T5_STOPPED)
        return EXIT_SUCCESS; /* the reader had enough */
    return err->status == T5_OK ? EXIT_SUCCESS : complain(err);
}

/* A closed descriptor 0, 1 or 2 would be given to the next file that is opened, and that file's
 * bytes be read as texts or mixed with messages. */
static void keep_standard_streams(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

int main(int argc, char **argv) {
    t5_cli cli;
    t5_error err = {0};
    char job[64];
    int status;

    keep_standard_streams();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow (ulimit -f) is a write error */
    t5_cli_parse(argc, argv, &cli, &err);
    if (err.status == T5_OK && cli.verb == T5_CLI_HELP) {
        fputs(t5_cli_help(cli.about), stdout);
        status = EXIT_SUCCESS;
    } else if (err.status == T5_OK && cli.verb == T5_CLI_VERSION) {
        status = print_version();
    } else if (cli.verb == T5_CLI_SCORE || cli.verb == T5_CLI_PREDICT ||
               cli.verb == T5_CLI_EXPORT || cli.verb == T5_CLI_REPORT) {
        status = alone(&cli, &err);
    } else {
        cli.command.job = job_of_slurm(job, sizeof job);
        /* also for a wrong command line: only rank 0 then says what is wrong */
        status = with_ranks(argc, argv, &cli, &err);
    }
    t5_cli_free(&cli);
    /* what was lost may have been flushed long ago */
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_SUCCESS &&
        err.status != T5_STOPPED) {
        fputs("t5mpi: standard output could not be written\n", stderr);
        status = EXIT_FAILED;
    }
    return status;
}
