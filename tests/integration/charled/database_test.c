// What an operator reads when a database cannot be used: every way of failing on a real PostgreSQL, and things that are
// none.
#include "server/database.h"
#include "support/pg_cluster.h"
#include "test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

// --- helpers -------------------------------------------------------------------------------------------------------

static struct ch_pg_cluster *server;
static int server_port;

static int listen_anywhere(int *out_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *out_port = ntohs(address.sin_port);
    return fd;
}

static int free_port(void)
{
    int port;
    close(listen_anywhere(&port));
    return port;
}

static void expect(const char *url, enum charle_err code, const char *words)
{
    struct charle_error err = {0};
    PGconn *conn = NULL;
    enum charle_err rc = ch_database_open(url, 3000, &conn, &err);
    PQfinish(conn);
    if (rc != code)
        fail_msg("%s, not %s: %s", charle_err_name(rc), charle_err_name(code), err.text);
    assert_contains(err.text, words);
    assert_null(strstr(err.text, "hunter2")); // the password of these tests
}

static const char *url_of(const char *format, int port)
{
    static char url[300];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(url, sizeof(url), format, port);
#pragma GCC diagnostic pop
    return url;
}

static int start_server(void **state)
{
    char path[300], url[CH_PG_CLUSTER_URL_SIZE];
    (void)state;
    server_port = free_port();
    server = ch_pg_cluster_start(&(struct ch_pg_cluster_options){.tcp_port = server_port});
    if (!server)
        return -1;
    struct charle_error err = {0};
    PGconn *conn = NULL;
    assert_ok(ch_database_open(ch_pg_cluster_url(server), 10000, &conn, &err), &err);
    assert_ok(ch_database_run(conn, "test",
                              "create role ann login password 'hunter2'; create role tls login; create role crowd "
                              "login connection limit 0",
                              NULL, 0, NULL, &err),
              &err);
    snprintf(path, sizeof(path), "%s/data/pg_hba.conf", ch_pg_cluster_directory(server));
    FILE *hba = fopen(path, "w");
    assert_non_null(hba);
    fprintf(hba, "local all all trust\n"
                 "hostssl all tls 127.0.0.1/32 trust\n"
                 "host all ann 127.0.0.1/32 scram-sha-256\n"
                 "host all crowd,postgres,ghost 127.0.0.1/32 trust\n");
    fclose(hba);
    assert_ok(ch_database_run(conn, "test", "select pg_reload_conf()", NULL, 0, NULL, &err), &err);
    assert_true(ch_pg_cluster_database(server, "latin", url));
    assert_ok(ch_database_run(conn, "test", "create database latin1 encoding 'LATIN1' locale 'C' template template0",
                              NULL, 0, NULL, &err),
              &err);
    // The reload is done when a rule of the new file holds.
    for (int i = 0; i < 200; i++) {
        PGconn *probe = NULL;
        enum charle_err rc =
            ch_database_open(url_of("postgresql://tls@127.0.0.1:%d/postgres", server_port), 3000, &probe, &err);
        PQfinish(probe);
        if (rc)
            break;
        usleep(10000);
    }
    PQfinish(conn);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    ch_pg_cluster_stop(server);
    return 0;
}

// --- a PostgreSQL that refuses -------------------------------------------------------------------------------------

static void refusals_are_explained(void **state)
{
    (void)state;
    expect(url_of("postgresql://ann:wrong-hunter2@127.0.0.1:%d/postgres", server_port), CHARLE_UNAUTHENTICATED,
           "refused the password");
    expect(url_of("postgresql://ann@127.0.0.1:%d/postgres", server_port), CHARLE_UNAUTHENTICATED, "wants a password");
    expect(url_of("postgresql://ghost:hunter2@127.0.0.1:%d/postgres", server_port), CHARLE_UNAUTHENTICATED,
           "has no such user");
    expect(url_of("postgresql://postgres@127.0.0.1:%d/nowhere", server_port), CHARLE_NOT_FOUND, "has no such database");
    expect(url_of("postgresql://stranger@127.0.0.1:%d/postgres", server_port), CHARLE_FAILED_PRECONDITION,
           "sslmode=require");
    expect(url_of("postgresql://crowd@127.0.0.1:%d/postgres", server_port), CHARLE_RESOURCE_EXHAUSTED,
           "no connection left");
}

static void encryption_is_explained(void **state)
{
    (void)state;
    expect(url_of("postgresql://tls@127.0.0.1:%d/postgres", server_port), CHARLE_FAILED_PRECONDITION,
           "takes only encrypted connections");
    expect(url_of("postgresql://ann:hunter2@127.0.0.1:%d/postgres?sslmode=require", server_port),
           CHARLE_FAILED_PRECONDITION, "does not speak SSL");
    expect(url_of("postgresql://ann:hunter2@127.0.0.1:%d/postgres?sslmode=always", server_port),
           CHARLE_INVALID_ARGUMENT, "unknown sslmode");
}

static void unfit_databases_are_explained(void **state)
{
    (void)state;
    expect(url_of("postgresql://postgres@127.0.0.1:%d/latin1", server_port), CHARLE_FAILED_PRECONDITION,
           "ENCODING 'UTF8'");
}

static void a_good_one_opens(void **state)
{
    (void)state;
    struct charle_error err = {0};
    PGconn *conn = NULL;
    assert_ok(ch_database_open(url_of("postgresql://ann:hunter2@127.0.0.1:%d/postgres?sslmode=prefer", server_port),
                               3000, &conn, &err),
              &err);
    PQfinish(conn);
}

// --- nothing, or something else, at the address --------------------------------------------------------------------

struct impostor {
    int fd;
    const char *answer;
    size_t size; // 0: hangs up
};

static void *impersonate(void *ctx)
{
    struct impostor *impostor = ctx;
    char question[1000];
    for (int i = 0; i < 2; i++) { // libpq asks for SSL first
        struct pollfd waiting = {.fd = impostor->fd, .events = POLLIN};
        if (poll(&waiting, 1, 5000) <= 0)
            break;
        int fd = accept(impostor->fd, NULL, NULL);
        ssize_t n = recv(fd, question, sizeof(question), 0);
        if (n == 8) { // an SSLRequest: no
            if (impostor->answer[0] == 'R') {
                assert_int_equal(send(fd, "N", 1, MSG_NOSIGNAL), 1);
                n = recv(fd, question, sizeof(question), 0);
            }
        }
        if (impostor->size && send(fd, impostor->answer, impostor->size, MSG_NOSIGNAL) > 0)
            n = recv(fd, question, sizeof(question), 0); // until libpq has read it and hangs up
        close(fd);
    }
    return NULL;
}

static void expect_impostor(struct impostor impostor, enum charle_err code, const char *words)
{
    int port;
    pthread_t thread;
    impostor.fd = listen_anywhere(&port);
    assert_int_equal(pthread_create(&thread, NULL, impersonate, &impostor), 0);
    expect(url_of("postgresql://ann:hunter2@127.0.0.1:%d/postgres", port), code, words);
    shutdown(impostor.fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(impostor.fd);
}

static void what_is_not_postgresql_is_told(void **state)
{
    (void)state;
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    expect_impostor((struct impostor){.answer = http, .size = sizeof(http) - 1}, CHARLE_FAILED_PRECONDITION,
                    "is not PostgreSQL");
    expect_impostor((struct impostor){.answer = "R", .size = 0}, CHARLE_UNAVAILABLE,
                    "closed the connection without a word");
}

static void an_old_server_is_told(void **state)
{
    (void)state;
    static const char old[] = "R\0\0\0\x08\0\0\0\0" // AuthenticationOk
                              "S\0\0\0\x1aserver_version\0"
                              "9.6.24\0"
                              "Z\0\0\0\x05I"; // ReadyForQuery
    expect_impostor((struct impostor){.answer = old, .size = sizeof(old) - 1}, CHARLE_FAILED_PRECONDITION, "too old");
}

static void nobody_there_is_told(void **state)
{
    (void)state;
    expect(url_of("postgresql://ann:hunter2@127.0.0.1:%d/postgres", free_port()), CHARLE_UNAVAILABLE,
           "nothing listens there");
    expect("postgresql:///postgres?host=%2Fnowhere%2Fat%2Fall&password=hunter2", CHARLE_UNAVAILABLE,
           "there is no such socket");
    expect("postgresql://ann:hunter2@host.invalid/postgres", CHARLE_UNAVAILABLE, "host name is unknown");
}

static void silence_is_bounded(void **state)
{
    (void)state;
    int port, fd = listen_anywhere(&port); // the kernel accepts, nobody answers
    expect(url_of("postgresql://ann:hunter2@127.0.0.1:%d/postgres", port), CHARLE_UNAVAILABLE, "does not answer");
    close(fd);
}

// --- addresses -----------------------------------------------------------------------------------------------------

static void wrong_addresses_are_told_without_the_password(void **state)
{
    (void)state;
    expect("hunter2", CHARLE_INVALID_ARGUMENT, "not an address that libpq understands");
    expect("mysql://ann:hunter2@h/d", CHARLE_INVALID_ARGUMENT, "not an address");
    expect("postgresql://ann:hunter2%zz@h/d", CHARLE_INVALID_ARGUMENT, "special characters in the password");
    expect("postgresql://ann:hunter2@h:port/d?sslmode", CHARLE_INVALID_ARGUMENT, "DATABASE_URL");
    expect("postgresql://ann:hunter2@h/d?sslmod=require", CHARLE_INVALID_ARGUMENT, "sslmod");
    expect("postgresql://ann:hunter2@127.0.0.1:99999/d", CHARLE_INVALID_ARGUMENT, "not a number from 1 to 65535");
}

static void addresses_are_shown_without_secrets(void **state)
{
    (void)state;
    char display[CH_DATABASE_DISPLAY_SIZE];
    struct charle_error err = {0};
    assert_ok(ch_database_describe("postgresql://ann:hunter2@db.example:5433/shop?sslmode=require", display, &err),
              &err);
    assert_string_equal(display, "db.example:5433/shop");
    assert_ok(ch_database_describe("host=db user=ann password=hunter2", display, &err), &err);
    assert_string_equal(display, "db:5432/ann");
    assert_ok(ch_database_describe("postgres:///shop", display, &err), &err);
    assert_string_equal(display, "local socket:5432/shop");
}

int main(void)
{
    unsetenv("PGHOST");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_are_explained),
        cmocka_unit_test(encryption_is_explained),
        cmocka_unit_test(unfit_databases_are_explained),
        cmocka_unit_test(a_good_one_opens),
        cmocka_unit_test(what_is_not_postgresql_is_told),
        cmocka_unit_test(an_old_server_is_told),
        cmocka_unit_test(nobody_there_is_told),
        cmocka_unit_test(silence_is_bounded),
        cmocka_unit_test(wrong_addresses_are_told_without_the_password),
        cmocka_unit_test(addresses_are_shown_without_secrets),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
