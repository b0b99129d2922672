// Networks that do worse than cut: frames that come twice or in another order, stalls, half-open connections, trickles.
//
//   trouble_test [SECONDS] [SEED]      seconds of random trouble (default: see SECONDS); the named cases always run
//
// Frames that come twice or in another order do not happen on TCP; a middle box that does it must not make a replica that differs. After each
// case the network heals, the client finds its way back, each call was made once and the replica is equal to the server.
#include "base/clock.h"
#include "base/err.h"
#include "fault/proxy/proxy.h"
#include "history/bank.h"

#include <stdio.h>
#include <stdlib.h>

enum { WAIT_MS = 60000, SECONDS = 15, ROUND_MS = 150 };

struct trouble {
    struct rig rig;
    struct proxy *proxy;
    struct charle_client *client;
    PGconn *pg;
    char token[256];
    int items, writes, fresh;
};

static void must(int rc, const struct charle_error *err, const char *what)
{
    if (rc)
        rig_die("%s: %s", what, err->text);
}

static void work(struct trouble *trouble)
{
    struct charle_error err = {0};
    int item = trouble->items++;
    const struct bank_work call = {.from = item % BANK_ACCOUNTS, .to = (item + 3) % BANK_ACCOUNTS, .amount = 1, .count = 2, .item = {item * 2, item * 2 + 1},
                                   .chain = {item % 5, 5 + item % 7}};
    must(bank_work(trouble->client, &call, NULL, &err), &err, "a call");
}

static void write_foreign(struct trouble *trouble)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "update person set name = 'Name %d' where id in ('p1', 'p2', 'p3')", trouble->writes++);
    rig_sql(trouble->pg, sql);
}

static void use(struct trouble *trouble, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        write_foreign(trouble);
        work(trouble);
        rig_pause(5);
    }
}

static void expect_server(struct trouble *trouble, const char *when)
{
    long made = trouble->items * 2L;
    long all = rig_number(trouble->pg, "select count(*) from chain, unnest(string_to_array(items, ' ')) item");
    long different = rig_number(trouble->pg, "select count(distinct item) from chain, unnest(string_to_array(items, ' ')) item");
    if (all != made || different != made)
        rig_die("%s: %ld items were appended, the server has %ld, %ld of them different", when, made, all, different);
}

static void recover(struct trouble *trouble, const char *when)
{
    struct charle_error err = {0};
    proxy_do(trouble->proxy, "heal");
    proxy_do(trouble->proxy, "only any");
    must(charle_client_sync(trouble->client, WAIT_MS, &err), &err, when);
    bank_expect_equal(trouble->client, when);
    expect_server(trouble, when);
}

// A new laptop makes its first copy in the weather that is.
static void fresh_copy(struct trouble *trouble, const char *when)
{
    struct charle_error err = {0};
    char name[32];
    snprintf(name, sizeof(name), "fresh%d", trouble->fresh++);
    struct charle_client *client = rig_client_at(&trouble->rig, proxy_address(trouble->proxy), name, trouble->token);
    int rc = charle_client_sync(client, 5000, &err);
    proxy_do(trouble->proxy, "heal");
    if (rc)
        must(charle_client_sync(client, WAIT_MS, &err), &err, when);
    bank_expect_equal(client, when);
    charle_client_close(client);
}

// --- named cases ----------------------------------------------------------------------------------------------------------------

// A client that loses its connections again and again waits longer and longer before it dials; a new one does not.
static void begin_anew(struct trouble *trouble)
{
    struct charle_error err = {0};
    charle_client_close(trouble->client);
    trouble->client = rig_client_at(&trouble->rig, proxy_address(trouble->proxy), "laptop", trouble->token);
    must(charle_client_start(trouble->client, &err), &err, "start");
}

// Each frame of a new connection in turn is hurt.
static void hurt_each_frame(struct trouble *trouble, const char *direction, const char *fault, int frames)
{
    char when[80];
    struct charle_error err = {0};
    for (int number = 1; number <= frames; number++) {
        snprintf(when, sizeof(when), "frame %d %s: %s", number, direction, fault);
        proxy_do(trouble->proxy, "frame %s any %d %s", direction, number, fault);
        begin_anew(trouble);
        use(trouble, 2);
        must(charle_client_sync(trouble->client, WAIT_MS, &err), &err, when);
        recover(trouble, when);
        proxy_do(trouble->proxy, "frame %s any %d %s", direction, number, fault);
        fresh_copy(trouble, when);
    }
}

static void test_stall(struct trouble *trouble)
{
    static const char *const directions[] = {"up", "down", "both"};
    for (int i = 0; i < 3; i++) {
        proxy_do(trouble->proxy, "stall %s 700", directions[i]);
        use(trouble, 3);
        recover(trouble, "after a stall");
    }
    // Longer than the heartbeat allows: the client gives the connection up and dials a new one, which is stalled too until the end.
    proxy_do(trouble->proxy, "stall down 13000");
    use(trouble, 1);
    rig_pause(13000);
    recover(trouble, "after a stall that is longer than two heartbeats");
}

static void test_half_open(struct trouble *trouble)
{
    static const char *const directions[] = {"up", "down"};
    for (int i = 0; i < 2; i++) {
        proxy_do(trouble->proxy, "half-close %s", directions[i]);
        use(trouble, 3);
        recover(trouble, "after a half-close");
    }
    proxy_do(trouble->proxy, "reset");
    use(trouble, 3);
    recover(trouble, "after a reset");
    proxy_do(trouble->proxy, "blackhole on");
    proxy_do(trouble->proxy, "close");
    use(trouble, 3);
    rig_pause(1500); // a new connection is taken and never answered
    recover(trouble, "after a black hole");
    proxy_do(trouble->proxy, "refuse on");
    proxy_do(trouble->proxy, "close");
    use(trouble, 3);
    rig_pause(1000);
    recover(trouble, "after connections were refused");
}

static void test_throttle(struct trouble *trouble)
{
    proxy_do(trouble->proxy, "throttle both 2000");
    use(trouble, 5);
    struct charle_error err = {0};
    must(charle_client_sync(trouble->client, WAIT_MS, &err), &err, "at 2,000 bytes a second");
    recover(trouble, "after a trickle");
    proxy_do(trouble->proxy, "throttle both 20000");
    proxy_do(trouble->proxy, "delay both 40 30");
    fresh_copy(trouble, "first copy over a slow line");
    recover(trouble, "after a slow line");
}

static void test_random(struct trouble *trouble, int seconds)
{
    static const char *const faults[] = {"drop", "duplicate", "reorder"};
    int64_t end_us = ch_clock_mono_us() + (int64_t)seconds * 1000000;
    for (int round = 0; ch_clock_mono_us() < end_us; round++) {
        for (int i = 0; i < 3; i++)
            proxy_do(trouble->proxy, "chance both %s %d", faults[i], rig_random(&trouble->rig, 3) ? 0 : (int)rig_random(&trouble->rig, 150));
        proxy_do(trouble->proxy, "delay both %d %d", (int)rig_random(&trouble->rig, 10), (int)rig_random(&trouble->rig, 10));
        use(trouble, 1 + (int)rig_random(&trouble->rig, 8));
        rig_pause((int)rig_random(&trouble->rig, ROUND_MS));
        if (round % 10 == 9) {
            recover(trouble, "after random trouble");
            begin_anew(trouble);
        }
        if (round % 20 == 19)
            fresh_copy(trouble, "first copy after random trouble");
    }
    recover(trouble, "after all random trouble");
}

int main(int argc, char **argv)
{
    static struct trouble trouble;
    struct charle_error err = {0};
    char email[32];
    struct charle_login_result result;
    int seconds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : SECONDS;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    bank_open(&trouble.rig, seed, false);
    const struct proxy_options options = {.listen = "tcp://127.0.0.1:0", .target = trouble.rig.address, .seed = seed};
    must(proxy_open(&options, &trouble.proxy, &err), &err, "proxy");
    const struct charle_login_options login = {
        .url = proxy_address(trouble.proxy), .email = bank_email(0, email), .principal = "person", .password = rig_password};
    must(charle_login(&login, &result, &err), &err, "login");
    snprintf(trouble.token, sizeof(trouble.token), "%s", result.token);
    trouble.pg = rig_psql(&trouble.rig);
    trouble.client = rig_client_at(&trouble.rig, proxy_address(trouble.proxy), "laptop", trouble.token);
    must(charle_client_sync(trouble.client, WAIT_MS, &err), &err, "first copy");
    must(charle_client_start(trouble.client, &err), &err, "start");
    use(&trouble, 3);
    static const char *const directions[] = {"up", "down"}, *const faults[] = {"duplicate", "reorder", "drop"};
    for (int fault = 0; fault < 3; fault++)
        for (int direction = 0; direction < 2; direction++)
            hurt_each_frame(&trouble, directions[direction], faults[fault], 8);
    printf("each of the first 8 frames of a connection was doubled, reordered and dropped\n");
    fflush(stdout);
    test_stall(&trouble);
    test_half_open(&trouble);
    test_throttle(&trouble);
    printf("stalls, half-open connections and trickles\n");
    fflush(stdout);
    test_random(&trouble, seconds);
    struct proxy_counts counts;
    proxy_counts(trouble.proxy, &counts);
    printf("%llu connections, %llu drops, %llu duplicates, %llu reorders; %d calls, each made once\n", (unsigned long long)counts.connections,
           (unsigned long long)counts.drops, (unsigned long long)counts.duplicates, (unsigned long long)counts.reorders,
           trouble.items);
    charle_client_close(trouble.client);
    proxy_close(trouble.proxy);
    PQfinish(trouble.pg);
    rig_close(&trouble.rig);
    return 0;
}
