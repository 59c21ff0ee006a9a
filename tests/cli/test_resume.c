/* --resume: what has ended is kept as it is, what has not runs again, with the same bits; other
 * settings or data are refused. */
#include "cli/program.h"
#include "io/store_read.h"
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

static const char config[] =
    "model: { preset = \"tiny\"; tokenizer = \"spiece.model\"; };\n"
    "data: { path = \"data.jsonl\"; input = \"sns_text\"; target = \"emoji_string\"; };\n"
    "train: { epochs = 2; batch_size = 8; warmup_steps = 2; learning_rate = 1e-2; };\n"
    "sweep: { top_n = [0, 40, 80]; };\n"
    "parallel: { threads = 1; };\n"
    "output: { dir = \"whole\"; };\n";
static const char *const trials[] = {"all", "top40", "top80"};
enum { N_TRIALS = 3 };

static t5_store_reader *open_results(const char *output) {
    char path[64];
    t5_error err = {0};
    t5_store_reader *r = NULL;
    snprintf(path, sizeof path, "%s/results.h5", output);
    if (t5_store_open(path, &r, &err))
        fail_msg("%s", err.text);
    return r;
}

static double *losses(t5_store_reader *r, const char *trial, int64_t *n) {
    char path[64];
    double *loss = NULL;
    t5_error err = {0};
    snprintf(path, sizeof path, "/trials/%s/train", trial);
    if (t5_store_get_array(r, path, "loss", T5_COLUMN_DOUBLE, (void **)&loss, n, &err))
        fail_msg("%s", err.text);
    return loss;
}

/* Every trial completed, with the losses of the run that nobody disturbed; `names`: what the trials
 * of that run are called here. */
static void expect_same(const char *output, const char *const *names) {
    t5_store_reader *whole = open_results("whole"), *r = open_results(output);
    for (int t = 0; t < N_TRIALS; t++) {
        char path[64], *status = NULL;
        int64_t n, m;
        t5_error err = {0};
        snprintf(path, sizeof path, "/trials/%s", names[t]);
        assert_int_equal(t5_store_get_text(r, path, "status", &status, &err), T5_OK);
        assert_string_equal(status, "completed");
        double *a = losses(whole, trials[t], &n), *b = losses(r, names[t], &m);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, (size_t)n * sizeof *a);
        free(status);
        free(a);
        free(b);
    }
    t5_store_close(whole);
    t5_store_close(r);
}

static void expect_whole(const char *output) {
    expect_same(output, trials);
}

static ino_t inode_of(const char *output, const char *trial) {
    char path[64];
    struct stat about;
    snprintf(path, sizeof path, "%s/trials/%s.h5", output, trial);
    assert_int_equal(stat(path, &about), 0);
    return about.st_ino;
}

static void what_cannot_go_on(void **state) {
    static const struct {
        const char *command, *text;
    } bad[] = {
        {"%s c.cfg", "go on with --resume, or give another folder"},
        {"%s c.cfg --retry-failed", "--retry-failed: it goes with --resume"},
        {"%s c.cfg --resume --set train.batch_size=4",
         "the run began with train.batch_size = 8, now it is train.batch_size = 4"},
        {"%s c.cfg --resume --set eval.decode=beam", "eval.decode = \"greedy\", now it is"},
        {"%s c.cfg --resume --set data.split=[0.5,0.25,0.25]", "data.split = [0.8"},
        {"%s c.cfg --resume --set data.path=other.jsonl",
         "the rows of other.jsonl are not what the run began with"},
        {"%s c.cfg --resume --output old", "no attribute \"settings\""},
        {"%s c.cfg --resume --output nonsense", "nonsense/results.h5: is not a readable HDF5 file"},
        {"%s c.cfg --resume --output orphans",
         "orphans/trials/all.h5: the results of a trial (completed) are there, but not "
         "orphans/results.h5"},
        {"%s c.cfg --output orphans", "put it back, or give another folder with --output"},
        {"%s c.cfg --resume --output damaged",
         "trial top40 is there, but not readable (without its file it is trained again): "
         "damaged/trials/top40.h5: is not a readable HDF5 file"},
        {"%s c.cfg --resume --set train.learning_rate=1e-3",
         "trial all has begun here with learning_rate 0.01, top_n 0, cross entropy with "
         "label_smoothing 0.1, alpha 1, seed 42; the configuration now makes it learning_rate "
         "0.001"},
        {"%s c.cfg --resume --set train.seed=7", "seed 42; the configuration now makes it"},
        {"%s c.cfg --resume --set 'train.loss={type=\"focal\";}'",
         "makes it learning_rate 0.01, "
         "top_n 0, focal loss with gamma 2"},
        {"%s c.cfg --resume --set sweep.top_n=[0,40]",
         "trial top80 has begun here with learning_rate 0.01, top_n 80, cross entropy with "
         "label_smoothing 0.1, alpha 1, seed 42; the configuration has no such trial any more"},
        {"%s plan c.cfg --resume", "an option that this command does not have"},
    };
    (void)state;
    run_result r = run("cp -r whole old && cp v0.h5 old/results.h5 && mkdir nonsense && "
                       "echo x > nonsense/results.h5 && head -n 150 data.jsonl > other.jsonl && "
                       "cp -r whole orphans && rm orphans/results.h5 && "
                       "cp -r whole damaged && truncate -s 3000 damaged/trials/top40.h5");
    expect_status("preparing", &r, 0);
    free(r.output);
    ino_t before = inode_of("whole", "all");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char command[256];
        snprintf(command, sizeof command, bad[i].command, T5MPI);
        r = run("%s", command);
        expect_status(command, &r, 2);
        expect_text(command, &r, bad[i].text);
        free(r.output);
    }
    assert_int_equal(inode_of("whole", "all"), before);
    expect_whole("whole");
}

static void a_whole_run_stays_as_it_is(void **state) {
    (void)state;
    ino_t before = inode_of("whole", "top40");
    run_result r = run("%s c.cfg --resume", T5MPI);
    expect_status("again", &r, 0);
    expect_text("again", &r, "3 of 3 trials have ended already and are kept");
    expect_text("again", &r, "Results on the test rows");
    free(r.output);
    assert_int_equal(inode_of("whole", "top40"), before);
    expect_whole("whole");
}

/* Where nothing is, --resume begins; what changes no result may change. */
static void it_may_begin(void **state) {
    (void)state;
    run_result r = run("%s c.cfg --resume --output fresh --set sweep.top_n=[40]", T5MPI);
    expect_status("fresh", &r, 0);
    expect_text("fresh", &r, "no trial has ended here yet");
    free(r.output);
    r = run("mv data.jsonl moved.jsonl && %s c.cfg --resume --output fresh "
            "--set eval.batch_size=3 --set data.path=moved.jsonl; s=$?; mv moved.jsonl data.jsonl; "
            "exit $s",
            T5MPI);
    expect_status("grown", &r, 0);
    expect_text("grown", &r, "1 of 3 trials has ended already and is kept");
    free(r.output);
    /* alone the trial was called "trial", and it stays that */
    expect_same("fresh", (const char *const[]){"all", "trial", "top80"});
    /* a second list makes all names longer, but not those that are there */
    r = run("%s c.cfg --resume --output fresh --set sweep.seed=[42,43] --set "
            "sweep.top_n=[0,40,80] --set train.epochs=1",
            T5MPI);
    expect_status("grown again", &r, 0);
    expect_text("grown again", &r, "3 of 6 trials have ended already and are kept");
    free(r.output);
    expect_same("fresh", (const char *const[]){"all", "trial", "top80"});
    r = run("%s report fresh", T5MPI);
    expect_status("report", &r, 0);
    expect_text("report", &r, "top40_seed43");
    free(r.output);
}

static void wait_for(const char *path) {
    for (int i = 0; i < 12000 && access(path, F_OK) != 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(access(path, F_OK), 0);
}

/* Kills every process of this run: those whose command line ends with --output and its folder. */
static void kill_all(const char *output) {
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    char path[300], line[4096], end[64];
    int length = snprintf(end, sizeof end, "--output%c%s", 0, output) + 1;
    assert_non_null(proc);
    while ((entry = readdir(proc))) {
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        FILE *f = atoi(entry->d_name) > 0 ? fopen(path, "r") : NULL;
        size_t n = f ? fread(line, 1, sizeof line, f) : 0;
        if (f)
            fclose(f);
        if (n >= (size_t)length && memcmp(line + n - length, end, (size_t)length) == 0)
            kill(atoi(entry->d_name), SIGKILL);
    }
    closedir(proc);
}

/* Killed when the first trial's weights were there, then gone on with. */
static void killed_runs_go_on(void **state) {
    (void)state;
    for (int ranks = 1; ranks <= 2; ranks++) {
        char output[32], first[96];
        snprintf(output, sizeof output, "killed%d", ranks);
        snprintf(first, sizeof first, "%s/checkpoints/all/best.h5", output);
        run_result r = run("%s -np %d %s c.cfg --output %s >/dev/null 2>&1 &", T5MPI_MPIRUN, ranks,
                           T5MPI, output);
        expect_status("starting", &r, 0);
        free(r.output);
        wait_for(first);
        kill_all(output);
        /* what they might have been writing; the last two are no such files */
        r = run("cd %s && touch .results.h5.tmp.1 trials/.all.h5.tmp.22 "
                "checkpoints/all/.best.h5.tmp.333 trials/.tmp.x trials/a.tmp.1",
                output);
        expect_status("leaving", &r, 0);
        free(r.output);
        r = run("%s -np %d %s c.cfg --resume --output %s", T5MPI_MPIRUN, ranks, T5MPI, output);
        expect_status(output, &r, 0);
        expect_text(output, &r, "resume   ");
        free(r.output);
        expect_whole(output);
        r = run("cd %s && find . -name '*.tmp.*' | sort | tr '\\n' ' '", output);
        assert_string_equal(r.output, "./trials/.tmp.x ./trials/a.tmp.1 ");
        free(r.output);
    }
}

/* A first start that was killed before it had written results.h5 leaves no file for ever. */
static void nothing_stays_of_a_start_without_results(void **state) {
    (void)state;
    for (int resume = 0; resume < 2; resume++) {
        run_result r = run("mkdir -p early/trials && touch early/trials/.all.h5.tmp.22 "
                           "early/.run.lock.host.1.tmp.3 && %s c.cfg --output early%s && "
                           "find early -name '*.tmp.*' && rm -r early",
                           T5MPI, resume ? " --resume" : "");
        expect_status("early", &r, 0);
        assert_null(strstr(r.output, ".tmp."));
        free(r.output);
    }
}

static void failed_trials_are_tried_again_if_asked(void **state) {
    (void)state;
    run_result r = run("%s c.cfg --set sweep.learning_rate=[1e-2,1e30] --set sweep.top_n=0 "
                       "--output failed",
                       T5MPI);
    expect_status("failing", &r, 1);
    free(r.output);
    r = run("%s c.cfg --set sweep.learning_rate=[1e-2,1e30] --set sweep.top_n=0 --output failed "
            "--resume",
            T5MPI);
    expect_status("kept", &r, 1);
    expect_text("kept", &r, "2 of 2 trials have ended already");
    free(r.output);
    r = run("%s c.cfg --set sweep.learning_rate=[1e-2,1e30] --set sweep.top_n=0 --output failed "
            "--resume --retry-failed",
            T5MPI);
    expect_status("tried again", &r, 1);
    expect_text("tried again", &r, "1 of 2 trials has ended already and is kept");
    free(r.output);
}

/* ... from the trial's last checkpoint. */
static void missing_weights_are_written_if_asked(void **state) {
    (void)state;
    run_result r = run("mkdir -p lacking/checkpoints/top40/best.h5 && "
                       "%s c.cfg --output lacking",
                       T5MPI);
    expect_status("lacking", &r, 1);
    expect_text("lacking", &r, "its weights are not kept, its results are: ");
    free(r.output);
    r = run("rmdir lacking/checkpoints/top40/best.h5; %s c.cfg --output lacking --resume", T5MPI);
    expect_status("still lacking", &r, 1);
    expect_text("still lacking", &r, "3 of 3 trials have ended already and are kept");
    expect_text("still lacking", &r, "top40: its weights are not kept, its results are: ");
    free(r.output);
    r = run("%s c.cfg --output lacking --resume --retry-failed", T5MPI);
    expect_status("written", &r, 0);
    expect_text("written", &r, "2 of 3 trials have ended already and are kept");
    expect_text("written", &r, "top40 has a checkpoint after step");
    free(r.output);
    r = run("%s whole lacking", T5MPI_SAME);
    expect_status("the same", &r, 0);
    free(r.output);
}

static int prepare(void **state) {
    if (make_folder(state))
        return -1;
    write_text("c.cfg", config);
    t5_error err = {0};
    t5_store *s = NULL; /* results of a version that knew no --resume */
    if (t5_store_create("v0.h5", &s, &err))
        return -1;
    t5_store_group(s, "/trials");
    if (t5_store_commit(s, &err))
        return -1;
    run_result r = run("cp %s/configs/demo/spiece.model . && head -n 200 "
                       "%s/configs/demo/v3like.jsonl > data.jsonl && %s c.cfg",
                       T5MPI_SOURCE_DIR, T5MPI_SOURCE_DIR, T5MPI);
    int status = r.status;
    free(r.output);
    return status;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_go_on),
        cmocka_unit_test(a_whole_run_stays_as_it_is),
        cmocka_unit_test(it_may_begin),
        cmocka_unit_test(killed_runs_go_on),
        cmocka_unit_test(nothing_stays_of_a_start_without_results),
        cmocka_unit_test(failed_trials_are_tried_again_if_asked),
        cmocka_unit_test(missing_weights_are_written_if_asked),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
