/* The main of a fuzz target where there is no libFuzzer: every file of the folders that are named
 * goes through it once. Silent; a folder without files is a failure. */
#include "fuzz/fuzz.h"
#include <dirent.h>

static void run_file(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    fuzz_check(file && fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    fuzz_check(size >= 0 && fseek(file, 0, SEEK_SET) == 0);
    /* just as many bytes as there are: a sanitizer sees one read too many */
    uint8_t *data = malloc((size_t)size + !size);
    fuzz_check(data && fread(data, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
}

static int run_folder(const char *path) {
    int files = 0;
    DIR *folder = opendir(path);
    fuzz_check(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        run_file(path, entry->d_name);
        files++;
    }
    closedir(folder);
    return files;
}

int main(int argc, char **argv) {
    fuzz_check(argc > 1);
    for (int i = 1; i < argc; i++)
        fuzz_check(run_folder(argv[i]) > 0);
    return 0;
}
