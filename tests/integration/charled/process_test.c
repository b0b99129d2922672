// The life of the real process: starting, being refused, being killed, stopping, and what it leaves behind.
#include "process.h"
#include "support/pg_cluster.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static pid_t postmaster_of(const struct server *server)
{
    char path[140];
    long pid = 0;
    snprintf(path, sizeof(path), "%s/postgres/data/postmaster.pid", server->folder);
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%ld", &pid) != 1)
            pid = 0;
        fclose(file);
    }
    return (pid_t)pid;
}

static pid_t parent_of(pid_t pid)
{
    char path[64];
    long parent = 0;
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d (%*[^)]) %*c %ld", &parent), 1);
    fclose(file);
    return (pid_t)parent;
}

static void wait_gone(pid_t pid)
{
    for (int i = 0; i < 6000 && kill(pid, 0) == 0; i++)
        pause_ms(10);
    assert_int_equal(kill(pid, 0), -1);
}

static void replace_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

// --- a private cluster ---------------------------------------------------------------------------------------------

static struct server private;

static int init_private(void **state)
{
    (void)state;
    server_init(&private);
    return 0;
}

static int remove_private(void **state)
{
    (void)state;
    server_remove(&private);
    return 0;
}

static void it_makes_a_cluster_and_takes_it_down(void **state)
{
    char url[600], answer[200];
    (void)state;
    server_start(&private, NULL, NULL);
    server_wait_ready(&private);
    assert_true(server_has_said(&private, "making a private PostgreSQL"));
    server_private_url(&private, url, sizeof(url));
    read_sql(url, "select count(*) >= 47 from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'",
             answer, sizeof(answer));
    assert_string_equal(answer, "t");
    read_sql(url, "select current_setting('listen_addresses') || current_setting('fsync')", answer, sizeof(answer));
    assert_string_equal(answer, "on");
    pid_t postmaster = postmaster_of(&private);
    assert_true(postmaster > 0);
    assert_int_equal(server_stop(&private), 0);
    assert_int_equal(kill(postmaster, 0), -1);
    assert_int_equal(postmaster_of(&private), 0);
}

static void it_starts_again_with_what_it_had(void **state)
{
    char url[600], answer[200];
    (void)state;
    server_start(&private, NULL, NULL);
    server_wait_ready(&private);
    assert_false(server_has_said(&private, "making a private PostgreSQL"));
    assert_true(server_has_said(&private, "migrations_applied=0"));
    server_private_url(&private, url, sizeof(url));
    run_sql(url, "insert into department (id, name) values ('d1', 'kept')");
    read_sql(url, "select name from department where id = 'd1'", answer, sizeof(answer));
    assert_string_equal(answer, "kept");
}

static void its_change_log_is_thinned_out(void **state)
{
    char url[600], answer[40];
    const char *const often[] = {"--upkeep-every=1", NULL};
    (void)state;
    assert_int_equal(server_stop(&private), 0);
    server_start(&private, NULL, often);
    server_wait_ready(&private);
    server_private_url(&private, url, sizeof(url));
    for (int i = 0; i < 20; i++)
        run_sql(url, "update department set name = case name when 'kept' then 'changed' else 'kept' end where id = 'd1'");
    server_wait_words(&private, "the change log was thinned out");
    for (int i = 0; i < 600; i++) { // perhaps that round began before the last write
        read_sql(url, "select count(*) from charle.entry where key = 'd1'", answer, sizeof(answer));
        if (strcmp(answer, "1") == 0)
            break;
        pause_ms(100);
    }
    assert_string_equal(answer, "1");
    assert_int_equal(server_stop(&private), 0); // also in the middle of a round
    server_start(&private, NULL, NULL);
    server_wait_ready(&private);
}

static void a_second_one_is_refused(void **state)
{
    char out[2000];
    const char *const arguments[] = {"--data-dir", private.folder, "--listen=tcp://127.0.0.1:0", NULL};
    (void)state;
    assert_int_equal(charled_run(arguments, NULL, out, sizeof(out)), 4);
    char pid[40];
    snprintf(pid, sizeof(pid), "pid %ld on", (long)private.pid);
    assert_contains(out, "another charled");
    assert_contains(out, pid);
}

static void its_database_can_run_alone(void **state)
{
    char url[600], answer[200];
    (void)state;
    assert_int_equal(server_stop(&private), 0);
    server_start(&private, NULL, (const char *const[]){"--database-only", NULL});
    server_wait_words(&private, "ready version=");
    assert_false(server_has_said(&private, "listening"));
    server_private_url(&private, url, sizeof(url));
    read_sql(url, "select name from department where id = 'd1'", answer, sizeof(answer));
    assert_string_equal(answer, "kept");
    assert_int_equal(server_stop(&private), 0);
    server_start(&private, NULL, NULL);
    server_wait_ready(&private);
}

static void killed_it_comes_back_at_once(void **state)
{
    char url[600], answer[200];
    (void)state;
    for (int i = 0; i < 3; i++) {
        server_signal(&private, SIGKILL);
        assert_int_equal(server_wait_exit(&private), 128 + SIGKILL);
        server_start(&private, NULL, NULL); // while the old PostgreSQL is still stopping
        server_wait_ready(&private);
    }
    server_private_url(&private, url, sizeof(url));
    read_sql(url, "select name from department where id = 'd1'", answer, sizeof(answer));
    assert_string_equal(answer, "kept");
}

static int lines_with(const char *path, const char *words)
{
    char line[1000];
    int count = 0;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        count += strstr(line, words) != NULL;
    if (file)
        fclose(file);
    return count;
}

// Killed while the cluster is made, it leaves a keeper that finishes that. Nobody is there for whom it should start
// PostgreSQL, and the next server should not have to wait until it has ended again.
static void killed_while_it_makes_a_cluster_it_starts_nothing(void **state)
{
    (void)state;
    struct server fresh;
    char path[140];
    server_init(&fresh);
    server_start(&fresh, NULL, NULL);
    snprintf(path, sizeof(path), "%s/postgres/data.new/PG_VERSION", fresh.folder);
    for (int i = 0; i < 6000 && access(path, F_OK) != 0; i++)
        pause_ms(10);
    server_signal(&fresh, SIGKILL);
    server_wait_exit(&fresh);
    server_start(&fresh, NULL, NULL);
    server_wait_ready(&fresh);
    snprintf(path, sizeof(path), "%s/postgres/postgres.log", fresh.folder);
    assert_int_equal(lines_with(path, "ready to accept connections"), 1);
    assert_int_equal(server_stop(&fresh), 0);
    server_remove(&fresh);
}

static void a_dead_postgresql_is_started_again(void **state)
{
    char url[600], answer[200];
    (void)state;
    pid_t postmaster = postmaster_of(&private);
    assert_int_equal(kill(postmaster, SIGKILL), 0);
    server_wait_words(&private, "PostgreSQL ended by itself");
    server_wait_words(&private, "PostgreSQL runs again");
    assert_int_not_equal(postmaster_of(&private), postmaster);
    server_private_url(&private, url, sizeof(url));
    read_sql(url, "select name from department where id = 'd1'", answer, sizeof(answer));
    assert_string_equal(answer, "kept");
}

static void killed_with_its_keeper_nothing_is_left_behind(void **state)
{
    (void)state;
    pid_t postmaster = postmaster_of(&private);
    pid_t keeper = parent_of(postmaster);
    kill(keeper, SIGKILL);
    server_signal(&private, SIGKILL);
    server_wait_exit(&private);
    wait_gone(postmaster);
    server_start(&private, NULL, NULL);
    server_wait_ready(&private);
}

static void without_its_keeper_it_ends_with_a_reason(void **state)
{
    (void)state;
    assert_int_equal(kill(parent_of(postmaster_of(&private)), SIGKILL), 0);
    assert_int_equal(server_wait_exit(&private), 6);
    assert_true(server_has_said(&private, "start charled again"));
}

static void another_major_version_is_refused(void **state)
{
    char path[140], text[20] = "";
    (void)state;
    snprintf(path, sizeof(path), "%s/postgres/data/PG_VERSION", private.folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    replace_file(path, "12\n");
    server_start(&private, NULL, NULL);
    assert_int_equal(server_wait_exit(&private), 6);
    assert_true(server_has_said(&private, "was made by PostgreSQL 12"));
    replace_file(path, text);
}

static void lost_data_is_not_made_anew(void **state)
{
    char path[140], hidden[150];
    (void)state;
    snprintf(path, sizeof(path), "%s/postgres/data/PG_VERSION", private.folder);
    snprintf(hidden, sizeof(hidden), "%s.hidden", path);
    assert_int_equal(rename(path, hidden), 0);
    server_start(&private, NULL, NULL);
    assert_int_equal(server_wait_exit(&private), 6);
    assert_true(server_has_said(&private, "PG_VERSION is missing"));
    assert_int_equal(rename(hidden, path), 0);
}

static void a_broken_setting_of_postgresql_is_quoted(void **state)
{
    char path[140];
    (void)state;
    snprintf(path, sizeof(path), "%s/postgres/data/postgresql.conf", private.folder);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs("shared_buffers = nonsense\n", file);
    fclose(file);
    server_start(&private, NULL, NULL);
    assert_int_equal(server_wait_exit(&private), 6);
    assert_true(server_has_said(&private, "PostgreSQL did not start: "));
}

// --- places that will not do ---------------------------------------------------------------------------------------

// Root's own folders are closed to PostgreSQL's user, and root's home is where a first try happens.
static void a_folder_closed_to_postgresql_gets_a_link(void **state)
{
    struct server server;
    char path[120], target[200], url[600], answer[40];
    (void)state;
    if (geteuid() != 0)
        skip();
    server_init(&server);
    assert_int_equal(mkdir(server.folder, 0700), 0);
    snprintf(path, sizeof(path), "%s/..", server.folder);
    assert_int_equal(chmod(path, 0700), 0);
    for (int round = 0; round < 2; round++) { // made, then found again
        server_start(&server, NULL, NULL);
        server_wait_ready(&server);
        assert_int_equal(server_has_said(&server, "its files are in /var/lib/charle-clusters/cluster-"), round == 0);
        server_private_url(&server, url, sizeof(url));
        run_sql(url, round == 0 ? "insert into department (id, name) values ('d1', 'kept')" : "select 1");
        read_sql(url, "select name from department where id = 'd1'", answer, sizeof(answer));
        assert_string_equal(answer, "kept");
        assert_int_equal(server_stop(&server), 0);
    }
    snprintf(path, sizeof(path), "%s/postgres", server.folder);
    ssize_t size = readlink(path, target, sizeof(target) - 1);
    assert_true(size > 0);
    target[size] = '\0';
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/var/lib/charle-clusters/cluster-gone", path), 0);
    server_start(&server, NULL, NULL);
    assert_int_equal(server_wait_exit(&server), 6);
    assert_true(server_has_said(&server, "cannot be followed"));
    char command[260];
    snprintf(command, sizeof(command), "rm -rf '%s'", target);
    assert_int_equal(system(command), 0);
    server_remove(&server);
}

static void a_folder_of_others_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); // only root gives folders away
    struct server server;
    char path[100], out[2000];
    server_init(&server);
    assert_int_equal(mkdir(server.folder, 0700), 0);
    snprintf(path, sizeof(path), "%s/thesis.txt", server.folder);
    replace_file(path, "precious");
    const char *const arguments[] = {"--data-dir", server.folder, NULL};
    assert_int_equal(charled_run(arguments, NULL, out, sizeof(out)), 6);
    assert_contains(out, "holds other things");
    // With a database elsewhere nothing is given away, so the folder is fine: what fails is the database.
    assert_int_equal(charled_run(arguments, "postgresql://nobody@/none?host=/nowhere", out, sizeof(out)), 3);
    assert_contains(out, "there is no such socket");
    struct stat st;
    assert_int_equal(stat(server.folder, &st), 0);
    assert_int_equal(st.st_uid, 0);
    server_remove(&server);
}

static void a_file_is_no_folder(void **state)
{
    (void)state;
    struct server server;
    char out[2000];
    server_init(&server);
    replace_file(server.folder, "");
    const char *const arguments[] = {"--data-dir", server.folder, NULL};
    assert_int_equal(charled_run(arguments, NULL, out, sizeof(out)), 2);
    assert_contains(out, "is not a folder");
    server_remove(&server);
}

static void an_unwritable_place_is_refused(void **state)
{
    char out[2000];
    const char *const arguments[] = {"--data-dir", "/proc/charle/data", NULL};
    (void)state;
    assert_int_equal(charled_run(arguments, NULL, out, sizeof(out)), 6);
    assert_contains(out, "choose another place with --data-dir");
}

static void a_full_disk_is_refused(void **state)
{
    (void)state;
    struct server server;
    char out[2000];
    server_init(&server);
    assert_int_equal(mkdir(server.folder, 0700), 0);
    if (mount("none", server.folder, "tmpfs", 0, "size=4m,mode=700") != 0) {
        server_remove(&server);
        skip(); // needs the right to mount
    }
    const char *const arguments[] = {"--data-dir", server.folder, NULL};
    int code = charled_run(arguments, NULL, out, sizeof(out));
    umount(server.folder);
    server_remove(&server);
    assert_int_equal(code, 6);
    assert_contains(out, "MiB left and PostgreSQL needs");
}

// --- DATABASE_URL --------------------------------------------------------------------------------------------------

static void a_database_of_others_is_migrated_only_when_told(void **state)
{
    (void)state;
    struct server server;
    char url[CH_PG_CLUSTER_URL_SIZE], out[4000];
    server_init(&server);
    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), "told", url));
    const char *const plain[] = {"--data-dir", server.folder, "--listen=tcp://127.0.0.1:0", NULL};
    assert_int_equal(charled_run(plain, url, out, sizeof(out)), 5);
    assert_contains(out, "--migrate");
    const char *const check[] = {"--data-dir", server.folder, "--check", NULL};
    assert_int_equal(charled_run(check, url, out, sizeof(out)), 5);
    server_start(&server, url, (const char *const[]){"--migrate", NULL});
    server_wait_ready(&server);
    assert_int_equal(server_stop(&server), 0);
    assert_int_equal(charled_run(check, url, out, sizeof(out)), 0);
    assert_contains(out, "schema up to date");
    server_start(&server, url, NULL);
    server_wait_ready(&server);

    struct server other; // a second server of the same database
    server_init(&other);
    server_start(&other, url, NULL);
    server_wait_ready(&other);
    assert_true(server_has_said(&other, "another server serves this database too"));
    assert_int_equal(server_stop(&other), 0);
    assert_int_equal(server_stop(&server), 0);
    server_remove(&other);
    server_remove(&server);
}

static void an_unreachable_database_ends_the_start(void **state)
{
    (void)state;
    struct server server;
    char out[4000];
    server_init(&server);
    const char *const arguments[] = {"--data-dir", server.folder, NULL};
    assert_int_equal(charled_run(arguments, "postgresql:///x?host=/nowhere&password=hunter2", out, sizeof(out)), 3);
    assert_contains(out, "there is no such socket");
    assert_null(strstr(out, "hunter2"));
    assert_int_equal(charled_run(arguments, "nonsense hunter2", out, sizeof(out)), 2);
    assert_contains(out, "DATABASE_URL");
    assert_null(strstr(out, "hunter2"));
    server_remove(&server);
}

static void a_taken_address_is_told(void **state)
{
    (void)state;
    struct server server;
    char url[CH_PG_CLUSTER_URL_SIZE], listen_at[60];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(listen_at, sizeof(listen_at), "--listen=tcp://127.0.0.1:%d", ntohs(address.sin_port));
    server_init(&server);
    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), "taken", url));
    server_start(&server, url, (const char *const[]){"--migrate", listen_at, NULL});
    assert_int_equal(server_wait_exit(&server), 7);
    close(fd);
    server_remove(&server);
}

// --- the log and the command line ----------------------------------------------------------------------------------

static void the_log_moves_on_sighup(void **state)
{
    (void)state;
    struct server server;
    char url[CH_PG_CLUSTER_URL_SIZE], file[120], old[130], flag[140];
    server_init(&server);
    snprintf(file, sizeof(file), "%s.json", server.log);
    snprintf(old, sizeof(old), "%s.1", file);
    snprintf(flag, sizeof(flag), "--log-file=%s", file);
    snprintf(server.log, sizeof(server.log), "%.90s", file); // this is where it speaks now
    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), "log", url));
    server_start(&server, url, (const char *const[]){"--development", "--log-format=json", flag, NULL});
    server_wait_ready(&server);
    assert_true(server_has_said(&server, "{\"at\":\""));
    assert_int_equal(rename(file, old), 0);
    server_signal(&server, SIGHUP);
    server.log_offset = 0;
    server_wait_words(&server, "opened anew");
    assert_int_equal(server_stop(&server), 0);
    assert_true(server_has_said(&server, "stopped"));
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    server_remove(&server);
}

static void the_command_line_explains_itself(void **state)
{
    char out[16000];
    (void)state;
    assert_int_equal(charled_run((const char *const[]){"--help", NULL}, NULL, out, sizeof(out)), 0);
    assert_contains(out, "--listen ADDRESS");
    assert_contains(out, "DATABASE_URL");
    assert_contains(out, "Exit codes");
    assert_int_equal(charled_run((const char *const[]){"--version", NULL}, NULL, out, sizeof(out)), 0);
    assert_contains(out, "schema charleos");
    assert_int_equal(charled_run((const char *const[]){"--lsten", "x", NULL}, NULL, out, sizeof(out)), 2);
    assert_contains(out, "did you mean --listen?");
}

int main(void)
{
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(it_makes_a_cluster_and_takes_it_down),
        cmocka_unit_test(it_starts_again_with_what_it_had),
        cmocka_unit_test(its_change_log_is_thinned_out),
        cmocka_unit_test(a_second_one_is_refused),
        cmocka_unit_test(its_database_can_run_alone),
        cmocka_unit_test(killed_it_comes_back_at_once),
        cmocka_unit_test(killed_while_it_makes_a_cluster_it_starts_nothing),
        cmocka_unit_test(a_dead_postgresql_is_started_again),
        cmocka_unit_test(killed_with_its_keeper_nothing_is_left_behind),
        cmocka_unit_test(without_its_keeper_it_ends_with_a_reason),
        cmocka_unit_test(another_major_version_is_refused),
        cmocka_unit_test(lost_data_is_not_made_anew),
        cmocka_unit_test(a_broken_setting_of_postgresql_is_quoted),
    };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_folder_closed_to_postgresql_gets_a_link),
        cmocka_unit_test(a_folder_of_others_is_refused),
        cmocka_unit_test(a_file_is_no_folder),
        cmocka_unit_test(an_unwritable_place_is_refused),
        cmocka_unit_test(a_full_disk_is_refused),
        cmocka_unit_test(a_database_of_others_is_migrated_only_when_told),
        cmocka_unit_test(an_unreachable_database_ends_the_start),
        cmocka_unit_test(a_taken_address_is_told),
        cmocka_unit_test(the_log_moves_on_sighup),
        cmocka_unit_test(the_command_line_explains_itself),
    };
    int failed = cmocka_run_group_tests_name("private cluster", alone, init_private, remove_private);
    return failed + cmocka_run_group_tests_name("places, addresses, logs", others, NULL, NULL);
}
