// Several servers on one database: hints between them over the bus, and what comes of strangers on it.
#include "office.h"

#include "server/hints.h"
#include "support/pg_cluster.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char database_url[CH_PG_CLUSTER_URL_SIZE], secret[200], other_secret[200];
static char listen_flag[160], peer_flag[160], secret_flag[240], token[256];
static struct server first, second;
static struct charle_client *at_first, *at_second;
static struct charle_arena arena;

static void write_secret(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
    close(fd);
}

// Where the first server hears others, from its log.
static void find_bus(const struct server *server, char *out, size_t size)
{
    char line[1024];
    FILE *log = fopen(server->log, "r");
    assert_non_null(log);
    out[0] = '\0';
    while (fgets(line, sizeof(line), log)) {
        const char *at = strstr(line, "listening for other servers address=");
        if (at)
            snprintf(out, size, "%.*s", (int)strcspn(at + 36, " \n"), at + 36);
    }
    fclose(log);
    assert_true(out[0] != '\0');
}

static int start_all(void **state)
{
    (void)state;
    char address[120];
    server_init(&first);
    server_init(&second);
    snprintf(secret, sizeof(secret), "%s.secret", first.log);
    snprintf(other_secret, sizeof(other_secret), "%s.other", first.log);
    write_secret(secret, "0123456789abcdef0123456789abcdef\n", 0600);
    write_secret(other_secret, "fedcba9876543210fedcba9876543210\n", 0600);
    snprintf(secret_flag, sizeof(secret_flag), "--hints-secret=%s", secret);
    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), "peers", database_url));
    server_start(&first, database_url, (const char *const[]){"--migrate", "--hints-listen=tcp://127.0.0.1:0", secret_flag, NULL});
    server_wait_ready(&first);
    find_bus(&first, address, sizeof(address));
    snprintf(listen_flag, sizeof(listen_flag), "--hints-listen=%s", address);
    snprintf(peer_flag, sizeof(peer_flag), "--peer=%s", address);
    server_start(&second, database_url, (const char *const[]){peer_flag, secret_flag, NULL});
    server_wait_ready(&second);
    office_fill(database_url);
    office_login(&first, token);
    at_first = office_replica(&first, "first", token);
    at_second = office_replica(&second, "second", token);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    charle_client_close(at_first);
    charle_client_close(at_second);
    server_remove(&second);
    server_remove(&first);
    charle_arena_deinit(&arena);
    return 0;
}

static const char lead_sql[] = "select name from department where id = 'd1'";

static void rename_at_first(const char *name)
{
    char request[200];
    snprintf(request, sizeof(request), "{\"key\": {\"id\": \"d1\"}, \"set\": {\"name\": \"%s\"}}", name);
    office_call(at_first, "charleos.DepartmentService/Update", request, &arena);
}

static const struct charle_peer_state *peer_of(const struct charle_server_reply *reply, size_t index)
{
    return ((const struct charle_peer_state *const *)reply->peer.items)[index];
}

// Waits until a server has heard others send at least so many hints.
static uint64_t wait_hints(struct charle_client *client, uint64_t least)
{
    uint64_t hints = 0;
    for (int i = 0; i < 3000; i++) {
        const struct charle_server_reply *reply = office_overview(client, &arena);
        hints = 0;
        for (size_t p = 0; p < reply->peer.count; p++)
            hints += peer_of(reply, p)->hints;
        if (hints >= least)
            return hints;
        office_pause(20);
    }
    fail_msg("%llu hints came, %llu were waited for", (unsigned long long)hints, (unsigned long long)least);
    return 0;
}

static void wait_peers(struct charle_client *client, size_t count)
{
    for (int i = 0; i < 3000; i++) {
        if (office_overview(client, &arena)->peer.count >= count)
            return;
        office_pause(20);
    }
    fail_msg("no %zu peers were heard", count);
}

// --- the message -----------------------------------------------------------------------------------------------------

static void a_hint_is_read_as_it_was_written(void **state)
{
    (void)state;
    const uint8_t key[CH_HINT_KEY_SIZE] = {7};
    const struct ch_hint hint = {.kind = CH_HINT_LOOK, .sender = {1, 2}, .database = {3}, .counter = 0x1122334455667788, .looks = 9, .at_us = 1234567};
    struct ch_hint read;
    uint8_t bytes[CH_HINT_SIZE + 1];
    ch_hint_write(&hint, key, bytes);
    assert_true(ch_hint_read(bytes, CH_HINT_SIZE, key, &read));
    assert_memory_equal(read.sender, hint.sender, sizeof(hint.sender));
    assert_memory_equal(read.database, hint.database, sizeof(hint.database));
    assert_int_equal(read.kind, hint.kind);
    assert_true(read.counter == hint.counter && read.looks == hint.looks && read.at_us == hint.at_us);
}

static void no_bit_of_a_hint_may_be_another(void **state)
{
    (void)state;
    const uint8_t key[CH_HINT_KEY_SIZE] = {7}, other[CH_HINT_KEY_SIZE] = {8};
    const struct ch_hint hint = {.kind = CH_HINT_ALIVE, .counter = 1};
    struct ch_hint read;
    uint8_t bytes[CH_HINT_SIZE + 1] = {0};
    ch_hint_write(&hint, key, bytes);
    for (size_t bit = 0; bit < CH_HINT_SIZE * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(ch_hint_read(bytes, CH_HINT_SIZE, key, &read));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size < CH_HINT_SIZE; size++)
        assert_false(ch_hint_read(bytes, size, key, &read));
    assert_false(ch_hint_read(bytes, CH_HINT_SIZE + 1, key, &read));
    assert_false(ch_hint_read(bytes, CH_HINT_SIZE, other, &read));
    assert_true(ch_hint_read(bytes, CH_HINT_SIZE, key, &read));
}

static void a_secret_must_be_one(void **state)
{
    (void)state;
    uint8_t key[CH_HINT_KEY_SIZE], same[CH_HINT_KEY_SIZE];
    char path[240];
    struct charle_error err = {0};
    snprintf(path, sizeof(path), "%s.try", secret);
    write_secret(path, "too short\n", 0600);
    assert_int_equal(ch_hint_key_read(path, key, &err), CHARLE_INVALID_ARGUMENT);
    assert_contains(err.text, "16 to 4096 bytes");
    write_secret(path, "0123456789abcdef0123456789abcdef", 0644);
    assert_int_equal(ch_hint_key_read(path, key, &err), CHARLE_INVALID_ARGUMENT);
    assert_contains(err.text, "chmod 600");
    write_secret(path, "0123456789abcdef0123456789abcdef", 0600);
    assert_ok(ch_hint_key_read(path, key, &err), &err);
    assert_ok(ch_hint_key_read(secret, same, &err), &err); // with a line's end behind it
    assert_memory_equal(key, same, sizeof(key));
    assert_ok(ch_hint_key_read(other_secret, same, &err), &err);
    assert_memory_not_equal(key, same, sizeof(key));
    unlink(path);
    assert_int_equal(ch_hint_key_read(path, key, &err), CHARLE_INVALID_ARGUMENT);
}

// --- servers -----------------------------------------------------------------------------------------------------------

static void a_commit_at_one_server_is_told_to_the_other(void **state)
{
    (void)state;
    wait_peers(at_second, 1);
    uint64_t before = wait_hints(at_second, 0);
    rename_at_first("told over the bus");
    office_wait(at_second, lead_sql, "told over the bus");
    wait_hints(at_second, before + 1);
    const struct charle_server_reply *reply = office_overview(at_first, &arena);
    assert_true(reply->hints_sent > 0);
    assert_int_equal(reply->hints_refused, 0);
}

static void a_server_that_is_not_told_finds_out(void **state)
{
    (void)state;
    struct server deaf;
    server_init(&deaf);
    server_start(&deaf, database_url, (const char *const[]){"--peer=tcp://127.0.0.1:9", secret_flag, NULL}); // nobody is there
    server_wait_ready(&deaf);
    struct charle_client *at_deaf = office_replica(&deaf, "deaf", token);
    rename_at_first("found by the poll");
    office_wait(at_deaf, lead_sql, "found by the poll");
    assert_int_equal(office_overview(at_deaf, &arena)->peer.count, 0);
    charle_client_close(at_deaf);
    server_remove(&deaf);
}

static void a_server_with_another_secret_is_refused_and_counted(void **state)
{
    (void)state;
    struct server stranger;
    char flag[240];
    const struct charle_server_reply *reply;
    size_t known = office_overview(at_first, &arena)->peer.count;
    server_init(&stranger);
    snprintf(flag, sizeof(flag), "--hints-secret=%s", other_secret);
    server_start(&stranger, database_url, (const char *const[]){peer_flag, flag, NULL});
    server_wait_ready(&stranger);
    server_wait_words(&first, "was not made with our secret");
    do
        reply = office_overview(at_first, &arena);
    while (reply->hints_refused == 0);
    assert_int_equal(reply->peer.count, known);
    // It still serves: changes come by its own looks.
    struct charle_client *at_stranger = office_replica(&stranger, "stranger", token);
    rename_at_first("nobody told the stranger");
    office_wait(at_stranger, lead_sql, "nobody told the stranger");
    assert_int_equal(office_overview(at_stranger, &arena)->peer.count, 0);
    charle_client_close(at_stranger);
    server_remove(&stranger);
}

static int connect_bus(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(strrchr(peer_flag, ':') + 1)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

// nng's handshake of a bus socket, then a message of the size its head says.
static void send_stranger(uint64_t size)
{
    uint8_t bytes[8 + 8 + 512] = {0, 'S', 'P', 0, 0, 0x70, 0, 0};
    int fd = connect_bus();
    for (int i = 0; i < 8; i++)
        bytes[8 + i] = (uint8_t)(size >> 8 * (7 - i));
    ssize_t ignored = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
    (void)ignored;
    office_pause(2);
    close(fd);
}

static void rude_strangers_do_not_stop_the_bus(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        close(connect_bus());
        send_stranger(104);                // of the right size, made by nobody
        send_stranger(1);
        send_stranger(UINT64_MAX / 2);     // larger than anything we take
        send_stranger(512);
    }
    uint64_t before = wait_hints(at_second, 0);
    rename_at_first("after the strangers");
    office_wait(at_second, lead_sql, "after the strangers");
    wait_hints(at_second, before + 1);
}

static void strangers_who_say_nothing_are_shown_out(void **state)
{
    (void)state;
    uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x70, 0, 0}, reply[64];
    int held[80]; // more than there are places
    for (size_t i = 0; i < 80; i++) {
        held[i] = connect_bus();
        assert_int_equal(send(held[i], hello, sizeof(hello), MSG_NOSIGNAL), 8);
    }
    for (size_t i = 0; i < 80; i++) { // each connection ends, without a word from us
        struct timeval patience = {.tv_sec = 60};
        setsockopt(held[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        ssize_t size;
        while ((size = recv(held[i], reply, sizeof(reply), 0)) > 0)
            ;
        assert_true(size == 0 || errno == ECONNRESET);
        close(held[i]);
    }
    uint64_t before = wait_hints(at_second, 0);
    rename_at_first("after the silent ones");
    office_wait(at_second, lead_sql, "after the silent ones");
    wait_hints(at_second, before + 1);
}

static void a_server_that_comes_back_is_heard_again(void **state)
{
    (void)state;
    charle_client_close(at_first);
    server_stop(&first);
    run_sql(database_url, "update department set name = 'while the first is away' where id = 'd1'");
    office_wait(at_second, lead_sql, "while the first is away");
    server_start(&first, database_url, (const char *const[]){listen_flag, secret_flag, NULL});
    server_wait_ready(&first);
    at_first = office_replica(&first, "first", token);
    wait_peers(at_second, 2); // the one that went, and the one that came
    uint64_t before = wait_hints(at_second, 0);
    rename_at_first("back on the bus");
    office_wait(at_second, lead_sql, "back on the bus");
    wait_hints(at_second, before + 1);
}

// Both show a certificate of one authority; here each other's is their own.
static void hints_go_through_tls(void **state)
{
    (void)state;
    char certificate[220], key[220], ca[220], address[120], peer[160], command[900];
    struct server third, fourth;
    snprintf(certificate, sizeof(certificate), "--tls-cert=%s.pem", first.log);
    snprintf(key, sizeof(key), "--tls-key=%s.key", first.log);
    snprintf(ca, sizeof(ca), "--hints-ca=%s.pem", first.log);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout %s.key -out %s.pem "
             "2>/dev/null",
             first.log, first.log);
    assert_int_equal(system(command), 0);
    server_init(&third);
    server_init(&fourth);
    server_start(&third, database_url, (const char *const[]){"--hints-listen=tls+tcp://127.0.0.1:0", secret_flag, certificate, key, ca, NULL});
    server_wait_ready(&third);
    find_bus(&third, address, sizeof(address));
    assert_memory_equal(address, "tls+tcp://127.0.0.1:", 20);
    snprintf(peer, sizeof(peer), "--peer=tls+tcp://localhost:%s", address + 20); // the name that the certificate has
    server_start(&fourth, database_url, (const char *const[]){peer, secret_flag, certificate, key, ca, NULL});
    server_wait_ready(&fourth);
    struct charle_client *at_third = office_replica(&third, "third", token), *at_fourth = office_replica(&fourth, "fourth", token);
    wait_peers(at_fourth, 1);
    uint64_t before = wait_hints(at_fourth, 0);
    office_call(at_third, "charleos.DepartmentService/Update", "{\"key\": {\"id\": \"d1\"}, \"set\": {\"name\": \"told under seal\"}}", &arena);
    office_wait(at_fourth, lead_sql, "told under seal");
    wait_hints(at_fourth, before + 1);
    charle_client_close(at_fourth);
    charle_client_close(at_third);
    server_remove(&fourth);
    server_remove(&third);
    unlink(certificate + strlen("--tls-cert="));
    unlink(key + strlen("--tls-key="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hint_is_read_as_it_was_written),
        cmocka_unit_test(no_bit_of_a_hint_may_be_another),
        cmocka_unit_test(a_secret_must_be_one),
        cmocka_unit_test(a_commit_at_one_server_is_told_to_the_other),
        cmocka_unit_test(a_server_that_is_not_told_finds_out),
        cmocka_unit_test(a_server_with_another_secret_is_refused_and_counted),
        cmocka_unit_test(rude_strangers_do_not_stop_the_bus),
        cmocka_unit_test(strangers_who_say_nothing_are_shown_out),
        cmocka_unit_test(a_server_that_comes_back_is_heard_again),
        cmocka_unit_test(hints_go_through_tls),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
