/* Communicators and collectives, on however many ranks the test is started with. */
#include "ranks.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static t5_comm *world;

static void *must_malloc(size_t bytes) {
    void *p = malloc(bytes ? bytes : 1);
    CHECK(p);
    return p;
}

static unsigned char byte_at(int rank, size_t i) {
    return (unsigned char)(31u * (unsigned)rank + i + (i >> 8));
}

static void bad_input(void **state) {
    (void)state;
    const int sizes[] = {0, -1, 5, t5_comm_size(world) + 1};
    t5_comm *comm = world;
    t5_error err = {0};
    CHECK(t5_comm_start(NULL, NULL, &comm, &err) == T5_ERR_COMM);
    CHECK(!comm && strstr(err.text, "already"));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        comm = world;
        err = (t5_error){0};
        CHECK(t5_comm_group(world, sizes[i], &comm, &err) == T5_ERR_INPUT);
        CHECK(!comm && strstr(err.text, "groups of"));
    }
    t5_comm_finish(NULL);
    t5_comm_free(NULL);
}

static void mpi_errors_are_returned_with_their_text(void **state) {
    (void)state;
    t5_error err = {0};
    MPI_Request request;
    int code = MPI_Irecv(NULL, -1, MPI_BYTE, 0, 0, world->handle, &request);
    CHECK(t5_mpi_check(code, "MPI_Irecv", &err) == T5_ERR_COMM);
    CHECK(strstr(err.text, "MPI_Irecv: MPI_ERR_COUNT"));
}

static void who_is_who(void **state) {
    (void)state;
    int rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    CHECK(t5_comm_rank(world) == rank && t5_comm_size(world) == size);
    CHECK(t5_comm_local_size(world) >= 1 && t5_comm_local_size(world) <= size);
    CHECK(t5_comm_local_rank(world) >= 0);
    CHECK(t5_comm_local_rank(world) < t5_comm_local_size(world));
    CHECK(strstr(t5_comm_library(), "MPI"));
}

static void groups_are_consecutive(void **state) {
    (void)state;
    const int rank = t5_comm_rank(world), n = t5_comm_size(world);
    for (int size = 1; size <= n; size++) {
        t5_comm *group;
        t5_error err = {0};
        if (n % size)
            continue;
        CHECK_OK(t5_comm_group(world, size, &group, &err), err);
        CHECK(t5_comm_size(group) == size && t5_comm_rank(group) == rank % size);
        CHECK(t5_comm_local_size(group) <= size);
        int64_t sum[2] = {rank, 1};
        int64_t first = rank - rank % size;
        CHECK_OK(t5_comm_sum_int64(group, sum, 2, &err), err);
        CHECK(sum[0] == size * first + size * (size - 1) / 2 && sum[1] == size);
        t5_comm_free(group);
    }
}

static void barrier(void **state) {
    (void)state;
    t5_error err = {0};
    for (int i = 0; i < 100; i++)
        CHECK_OK(t5_comm_barrier(world, &err), err);
}

static void bcast(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000, 9000001};
    const int rank = t5_comm_rank(world);
    t5_error err = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *data = must_malloc(sizes[i]);
        for (int root = 0; root < t5_comm_size(world); root++) {
            for (size_t k = 0; k < sizes[i]; k++)
                data[k] = byte_at(rank, k);
            CHECK_OK(t5_comm_bcast(world, root, data, sizes[i], &err), err);
            for (size_t k = 0; k < sizes[i]; k++)
                CHECK(data[k] == byte_at(root, k));
        }
        free(data);
    }
}

/* The order of the sum shows in the last bits: signs, and exponents from denormal to 2^60. */
static float nasty(int rank, int64_t i) {
    uint64_t x =
        ((uint64_t)i + 1) * 0x9e3779b97f4a7c15u + ((uint64_t)rank + 1) * 0xbf58476d1ce4e5b9u;
    x ^= x >> 31;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 29;
    int exponent = i % 11 == 0 ? -140 : (int)(x >> 40) % 24 - 12 + (i % 97 == 0 ? 48 : 0);
    float f = ldexpf(1.0f + (float)(x & 0xffffff) * 0x1p-24f, exponent);
    return x >> 63 ? -f : f;
}

static void check_float_sum(t5_comm *comm, int64_t n, int copies) {
    const size_t bytes = (size_t)n * sizeof(float);
    const int ranks = t5_comm_size(comm);
    float *first = must_malloc(bytes), *again = must_malloc(bytes), *other = must_malloc(bytes);
    t5_error err = {0};
    for (int64_t i = 0; i < n; i++)
        first[i] = nasty(t5_comm_rank(comm), i);
    CHECK_OK(t5_comm_sum_float(comm, first, n, &err), err);
    for (int64_t i = 0; i < n; i++) {
        double exact = 0, size = 0;
        for (int r = 0; r < ranks; r++) {
            exact += (double)nasty(r, i);
            size += fabs((double)nasty(r, i));
        }
        /* ranks - 1 roundings, each of at most half a unit in the last place of a partial sum */
        CHECK(fabs((double)first[i] - exact) <= (ranks - 1) * 0.5 * (double)FLT_EPSILON * size);
    }
    memcpy(other, first, bytes);
    CHECK_OK(t5_comm_bcast(comm, 0, other, bytes, &err), err);
    CHECK(memcmp(first, other, bytes) == 0); /* the same bits on every rank */
    for (int c = 0; c < copies; c++) {
        for (int64_t i = 0; i < n; i++)
            again[i] = nasty(t5_comm_rank(comm), i);
        CHECK_OK(t5_comm_sum_float(comm, again, n, &err), err);
        CHECK(memcmp(first, again, bytes) == 0); /* and when repeated */
    }
    free(first);
    free(again);
    free(other);
}

static void check_double_sum(t5_comm *comm, int64_t n) {
    const size_t bytes = (size_t)n * sizeof(double);
    double *first = must_malloc(bytes), *other = must_malloc(bytes);
    t5_error err = {0};
    for (int64_t i = 0; i < n; i++)
        first[i] = nasty(t5_comm_rank(comm), i) / 3.0;
    CHECK_OK(t5_comm_sum_double(comm, first, n, &err), err);
    for (int64_t i = 0; i < n; i++) {
        double sum = 0, size = 0;
        for (int r = 0; r < t5_comm_size(comm); r++) {
            sum += nasty(r, i) / 3.0;
            size += fabs(nasty(r, i) / 3.0);
        }
        CHECK(fabs(first[i] - sum) <= 2 * t5_comm_size(comm) * DBL_EPSILON * size);
    }
    memcpy(other, first, bytes);
    CHECK_OK(t5_comm_bcast(comm, 0, other, bytes, &err), err);
    CHECK(memcmp(first, other, bytes) == 0);
    free(first);
    free(other);
}

static void check_sums(t5_comm *comm) {
    const int64_t sizes[] = {0, 1, 2, 3, 5, 64, 1000, 2500, 2561, 30011, 300007};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_float_sum(comm, sizes[i], 5);
        check_double_sum(comm, sizes[i]);
    }
    check_float_sum(comm, (1 << 20) + 3, 2); /* more than one piece */
}

static void sums(void **state) {
    (void)state;
    t5_comm *comm;
    t5_error err = {0};
    for (int size = 1; size <= t5_comm_size(world); size++)
        if (t5_comm_size(world) % size == 0) {
            CHECK_OK(t5_comm_group(world, size, &comm, &err), err);
            check_sums(comm);
            t5_comm_free(comm);
        }
}

/* Algorithms for sizes that are no power of two are different ones. */
static void sums_of_three_ranks(void **state) {
    (void)state;
    t5_comm *comm;
    MPI_Comm handle;
    t5_error err = {0};
    const int rank = t5_comm_rank(world);
    CHECK(MPI_Comm_split(world->handle, rank / 3, rank, &handle) == MPI_SUCCESS);
    CHECK_OK(t5_comm_wrap(handle, &comm, &err), err);
    check_sums(comm);
    t5_comm_free(comm);
}

static void sums_of_integers_and_infinities(void **state) {
    (void)state;
    const int rank = t5_comm_rank(world), n = t5_comm_size(world);
    t5_error err = {0};
    int64_t big[2] = {(INT64_C(1) << 53) + rank, -rank};
    CHECK_OK(t5_comm_sum_int64(world, big, 2, &err), err);
    CHECK(big[0] == n * (INT64_C(1) << 53) + n * (n - 1) / 2 && big[1] == -n * (n - 1) / 2);
    float f[2] = {rank == n - 1 ? INFINITY : 1.0f, rank == 0 ? NAN : 1.0f};
    CHECK_OK(t5_comm_sum_float(world, f, 2, &err), err);
    CHECK(isinf(f[0]) && isnan(f[1]));
}

static size_t part_of(int from, int to, int round) {
    const size_t sizes[] = {0, 1, 7, 5000, 123457};
    return sizes[(size_t)(3 * from + 5 * to + round) % 5];
}

static void gather(void **state) {
    (void)state;
    const int rank = t5_comm_rank(world), n = t5_comm_size(world);
    t5_error err = {0};
    for (int round = 0; round < 6; round++) {
        const size_t mine = round == 5 ? 0 : part_of(rank, 0, round);
        unsigned char *data = must_malloc(mine), *all = NULL;
        size_t *offsets = NULL;
        for (size_t k = 0; k < mine; k++)
            data[k] = byte_at(rank, k);
        CHECK_OK(t5_comm_gather(world, mine ? data : NULL, mine, (void **)&all, &offsets, &err),
                 err);
        CHECK((rank == 0) == (all != NULL) && (rank == 0) == (offsets != NULL));
        for (int r = 0; all && r < n; r++) {
            CHECK(offsets[r + 1] - offsets[r] == (round == 5 ? 0 : part_of(r, 0, round)));
            for (size_t k = offsets[r]; k < offsets[r + 1]; k++)
                CHECK(all[k] == byte_at(r, k - offsets[r]));
        }
        CHECK(!all || offsets[0] == 0);
        free(data);
        free(all);
        free(offsets);
    }
}

/* Every combination of empty and long parts turns up between some pair in some round. */
static void check_exchange(int round) {
    const int rank = t5_comm_rank(world), n = t5_comm_size(world);
    size_t *send = must_malloc((size_t)n * sizeof *send),
           *got = must_malloc((size_t)n * sizeof *got);
    size_t total = 0, at = 0;
    unsigned char *received;
    t5_error err = {0};
    for (int d = 0; d < n; d++)
        total += send[d] = round == 5 ? 0 : part_of(rank, d, round);
    unsigned char *data = must_malloc(total);
    for (int d = 0; d < n; d++)
        for (size_t k = 0; k < send[d]; k++)
            data[at++] = byte_at(rank * n + d, k);
    CHECK_OK(t5_comm_exchange(world, total ? data : NULL, send, (void **)&received, got, &err),
             err);
    at = 0;
    for (int s = 0; s < n; s++) {
        CHECK(got[s] == (round == 5 ? 0 : part_of(s, rank, round)));
        for (size_t k = 0; k < got[s]; k++)
            CHECK(received[at++] == byte_at(s * n + rank, k));
    }
    CHECK(received);
    free(data);
    free(received);
    free(send);
    free(got);
}

static void exchange(void **state) {
    (void)state;
    for (int round = 0; round < 6; round++)
        check_exchange(round);
}

static void everything_again_in_small_pieces(void **state) {
    const size_t message = world->message_bytes, piece = world->piece_bytes;
    world->message_bytes = 999;
    world->piece_bytes = 100000;
    bcast(state);
    gather(state);
    exchange(state);
    check_sums(world);
    world->message_bytes = message;
    world->piece_bytes = piece;
}

static void agree(void **state) {
    (void)state;
    const int rank = t5_comm_rank(world), n = t5_comm_size(world);
    const t5_status kinds[] = {T5_ERR_EMPTY, T5_ERR_NUMERIC, T5_ERR_IO, T5_ERR_MEMORY};
    for (unsigned failing = 0; failing < 1u << n; failing++) {
        t5_error err = {0};
        char text[64];
        int lowest = 0;
        if (failing >> rank & 1)
            t5_fail(&err, kinds[rank % 4], "rank %d has failed", rank);
        t5_status status = t5_comm_agree(world, &err);
        CHECK(status == err.status);
        if (!failing) {
            CHECK(status == T5_OK && !err.text[0]);
            continue;
        }
        while (!(failing >> lowest & 1))
            lowest++;
        snprintf(text, sizeof text, "rank %d has failed", lowest);
        CHECK(status == kinds[lowest % 4] && strcmp(err.text, text) == 0);
    }
}

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A share of the waiting time, not a time: independent of what else runs. */
static void waiting_leaves_the_core_to_others(void **state) {
    (void)state;
    t5_error err = {0};
    char data[10] = "";
    CHECK_OK(t5_comm_barrier(world, &err), err);
    double start = seconds(CLOCK_MONOTONIC), busy = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (t5_comm_rank(world) == 0)
        t5_mpi_sleep(0.3);
    CHECK_OK(t5_comm_bcast(world, 0, data, sizeof data, &err), err);
    CHECK_OK(t5_comm_barrier(world, &err), err);
    CHECK(seconds(CLOCK_PROCESS_CPUTIME_ID) - busy < 0.5 * (seconds(CLOCK_MONOTONIC) - start));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input),
        cmocka_unit_test(mpi_errors_are_returned_with_their_text),
        cmocka_unit_test(who_is_who),
        cmocka_unit_test(groups_are_consecutive),
        cmocka_unit_test(barrier),
        cmocka_unit_test(bcast),
        cmocka_unit_test(sums),
        cmocka_unit_test(sums_of_three_ranks),
        cmocka_unit_test(sums_of_integers_and_infinities),
        cmocka_unit_test(gather),
        cmocka_unit_test(exchange),
        cmocka_unit_test(everything_again_in_small_pieces),
        cmocka_unit_test(agree),
        cmocka_unit_test(waiting_leaves_the_core_to_others),
    };
    return run_on_ranks("comm", tests, sizeof tests / sizeof *tests, &world, &argc, &argv);
}
