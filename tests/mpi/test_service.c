/* The service: requests of all ranks to rank 0's helper thread, beside sums of the main threads. */
#include "ranks.h"

#include "mpi/helper.h"
#include <stdlib.h>
#include <string.h>

static t5_comm *world;

enum {
    ECHO,       /* the request comes back, owned by the service */
    NOTHING,    /* an empty reply */
    COUNT,      /* told: adds the request's number to the sum of its rank */
    LARGE,      /* a size comes; that many bytes go back */
    WAIT,       /* answered when `open` */
    OPEN,       /* opens */
    OPEN_LATER, /* deferred until somebody waits, then opens */
    PATIENCE,   /* answered when asked for the third time */
    HIGHEST = 1000
};

enum { MAX_RANKS = 16, LARGE_BYTES = 50 * 1000 * 1000 };

/* Only the helper thread touches it while the service runs. */
typedef struct host {
    bool open;
    int waiting, asked;
    int64_t sum[MAX_RANKS], last[MAX_RANKS];
    unsigned char *large;
} host;

static bool opening(host *h, bool now) {
    h->open |= now;
    return now;
}

static void count(host *h, int rank, const void *request, size_t bytes) {
    int64_t value;
    CHECK(bytes == sizeof value);
    memcpy(&value, request, bytes);
    CHECK(value == h->last[rank] + 1); /* in the order in which they were told */
    h->last[rank] = value;
    h->sum[rank] += value;
}

static bool handle(void *user, int rank, int kind, const void *request, size_t bytes,
                   t5_reply *reply) {
    host *h = user;
    CHECK(rank >= 0 && rank < t5_comm_size(world) && request);
    switch (kind) {
    case ECHO:
        reply->owned = malloc(bytes ? bytes : 1);
        CHECK(reply->owned);
        memcpy(reply->owned, request, bytes);
        reply->bytes = bytes;
        return true;
    case COUNT:
        count(h, rank, request, bytes);
        return true;
    case LARGE:
        reply->data = h->large;
        CHECK(bytes == sizeof reply->bytes);
        memcpy(&reply->bytes, request, bytes);
        return true;
    case WAIT:
        h->waiting++;
        return h->open;
    case OPEN:
        return opening(h, true);
    case OPEN_LATER:
        return opening(h, h->waiting > 0);
    case PATIENCE:
        return ++h->asked % 3 == 0;
    default:
        CHECK(kind == NOTHING || kind == HIGHEST);
        return true;
    }
}

static t5_service *start(host *h) {
    t5_service *service;
    t5_error err = {0};
    CHECK_OK(t5_service_start(world, handle, h, &service, &err), err);
    return service;
}

static void stop(t5_service *service) {
    t5_error err = {0};
    CHECK_OK(t5_service_stop(service, &err), err);
}

static void call_empty(t5_service *service, int kind) {
    t5_error err = {0};
    void *reply = &err;
    size_t bytes = 1;
    CHECK_OK(t5_service_call(service, kind, NULL, 0, &reply, &bytes, &err), err);
    CHECK(!reply && bytes == 0);
}

static void call_echo(t5_service *service, const void *request, size_t bytes) {
    t5_error err = {0};
    void *reply;
    size_t got;
    CHECK_OK(t5_service_call(service, ECHO, request, bytes, &reply, &got, &err), err);
    CHECK(got == bytes && (bytes == 0) == (reply == NULL));
    CHECK(!bytes || memcmp(reply, request, bytes) == 0);
    free(reply);
}

/* An answer is as long as the caller knows it to be, or it is none. */
static void answers_of_a_known_length(void **state) {
    (void)state;
    const int question = 42;
    int answer = 0;
    char longer[sizeof question + 1] = "";
    host h = {0};
    t5_error err = {0};
    t5_service *service = start(&h);
    CHECK_OK(
        t5_service_ask(service, ECHO, &question, sizeof question, &answer, sizeof answer, &err),
        err);
    CHECK(answer == question);
    CHECK(t5_service_ask(service, ECHO, &question, sizeof question, longer, sizeof longer, &err) ==
          T5_ERR_COMM);
    CHECK(longer[0] == 0 && strstr(err.text, "4 bytes instead of 5"));
    err = (t5_error){0};
    CHECK(t5_service_ask(service, ECHO, NULL, 0, &answer, sizeof answer, &err) == T5_ERR_COMM);
    CHECK(answer == question);
    stop(service);
}

static void too_long_a_request(void **state) {
    (void)state;
    const size_t most = T5_REQUEST_BYTES;
    host h = {0};
    t5_error err = {0};
    void *reply = &err, *request = calloc(1, most + 1);
    size_t bytes = 1;
    CHECK(request);
    t5_service *service = start(&h);
    CHECK(t5_service_call(service, ECHO, request, most + 1, &reply, &bytes, &err) == T5_ERR_COMM);
    CHECK(!reply && bytes == 0 && strstr(err.text, "1048577 bytes"));
    err = (t5_error){0};
    CHECK(t5_service_tell(service, COUNT, request, most + 1, &err) == T5_ERR_COMM);
    call_echo(service, request, most);
    stop(service);
    free(request);
}

static void starts_and_stops(void **state) {
    (void)state;
    t5_error err = {0};
    CHECK(t5_service_stop(NULL, &err) == T5_OK);
    for (int i = 0; i < 5; i++) {
        host h = {0};
        t5_service *service = start(&h);
        if (i % 2)
            call_empty(service, i > 2 ? HIGHEST : NOTHING);
        stop(service);
    }
}

static void requests_and_replies_of_many_sizes(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 4000, 4097, 65536, 65537, 1000001};
    host h = {0};
    char *data = calloc(1, sizes[6]);
    CHECK(data);
    for (size_t k = 0; k < sizes[6]; k++)
        data[k] = (char)(k * 7 + (size_t)t5_comm_rank(world));
    t5_service *service = start(&h);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        call_echo(service, data, sizes[i]);
    call_empty(service, NOTHING);
    stop(service);
    free(data);
}

static void beside_sums(void **state) {
    (void)state;
    enum { CALLS = 400, N = 3000 };
    host h = {0};
    t5_error err = {0};
    float *data = calloc(N, sizeof *data);
    const int rank = t5_comm_rank(world), n = t5_comm_size(world);
    CHECK(data);
    t5_service *service = start(&h);
    for (int i = 0; i < CALLS; i++) {
        for (int k = 0; k < N; k++)
            data[k] = (float)(rank + i + k);
        CHECK_OK(t5_comm_sum_float(world, data, N, &err), err);
        for (int k = 0; k < N; k++)
            CHECK(data[k] == (float)(n * (n - 1) / 2 + n * (i + k)));
        call_echo(service, data, (size_t)(i * 37 % (int)(N * sizeof *data)));
        const int64_t told = i + 1;
        CHECK_OK(t5_service_tell(service, COUNT, &told, sizeof told, &err), err);
    }
    stop(service);
    for (int r = 0; rank == 0 && r < n; r++)
        CHECK(h.sum[r] == CALLS * (CALLS + 1) / 2);
    free(data);
}

static void tells_arrive_before_the_stop(void **state) {
    (void)state;
    enum { TELLS = 3000 };
    host h = {0};
    t5_error err = {0};
    t5_service *service = start(&h);
    for (int64_t i = 1; i <= TELLS; i++)
        CHECK_OK(t5_service_tell(service, COUNT, &i, sizeof i, &err), err);
    stop(service);
    for (int r = 0; t5_comm_rank(world) == 0 && r < t5_comm_size(world); r++)
        CHECK(h.sum[r] == (int64_t)TELLS * (TELLS + 1) / 2);
}

/* Nobody else asks: the service itself asks again after a while. */
static void deferred_replies_need_no_other_request(void **state) {
    (void)state;
    host h = {0};
    t5_service *service = start(&h);
    call_empty(service, PATIENCE);
    stop(service);
    CHECK(t5_comm_rank(world) != 0 || h.asked >= 3 * t5_comm_size(world));
}

static void deferred_replies_are_released_by_another_rank(void **state) {
    (void)state;
    const int last = t5_comm_size(world) - 1;
    for (int opener = 0; opener <= last; opener++) {
        host h = {.open = last == 0};
        t5_service *service = start(&h);
        call_empty(service, t5_comm_rank(world) == opener && last > 0 ? OPEN : WAIT);
        stop(service);
    }
}

static void deferred_replies_are_released_by_deferred_ones(void **state) {
    (void)state;
    host h = {.waiting = t5_comm_size(world) == 1};
    t5_service *service = start(&h);
    call_empty(service, t5_comm_rank(world) == 0 ? OPEN_LATER : WAIT);
    stop(service);
}

/* Told requests may be deferred too; those that never come to their turn are dropped at the stop.
 */
static void a_deferred_tell_does_not_stop_the_stop(void **state) {
    (void)state;
    host h = {0};
    t5_error err = {0};
    t5_service *service = start(&h);
    CHECK_OK(t5_service_tell(service, WAIT, NULL, 0, &err), err);
    call_empty(service, NOTHING);
    stop(service);
    CHECK(t5_comm_rank(world) != 0 || h.waiting >= t5_comm_size(world));
}

static void replies_of_fifty_megabytes(void **state) {
    (void)state;
    host h = {0};
    t5_error err = {0};
    unsigned char *reply;
    size_t bytes, size = LARGE_BYTES;
    if (t5_comm_rank(world) == 0) {
        h.large = malloc(size);
        CHECK(h.large);
        for (size_t k = 0; k < size; k++)
            h.large[k] = (unsigned char)(k % 251);
    }
    t5_service *service = start(&h);
    CHECK_OK(t5_service_call(service, LARGE, &size, sizeof size, (void **)&reply, &bytes, &err),
             err);
    CHECK(bytes == size);
    for (size_t k = 0; k < size; k++)
        CHECK(reply[k] == (unsigned char)(k % 251));
    free(reply);
    stop(service);
    free(h.large);
}

/* What a rank does that has no memory for a reply: the sender is not left waiting, and the next
 * message is read as it should be. */
static void replies_can_be_thrown_away(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 65536, 65537, 5000000};
    const size_t before = world->message_bytes;
    world->message_bytes = T5_REPLY_PIECE;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        t5_error err = {0};
        char last = 'x', *data = calloc(1, sizes[i] + 1);
        CHECK(data);
        if (t5_comm_rank(world) == 0) {
            for (int to = 1; to < t5_comm_size(world); to++) {
                CHECK_OK(t5_mpi_send(world, data, sizes[i], to, 5, &err), err);
                CHECK_OK(t5_mpi_send(world, &last, 1, to, 5, &err), err);
            }
        } else {
            last = 0;
            CHECK_OK(t5_mpi_discard(world, sizes[i], 0, 5, &err), err);
            CHECK_OK(t5_mpi_receive(world, &last, 1, 0, 5, &err), err);
            CHECK(last == 'x');
        }
        free(data);
    }
    world->message_bytes = before;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_a_known_length),
        cmocka_unit_test(too_long_a_request),
        cmocka_unit_test(starts_and_stops),
        cmocka_unit_test(requests_and_replies_of_many_sizes),
        cmocka_unit_test(replies_can_be_thrown_away),
        cmocka_unit_test(deferred_replies_need_no_other_request),
        cmocka_unit_test(deferred_replies_are_released_by_another_rank),
        cmocka_unit_test(deferred_replies_are_released_by_deferred_ones),
        cmocka_unit_test(a_deferred_tell_does_not_stop_the_stop),
        cmocka_unit_test(tells_arrive_before_the_stop),
        cmocka_unit_test(replies_of_fifty_megabytes),
        cmocka_unit_test(beside_sums),
    };
    return run_on_ranks("service", tests, sizeof tests / sizeof *tests, &world, &argc, &argv);
}
